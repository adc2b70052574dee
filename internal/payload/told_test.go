package payload

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// entriesOf is a docker config with the same login under some keys.
func entriesOf(login string, keys ...string) string {
	var entries []string
	for _, key := range keys {
		entries = append(entries, quote(key)+":"+login)
	}
	return `{"auths":{` + strings.Join(entries, ",") + `}}`
}

// Keys may hold a user name and a password, and whoever writes them decides what else. None of that is in a message.
func TestNoMessageShowsALoginThatStandsInAKeyOrActsOnATerminal(t *testing.T) {
	const login, other, bad = `{"username":"u","password":"p"}`, `{"username":"u","password":"other"}`, `{"auth":"!"}`
	const inKey, raw = "https://user:hunter2@registry.example", "a\x1b[2J"
	long := raw + strings.Repeat("x", 1000)
	trimmed := `{"username":"u","password":"p\n"}`
	for name, fields := range map[string]Fields{
		"an entry at fault":                  {"config": entriesOf(bad, inKey)},
		"two entries for one registry":       {"config": `{"auths":{"https://user:hunter2@registry.example":` + login + `,"http://user:hunter2@registry.example":` + other + `}}`},
		"an entry with a line break":         {"config": entriesOf(trimmed, inKey)},
		"no entry for it":                    {"config": entriesOf(login, "https://user:hunter2@elsewhere.example")},
		"no entry, and one for another path": {"config": entriesOf(login, inKey+"/other")},
		"no entry, and a key as others do":   {"config": entriesOf(login, long)},
		"a docker config under another key":  {long: entriesOf(login, "registry.example")},
		"other keys":                         {long: "x", "b": "x"},
		"a key in an object":                 {long: map[string]any{"config": "x", "username": "x"}},
		"an end that cannot be read":         {"username": "u", "password": "p", "expires at" + strings.Repeat(" ", 20): "soon"},
	} {
		for _, keys := range []Keys{{DockerConfig: "config"}, {}} {
			got, err := Render(fields, wants(keys, ""))
			said := fmt.Sprint(err, got.Findings)
			if strings.ContainsAny(said, "\x1b") || strings.Contains(said, "hunter2") || strings.Contains(said, strings.Repeat("x", 200)) {
				t.Errorf("%s, %+v: %s", name, keys, said)
			}
		}
	}
}

func TestAMessageHasABound(t *testing.T) {
	_, err := Render(Fields{"username": "u", "password": "p"}, wants(Keys{}, "", v1alpha1.Registry("registry.example:port"+strings.Repeat("x", 10_000))))
	if err == nil || len(err.Error()) > longestMessage {
		t.Errorf("%d bytes", len(err.Error()))
	}
	host := v1alpha1.Registry(strings.Repeat("a.", 123) + "example:65535")
	want := wants(Keys{DockerConfig: "config"}, "", host+"/a", host+"/b")
	want.PerHost = true
	config := `{"auths":{` + quote(string(host)+"/a") + `:{"username":"u","password":"p"},` + quote(string(host)+"/b") + `:{"username":"u","password":"other"}}}`
	if _, err := Render(Fields{"config": config}, want); err == nil || len(err.Error()) > longestMessage || !strings.Contains(err.Error(), "have different credentials") {
		t.Errorf("of two entries for a host with a long name: %v", err)
	}
}

func TestFindingsSayWhereTheyAre(t *testing.T) {
	got, err := Render(Fields{"username": "u\n", "password": "p\n"}, wants(Keys{}, "", "https://registry.example/v1"))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, finding := range got.Findings {
		if finding.Key != "" {
			t.Errorf("%+v", finding)
		}
		said = append(said, finding.Message)
	}
	for i, want := range []string{
		`spec.registries: entry "https://registry.example/v1": without a slash at the end`, `secret/a: the user name in key "username" ends in a line break`, `secret/a: the password in key "password" ends in a line break`,
	} {
		if i >= len(said) || !strings.HasPrefix(said[i], want) {
			t.Errorf("%q, want %q", said, want)
		}
	}
	if len(said) > 0 && !strings.HasSuffix(said[0], `It is published as "registry.example/v1/"`) && !strings.Contains(said[0], "It is published as") {
		t.Errorf("%q", said[0])
	}
}

func TestWhichEntryOfADockerConfigIsUsed(t *testing.T) {
	const login, other, token = `{"username":"u","password":"p"}`, `{"username":"u","password":"other"}`, `{"identitytoken":"t"}`
	for _, test := range []struct {
		name, document, want, says string
		cause                      error
	}{
		{"the one of the registry", entriesOf(login, "registry.example"), "u:p", "", nil},
		{"of two spellings with one login either", `{"auths":{"registry.example":` + login + `,"https://registry.example":` + login + `}}`, "u:p", "", nil},
		{"a wildcard that a kubelet reads before a spelling that it does not", `{"auths":{"*.example":` + login + `,"oci://registry.example":` + other + `,"https://registry.example/v1":` + other + `}}`, "u:p", "", nil},
		{"of two spellings with two logins none", `{"auths":{"registry.example":` + login + `,"https://registry.example":` + other + `}}`, "", "has two different entries for one registry", nil},
		{"another spelling that cannot be read is no twin", `{"auths":{"https://registry.example":` + login + `,"registry.example":{"auth":"!"}}}`, "u:p", "", nil},
		{"a token hides no password", `{"auths":{"registry.example":` + token + `,"https://registry.example":` + login + `}}`, "u:p", "", nil},
		{"a token hides no password under another spelling", `{"auths":{"https://registry.example":` + token + `,"registry.example":` + login + `}}`, "u:p", "", nil},
		{"a token alone", entriesOf(token, "registry.example"), "", "identity token", dockerconfig.ErrTokenOnly},
		{"of two without a password the first is told", `{"auths":{"registry.example":{},"https://registry.example":` + token + `}}`, "", "identity token", dockerconfig.ErrTokenOnly},
		{"keys with a user name are of the registries that they name", `{"auths":{"https://user:x@registry.example":` + login + `,"https://user:x@other.example":` + other + `}}`, "u:p", "", nil},
		{"a key with a user name is another spelling, and of two logins none is taken", `{"auths":{"https://user:x@registry.example":` + login + `,"registry.example":` + other + `}}`, "", "has two different entries for one registry", nil},
		{"an auth field that is none beside a program", `{"auths":{"registry.example":{"auth":"!"}},"credsStore":"desktop"}`, "", "leave it out", dockerconfig.ErrMalformedAuth},
		{"an entry without a password", entriesOf(`{"username":"u"}`, "registry.example"), "", "neither an auth field nor both", dockerconfig.ErrIncomplete},
		{"an entry without a password beside a program that has it", `{"auths":{"registry.example":{}},"credsStore":"desktop"}`, "", "credsStore", dockerconfig.ErrCredentialStore},
		{"an auth field that is none", entriesOf(`{"auth":"!"}`, "registry.example"), "", "leave it out, and store username and password there", dockerconfig.ErrMalformedAuth},
		{"an auth field that is a placeholder", entriesOf(`{"auth":"${AUTH}"}`, "registry.example"), "", "it looks like a placeholder", dockerconfig.ErrMalformedAuth},
		{"a password that nobody can send", entriesOf(`{"username":"u","password":"a\u0007b"}`, "registry.example"), "", "control character", dockerconfig.ErrControlCharacter},
		{"a password longer than any", entriesOf(`{"username":"u","password":"`+strings.Repeat("p", dockerconfig.MaxLength+1)+`"}`, "registry.example"), "", "longer than 64 KiB, which", dockerconfig.ErrTooLong},
		{"no entry, and a program that may have it", `{"auths":{"other.example":` + login + `},"credsStore":"desktop"}`, "", `it has 1, such as "other.example"; credsStore`, nil},
		{"no entry at all", `{"auths":{}}`, "", "it has none at all", nil},
	} {
		got, err := Render(Fields{"config": test.document}, wants(Keys{DockerConfig: "config"}, ""))
		if plain(got.Config)["registry.example"] != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %v, %v", test.name, plain(got.Config), err)
		}
		if err != nil && (!strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), `key "config"`) || test.cause != nil && !errors.Is(err, test.cause)) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && !errors.Is(err, dockerconfig.ErrMalformedAuth) && strings.Contains(err.Error(), "leave it out") {
			t.Errorf("%s: there is no auth field to leave out: %v", test.name, err)
		}
	}
	_, err := Render(Fields{"auths": map[string]any{"other.example": map[string]any{"auth": "dTpw"}}}, wants(Keys{}, "", "b.example", "a.example"))
	if err == nil || !strings.HasPrefix(err.Error(), "the secret has no entry for a.example, b.example") {
		t.Error(err)
	}
}

func TestWhichEntryWasProbablyMeant(t *testing.T) {
	for _, test := range []struct{ key, want string }{
		{"registry.example:5000", ""},
		{"https://registry.example:5000", ""},
		{"Registry.Example", "has other letters"},
		{"https://Registry.Example/v2/", "has other letters"},
		{"registry.example/team/", "covers a part of it only"},
		{"registry.example/team/app:1", "has a tag or digest"},
		{"registry.example/app@sha256:0123", "has a tag or digest"},
		{"registry.example/a:1", "has a tag or digest"},
		{"other.example/team/app:1", ""},
		{"registry.example:1", ""},
		{"oci://registry.example", "has a scheme, a space or a quote"},
		{" registry.example ", "has a scheme, a space or a quote"},
		{"'registry.example'", "has a scheme, a space or a quote"},
		{"\u200bregistry.example", "has a scheme, a space or a quote"},
		{"oci://other.example", ""},
		{"oci://registry.example:port", ""},
		{"elsewhere.example", ""},
	} {
		s := newStored("it", nil, nil)
		s.keys = []string{test.key}
		got := s.nearest([]string{"registry.example"})
		if test.want == "" && !strings.Contains(got, "it has 1, such as") && !strings.Contains(got, "port") || !strings.Contains(got, test.want) {
			t.Errorf("%q: %s", test.key, got)
		}
	}
	for key, want := range map[string]string{"Registry.Example": "has other letters", "registry.example/team/app": "is for another path of that host", "registry.example": "is for another path of that host", "oci://registry.example/other": "has a scheme",
		"http://registry.example/b": "is for another path of that host", "https://registry.example/b": "is for another path of that host"} {
		s := newStored("it", nil, nil)
		s.keys = []string{key}
		if got := s.nearest([]string{"registry.example/other"}); !strings.Contains(got, want) {
			t.Errorf("for a path, %q: %s", key, got)
		}
	}
	if says := lacksPort("registry.example:5000", "registry.example"); !strings.Contains(says, `store it as "registry.example:5000"`) {
		t.Errorf("without the port: %q", says)
	}
}

func TestHowManyWrappingsOfADockerConfigAreTakenOff(t *testing.T) {
	document := entriesOf(`{"username":"u","password":"p"}`, "registry.example")
	wrap := map[string]func(string) string{
		"base64": base64Of, "JSON text": quote, "a list": func(text string) string { return "[" + quote(text) + "]" },
		"a variable": func(text string) string { return "CONFIG=" + text }, "a manifest": func(text string) string { return `{"data":{".dockerconfigjson":` + quote(text) + `}}` },
	}
	for name, once := range wrap {
		text := document
		for n := range deepest + 3 {
			_, is := dockerConfigIn(text)
			if n == 0 && !is || n >= deepest && is {
				t.Errorf("%s, %d times: %t", name, n, is)
			}
			text = once(text)
		}
	}
	if _, is := dockerConfigIn("  \ufeff\n" + document + " "); !is {
		t.Error("with a mark and space around it is none")
	}
	if _, is := dockerConfigIn("  \ufeff\n[" + document + "] "); !is {
		t.Error("in a list, with a mark and space around it, is none")
	}
	if _, is := dockerConfigIn(strings.Repeat(" ", 2*dockerconfig.MaxSize-len(document)) + document); !is {
		t.Error("the largest is none")
	}
	if _, is := dockerConfigIn(strings.Repeat(" ", 2*dockerconfig.MaxSize) + document); is {
		t.Error("however large it is read")
	}
	for _, text := range []string{`{"auths":`, `{"registry.example":{"username":"u"}}`, `{"registry.example":{"password":"p"}}`, "no: &a [*a]\nauths: x", `{"kind":"CredentialProviderResponse","auth":{"registry.example":{"x":1}}}`, "auths\n- x", `{".dockercfg":"x"}`} {
		if got, is := dockerConfigIn(text); is {
			t.Errorf("%s is one: %s", text, got)
		}
	}
	if got, is := dockerConfigIn(`{".dockercfg":` + quote(`{"registry.example":{"username":"u","password":"p"}}`) + `}`); !is || string(got) != document {
		t.Errorf("%s, %t", got, is)
	}
	if got, is := dockerConfigIn(`{"auths":" {\"registry.example\":{\"auth\":\"dTpw\"}} "}`); !is || !strings.Contains(string(got), "dTpw") {
		t.Errorf("%s, %t", got, is)
	}
}

func TestBoundsOfMomentsAndDurations(t *testing.T) {
	for text, want := range map[string]string{
		"1999-12-31T23:59:59Z": "", "2000-01-01T00:00:00Z": "2000-01-01T00:00:00Z", "9999-12-31T23:59:59Z": "9999-12-31T23:59:59Z",
		"9999-12-31T23:59:59-01:00": "", "2000-01-01T00:30:00+01:00": "",
		"946684799": "", "946684800": "2000-01-01T00:00:00Z", "9999999999": "2286-11-20T17:46:39Z", "10000000000": "", "946684800000": "2000-01-01T00:00:00Z",
		"946684799999": "", "9999999999999": "2286-11-20T17:46:39Z", "946684800000000": "2000-01-01T00:00:00Z", "946684800000000000": "2000-01-01T00:00:00Z", "NaN": "", "1e300": "", "-1": "",
		"4611686018427387904": "2116-02-20T23:53:38Z", "9223372036854775808": "", "2026-01-02T03:04:05Z (" + strings.Repeat("x", 41) + ")": "2026-01-02T03:04:05Z",
		"2026-01-02 03:04:05 UTC": "2026-01-02T03:04:05Z", "2026-01-02 03:04:05 CET": "", "2026-01-02 03:04:05 +0100 CET": "2026-01-02T02:04:05Z",
		"2026-01-02T03:04:05Z" + strings.Repeat(" ", 45): "", "2026-01-02T03:04:05Z (" + strings.Repeat("x", 60) + ")": "", "2026-01-02T03:04:05Z (x)": "2026-01-02T03:04:05Z", "no time": "", "": "",
	} {
		at, ok := moment(text)
		got := ""
		if ok {
			got = at.UTC().Truncate(time.Second).Format(time.RFC3339)
		}
		if got != want || !ok && !at.IsZero() {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]time.Duration{
		"100y": longestLife, "100y1s": 0, "36500d": longestLife, "36501d": 0, "P100Y": longestLife, "P100YT1S": 0, "1h30m": 90 * time.Minute, "1 H, 30 Min": 90 * time.Minute, "+1h": time.Hour,
		"1m": time.Minute, "1mo": 30 * 24 * time.Hour, "1x": 0, "h": 0, "-1h": 0, "": 0, "NaN": 0, "1e30": 0, "3600": time.Hour,
		strings.Repeat("1s", 32): 32 * time.Second, strings.Repeat("1s", 33): 0, "P900Y": 0, "3153600000": longestLife, "3153600001": 0,
	} {
		if got, ok := duration(text, time.Second); got != want || ok != (want != 0) {
			t.Errorf("%q: %s, %t", text, got, ok)
		}
	}
	if got, ok := duration("-1e30", time.Second); got != 0 || ok {
		t.Errorf("a number far below zero: %s, %t", got, ok)
	}
	if got, ok := duration("-1", time.Second); got != -time.Second || !ok {
		t.Errorf("a number below zero: %s, %t", got, ok)
	}
}

func TestWhichPasswordsTellTheirEnd(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	token := func(header, claims string) string { return part(header) + "." + part(claims) + ".x" }
	const end = "1767323045" // when it was written
	for _, test := range []struct {
		name, password string
		is             bool
	}{
		{"a token", token(`{"alg":"RS256"}`, `{"exp":`+end+`}`), true},
		{"a token without an algorithm", token(`{}`, `{"exp":`+end+`}`), false},
		{"a token whose header is none", token(`x`, `{"exp":`+end+`}`), false},
		{"a token whose claims are none", token(`{"alg":"RS256"}`, `x`), false},
		{"a token whose claims are no base64", part(`{"alg":"RS256"}`) + ".!.x", false},
		{"a token that says two algorithms, of which one is none", token(`{"alg":"RS256","alg":[]}`, `{"exp":`+end+`}`), false},
		{"a token with something behind its header", part(`{"alg":"RS256"}`) + "!." + part(`{"exp":`+end+`}`) + ".x", false},
		{"a token without an end", token(`{"alg":"RS256"}`, `{}`), false},
		{"a token in two parts", part(`{"alg":"RS256"}`) + "." + part(`{"exp":`+end+`}`), false},
		{"a token in four parts", token(`{"alg":"RS256"}`, `{"exp":`+end+`}`) + ".y", false},
		{"a password of ECR", base64Of(`{"payload":"x","datakey":"y","expiration":` + end + `}`), true},
		{"one with a payload alone", base64Of(`{"payload":"x","expiration":` + end + `}`), true},
		{"one with a key alone", base64Of(`{"datakey":"y","expiration":` + end + `}`), true},
		{"one with neither", base64Of(`{"expiration":` + end + `}`), false},
		{"one of other types", base64Of(`{"payload":1,"datakey":"y","expiration":` + end + `}`), false},
		{"a list", base64Of(`[{"payload":"x","expiration":` + end + `}]`), false},
		{"no base64", `{"payload":"x","expiration":` + end + `}`, false},
		{"one that is too long", token(`{"alg":"RS256"}`, `{"exp":`+end+`,"x":"`+strings.Repeat("x", 64<<10)+`"}`), false},
		{"a word", "hunter2", false},
	} {
		if got := EndOfPassword(test.password); got.Equal(written) != test.is || got.IsZero() == test.is {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestWhatIsOddAboutAValueIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"<token>": "is the mark by which", "\ufeffpass": "begins with a byte order mark", "pa\u3164ss": "cannot be seen", "pa\u2800ss": "cannot be seen", "pa\u2029ss": "cannot be seen", "pa\u00a0ss": "cannot be seen",
		`"pass"`: "has quotes around it", "“pass”": "has quotes around it", `"`: "", `"pass'`: "", `a\u0026b`: "holds an escape of JSON", `a\$b`: "has a backslash before a $", "pass ": "ends with a space", " pass": "begins with a space",
		"@/run/secret": "looks like the name of a file", "null": "is what programs print", "vault:v1:abc": "looks like a value that is still encrypted", "{{ .x }}": "looks like a placeholder", "pass": "", "pass\x00": "", "": "",
	} {
		reason, says := oddity(text)
		if (reason == "") != (want == "") || (says == "") != (want == "") || !strings.Contains(says, want) {
			t.Errorf("%q: %s, %q", text, reason, says)
		}
	}
}

func TestAKeyOfAServiceAccountIsTakenOnlyForSure(t *testing.T) {
	const google, yandex = `"private_key":"x","type":"service_account"`, `"private_key":"x","service_account_id":"y"`
	for _, test := range []struct{ fields, username, user string }{
		{`{` + google + `}`, "", googleKey}, {`{` + google + `}`, googleKey, googleKey}, {`{` + google + `}`, googleKeyBase64, googleKeyBase64}, {`{` + google + `}`, "robot", ""},
		{`{` + yandex + `}`, "", yandexKey}, {`{` + yandex + `}`, yandexKey, yandexKey}, {`{` + yandex + `}`, googleKeyBase64, ""},
		{`{"private_key":"x"}`, "", ""}, {`{"private_key":"x","type":"external_account"}`, "", ""}, {`{"type":"service_account"}`, "", ""}, {`{` + google + `,"password":"p"}`, googleKey, ""},
	} {
		r := rendering{Want: wants(Keys{}, test.username), fields: fieldsOf(t, test.fields)}
		whole, ok := r.wholeKey()
		if ok != (test.user != "") || whole.Username() != test.user || ok == whole.IsZero() {
			t.Errorf("%s for %q: %q, %t", test.fields, test.username, whole.Username(), ok)
		}
	}
	for user, passwords := range map[string][]string{googleKey: {"hunter2", base64Of("no object"), base64Of("{broken"), base64Of(`["abcdef"]`), base64Of(`{"a":"b"}`) + "!"}, googleKeyBase64: {"hunter2", "{broken", base64Of("no object")}, "robot": {base64Of(`{"a":"b"}`)}} {
		for _, password := range passwords {
			credential, err := dockerconfig.NewCredential(user, password)
			if err != nil {
				t.Fatal(err)
			}
			if got := fitGoogleKey(credential); !got.Equal(credential) || got.IsZero() {
				t.Errorf("%s with %q becomes %q", user, password, got.Password())
			}
		}
	}
}

func TestWhatOfAKeyIsTold(t *testing.T) {
	for _, test := range []struct {
		name, fields, says string
		without            string
	}{
		{"four other keys", `{"a":"1","b":"2","c":"3","d":"4"}`, `it has "a", "b", "c", "d"`, "more"},
		{"five other keys", `{"a":"1","b":"2","c":"3","d":"4","e":"5"}`, `it has "a", "b", "c", "d" and 1 more`, `"e"`},
		{"a long name", `{"` + strings.Repeat("k", 60) + `":"1"}`, `it has "kkk`, strings.Repeat("k", 41)},
		{"a key of a service account for a user name", `{"username":{"private_key":"x"},"password":"p"}`, `holds a key of a service account, not the user name: set username: _json_key and keys: {password: "username"}`, ""},
		{"a certificate for a password", `{"username":"u","password":"-----BEGIN X\tY-----"}`, "control character", "base64"},
		{"a key without a name", `{"":"{\"auths\":{\"registry.example\":{\"auth\":\"dTpw\"}}}","username":"u"}`, `it has no key "password"; its key "" holds a docker config`, ""},
	} {
		_, err := Render(fieldsOf(t, test.fields), wants(Keys{}, ""))
		if err == nil || !strings.Contains(err.Error(), test.says) || test.without != "" && strings.Contains(err.Error(), test.without) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := Render(Fields{"username": "u", "password": "p"}, wants(Keys{}, "", "registry.example:port")); !errors.Is(err, registry.ErrPort) || !errors.Is(err, ErrBadRegistry) || !strings.Contains(err.Error(), "registry.example:port") {
		t.Error(err)
	}
	if _, err := Render(Fields{"auth": "!"}, wants(Keys{Auth: "auth"}, "")); !errors.Is(err, dockerconfig.ErrMalformedAuth) || !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

package payload

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

const serviceKey = `{"private_key":"x","type":"service_account"}`

// What a person may have stored in the place of what was meant is told in words, and never shown.
func TestWhatATextIsInThePlaceOfWhatWasMeant(t *testing.T) {
	r := &rendering{}
	for text, want := range map[string]string{
		`{"auths":{"registry.example":{"auth":"dTpw"}}}`: "is a docker config",
		serviceKey:             "is a key of a service account: set username: _json_key",
		"\ufeff " + serviceKey: "is a key of a service account: set username: _json_key",
		`{"private_key":"x","service_account_id":"y"}`: "is a key of a service account: set username: json_key",
		`{"a":"b"}`:                              "begins like JSON and is none",
		"{" + strings.Repeat(",", maxValues+1):   "holds far more values",
		" \n":                                    "is empty",
		"pass\xffword":                           "is no text: store it as UTF-8",
		"@/run/secrets/password":                 "is the name of a file",
		"@":                                      "is the name of a file",
		"config.json":                            "is the name of a file",
		"a line\nconfig.json":                    "",
		"-----BEGIN CERTIFICATE-----":            "is a PEM file",
		"\ufeff-----BEGIN CERTIFICATE-----":      "is a PEM file",
		"${PASSWORD}":                            "looks like a placeholder",
		base64Of(serviceKey):                     "is base64 of a key of a service account",
		base64Of(`{"private_key":`):              "is base64 of what begins like JSON and is none",
		base64Of(`{"other":"x"}`):                "is base64 of what begins like JSON and is none",
		base64Of("no colon in it"):               "",
		base64Of("robot:password"):               "is base64 of username:password",
		" " + base64Of("robot:password") + " \n": "is base64 of username:password",
		"robot:password":                         "seems to be username:password",
		"robot:password\n":                       "",
		":password":                              "",
		"robot:":                                 "",
		"a robot:password":                       "",
		"hunter2":                                "",
	} {
		if got := r.describe(text); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsInThePlaceOfADockerConfig(t *testing.T) {
	r := &rendering{Want: wants(Keys{DockerConfig: "config"}, "")}
	const store = "store the file with `vault kv patch -mount=secret a config=@config.json`"
	for name, test := range map[string]struct {
		value any
		says  []string
		cause error
	}{
		"a key of a service account":               {must(decodeObject([]byte(serviceKey))), []string{"holds a key of a service account and no docker config", "_json_key"}, nil},
		"the same as text":                         {"\ufeff " + serviceKey, []string{"holds a key of a service account and no docker config"}, nil},
		"a login":                                  {map[string]any{"username": "u", "password": "p"}, []string{"holds a user name and names no registry"}, nil},
		"a config that asks a program":             {map[string]any{"credsStore": "desktop"}, []string{"credsStore"}, dockerconfig.ErrCredentialStore},
		"another object":                           {map[string]any{"a": "b"}, []string{"it begins", store}, dockerconfig.ErrNoAuths},
		"the old form, of which nothing is usable": {map[string]any{"registry.example": map[string]any{}}, []string{"it begins", store}, dockerconfig.ErrNoAuths},
		"another object as text":                   {` {"a":"b"}`, []string{"it begins", store}, dockerconfig.ErrNoAuths},
		"a list as text":                           {`[1]`, []string{"is neither JSON nor base64 of it", store}, nil},
		"a password":                               {"hunter2", []string{"is neither JSON nor base64 of it", store}, nil},
		"the name of a file":                       {"@config.json", []string{"is the name of a file", store}, nil},
		"true or false":                            {true, []string{"holds no text, but true or false"}, nil},
	} {
		fault := r.notDocument(`key "config"`, test.value)
		for _, says := range test.says {
			if !strings.Contains(fault.Message, says) {
				t.Errorf("%s: %q lacks %q", name, fault.Message, says)
			}
		}
		if test.cause != nil && !errors.Is(fault, test.cause) || strings.Contains(fault.Message, "hunter2") {
			t.Errorf("%s: %v", name, fault)
		}
	}
	r.Store = nil
	if fault := r.notDocument(`key "config"`, "hunter2"); strings.Contains(fault.Message, "store the file") {
		t.Error(fault)
	}
	r.Store = func(string, string) string { return "" }
	if fault := r.notDocument(`key "config"`, "hunter2"); strings.Contains(fault.Message, "store the file") {
		t.Error(fault)
	}
}

// An auth field is read as people store it, and what is not certainly one is none.
func TestWhichWrappingsOfALoginAreTakenOff(t *testing.T) {
	encoded := base64Of("robot:password")
	wrap := func(times int) string {
		text := "robot:password"
		for range times {
			text = base64Of(text)
		}
		return text
	}
	for _, test := range []struct {
		name, text string
		is         bool
	}{
		{"base64", encoded, true},
		{"without padding", strings.TrimRight(encoded, "="), true},
		{"with space around it", " " + encoded + "\n", true},
		{"in quotes", `"` + encoded + `"`, true},
		{"in quotes with space around them", ` "` + encoded + `" `, true},
		{"in quotes, with space inside", `' ` + encoded + ` '`, true},
		{"the value of a header in quotes, with space inside", `" Basic ` + encoded + ` "`, true},
		{"with something behind it that is none", encoded + "!", false},
		{"the value of a header", "Basic " + encoded, true},
		{"the value of a header, in small letters and with more space", "basic   " + encoded, true},
		{"encoded twice", wrap(2), true},
		{"encoded as often as is taken off", wrap(deepest), true},
		{"encoded once more", wrap(deepest + 2), false},
		{"the beginning of a header alone", "Basic ", false},
		{"not encoded", "robot:password", false},
		{"of something without a colon", base64Of("robotpassword"), false},
		{"of what is no text", base64.StdEncoding.EncodeToString([]byte("robot:\xff\xfe\xfd")), false},
	} {
		username, password, ok := loginIn(test.text, deepest)
		if ok != test.is || ok && (username != "robot" || password != "password") {
			t.Errorf("%s: %q, %q, %t", test.name, username, password, ok)
		}
		credential, err := authOf(test.text)
		if (err == nil) != test.is || err == nil && (credential.Username() != "robot" || credential.Password() != "password") {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && !credential.IsZero() {
			t.Errorf("%s: with an error comes a login", test.name)
		}
	}
}

func TestAnEntryWhoseAuthFieldIsPlainIsReadByWhatStandsBesideIt(t *testing.T) {
	for entry, want := range map[string]string{
		`{"auth":"` + base64Of("u:p") + `"}`:             "u:p",
		`{"auth":" u:p ","username":"u","password":"p"}`: "u:p",
		`{"auth":"u:p"}`: "",
		`{"auth":":p","username":"","password":"p"}`:       "",
		`{"auth":"u:","username":"u","password":""}`:       "",
		`{"auth":"u:other","username":"u","password":"p"}`: "",
		`{"username":"u"}`: "",
		`{"auth":"` + base64Of(base64Of("u:pass")) + `"}`: "u:pass",
	} {
		credential, err := parseEntry("registry.example", []byte(entry))
		got := ""
		if err == nil {
			got = credential.Username() + ":" + credential.Password()
		}
		if got != want || err != nil && !credential.IsZero() {
			t.Errorf("%s: %q, %v", entry, got, err)
		}
		if inAuth := strings.Contains(entry, "auth"); want == "" && errors.Is(err, dockerconfig.ErrMalformedAuth) != inAuth {
			t.Errorf("%s is at fault for another reason: %v", entry, err)
		}
	}
}

func TestFormsOfText(t *testing.T) {
	for text, want := range map[string]string{"": "", `"`: "", `'`: "", `''`: "", `"a"`: "a", `'a'`: "a", `"a'`: "", `'a"`: "", `aa`: "", `"a\"b"`: `a"b`, `"\x"`: ""} {
		got, ok := unquoted(text)
		if got != want || ok != (want != "" || text == `''`) {
			t.Errorf("unquoted %s: %q, %t", text, got, ok)
		}
	}
	for text, want := range map[string]bool{"YWJjZA": false, "YWJjZGU": false, "YWJjZGVm": true, "YWJj ZGVm\n": true, "YWJjZGVm==": true, "YWJjZGV!": false, "_-__YWJj": true, "+/++YWJj": true, "": false} {
		if _, ok := decodeBase64(text); ok != want {
			t.Errorf("base64 %q: %t", text, ok)
		}
	}
	for text, want := range map[string]string{
		"\xff\xfea\x00b\x00": "ab", "\xfe\xff\x00a\x00b": "ab", "a\x00b\x00": "ab", "\x00a\x00b": "ab", "\ufffd\ufffda\x00b\x00": "ab",
		"\xff\xfea\x00b": "", "a\x00b": "", "ab": "", "": "", "a": "", "a\x00": "a", "\x00": "", "a\x00b\x00c": "", "a\x00\x00\x00": "",
	} {
		if got, ok := fromUTF16(text); got != want || ok != (want != "") {
			t.Errorf("UTF-16 %q: %q, %t", text, got, ok)
		}
	}
	for _, part := range []string{",", "[", "{"} {
		if Crowded([]byte(strings.Repeat(part, maxValues))) || !Crowded([]byte(strings.Repeat(part, maxValues+1))) {
			t.Errorf("the bound is not %d of %q", maxValues, part)
		}
	}
}

func TestTheEarliestOfSomeTimes(t *testing.T) {
	early, late := written, written.Add(time.Hour)
	for _, test := range []struct {
		times []time.Time
		want  time.Time
	}{{nil, time.Time{}}, {[]time.Time{{}, {}}, time.Time{}}, {[]time.Time{late, {}, early}, early}, {[]time.Time{early, late}, early}, {[]time.Time{{}, late}, late}} {
		if got := Earliest(test.times...); !got.Equal(test.want) {
			t.Errorf("of %v it is %s", test.times, got)
		}
	}
}

func TestWhatANameTellsOfAnEnd(t *testing.T) {
	for name, want := range map[string]struct {
		kind kind
		unit time.Duration
	}{
		"expires_at": {anEnd, time.Second}, "expires_at_utc": {anEnd, time.Second}, "client-secret-expires-at": {anEnd, time.Second}, "Expires At": {anEnd, time.Second},
		"expires_in": {lifetime, time.Second}, "expires_in_days": {lifetime, 24 * time.Hour}, "valid_days": {lifetime, 24 * time.Hour}, "validity_ms": {lifetime, time.Millisecond},
		"valid": {nothing, 0}, "utc": {nothing, 0}, "days": {nothing, 0}, "secret": {nothing, 0}, "secret_days": {nothing, 0}, "created_utc": {nothing, 0},
		strings.Repeat("token_", 9) + "expires_at": {anEnd, time.Second}, strings.Repeat("token_", 9) + "expires_at_": {nothing, 0},
	} {
		if got, unit := kindOf(name); got != want.kind || unit != want.unit {
			t.Errorf("%s: %v in %s", name, got, unit)
		}
	}
}

func TestAnEndIsReadOrToldAsUnreadable(t *testing.T) {
	later := written.Add(time.Hour)
	for _, test := range []struct {
		name    string
		value   any
		written time.Time
		want    time.Time
		says    string
	}{
		{"expires_at", later.Format(time.RFC3339), written, later, ""},
		{"expires_at", "never", written, time.Time{}, ""},
		{"expires_at", nil, written, time.Time{}, ""},
		{"expires_at", false, written, time.Time{}, ""},
		{"expires_at", true, written, time.Time{}, "looks like the end of the credential and cannot be read"},
		{"expires_at", "next Tuesday", written, time.Time{}, "write expires_at as in 2026-05-01T00:00:00Z"},
		{"expires_at", []any{"x"}, written, time.Time{}, "cannot be read"},
		{"expires_at", "1h", written, later, ""},
		{"expires_in", "3600", written, later, ""},
		{"expires_in", later.Format(time.RFC3339), written, time.Time{}, "cannot be read"},
		{"expires_in", "0", written, time.Time{}, ""},
		{"expires_in", "3600", time.Time{}, time.Time{}, "is a lifetime, and nobody knows from when it counts"},
		{"ttl", "3600", time.Time{}, time.Time{}, ""},
		{"ttl", "3600", written, later, ""},
		{"note", "never", written, time.Time{}, ""},
	} {
		r := &rendering{Want: Want{Written: test.written}}
		if at, says := r.endOf(test.name, test.value); !at.Equal(test.want) || (says == "") != (test.says == "") || !strings.Contains(says, test.says) {
			t.Errorf("%s: %v: %s, %q", test.name, test.value, at, says)
		}
	}
	r := &rendering{Want: Want{Keys: Keys{Password: "expires_at"}, Where: "secret/a"}}
	fields := Fields{"expires_at": "hunter2"}
	if ends := r.endsIn(fields, ""); len(ends) != 0 || len(r.findings) != 0 {
		t.Errorf("a password tells an end: %v, %v", ends, r.findings)
	}
	if r.endsIn(fields, "the metadata's "); len(r.findings) != 1 || !strings.HasPrefix(r.findings[0].Message, `secret/a: the metadata's key "expires_at" looks like`) {
		t.Errorf("%v", r.findings)
	}
}

func TestTheManifestOfASecretIsOpened(t *testing.T) {
	for name, test := range map[string]struct{ fields, want string }{
		"data":                               {`{"kind":"Secret","data":{"username":"` + base64Of("u") + `","password":"` + base64Of("p") + `"}}`, "u:p"},
		"stringData":                         {`{"kind":"Secret","stringData":{"username":"u","password":"p"}}`, "u:p"},
		"both, of which stringData counts":   {`{"kind":"Secret","data":{"username":"` + base64Of("u") + `","password":"` + base64Of("old") + `"},"stringData":{"password":"p"}}`, "u:p"},
		"data that is no base64 is left out": {`{"kind":"Secret","data":{"note":"%","binary":"//79","username":"` + base64Of("u") + `","password":"` + base64Of("p") + `"}}`, "u:p"},
		"another kind":                       {`{"kind":"ConfigMap","data":{"username":"x"},"username":"u","password":"p"}`, "u:p"},
		"one without anything":               {`{"kind":"Secret","username":"u","password":"p"}`, "u:p"},
	} {
		got, err := Render(fieldsOf(t, test.fields), wants(Keys{}, ""))
		if err != nil || plain(got.Config)["registry.example"] != test.want {
			t.Errorf("%s: %v, %v", name, plain(got.Config), err)
		}
	}
	inner := opened(fieldsOf(t, `{"kind":"Secret","data":{"note":"%","binary":"//79","a":"`+base64Of("b")+`"}}`))
	if len(inner) != 1 || inner["a"] != "b" {
		t.Errorf("%v", inner)
	}
}

func TestARegistryThatNoImageCanNameIsTheSpecsFault(t *testing.T) {
	_, err := Render(Fields{"username": "u", "password": "p"}, wants(Keys{}, "", "registry.example:port"))
	if !errors.Is(err, ErrBadRegistry) || errors.Unwrap(err) != nil && !strings.Contains(err.Error(), "registry.example:port") {
		t.Error(err)
	}
}

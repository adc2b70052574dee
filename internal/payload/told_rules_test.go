package payload

import (
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

// Whoever reads such a message changes the spec by it, so the names in it have to be those of the spec.
func TestWhatShouldBeADockerConfigIsToldByTheNameOfItsKey(t *testing.T) {
	for name, test := range map[string]struct{ value, says string }{
		"a number":                               {`1`, `key "config" holds a number: store it as text`},
		"true or false":                          {`true`, `key "config" holds no text`},
		"an empty list":                          {`[]`, `key "config" holds a JSON list`},
		"a key of a service account":             {`{"private_key":"x"}`, `set username: _json_key and keys: {password: "config"}`},
		"a key of Yandex Cloud":                  {`{"private_key":"x","service_account_id":"y"}`, `set username: json_key and keys: {password: "config"}`},
		"a key of a service account as text":     {quote(`{"private_key":"x"}`), `set username: _json_key and keys: {password: "config"}`},
		"a placeholder with a line break at end": {quote("${REGISTRY_AUTH}\n"), "looks like a placeholder that no template replaced"},
	} {
		_, err := Render(fieldsOf(t, `{"config":`+test.value+`}`), wants(Keys{DockerConfig: "config"}, ""))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerOfAmazonOfWhichAPartHasNoTokenIsNone(t *testing.T) {
	whole := `{"authorizationToken":"` + base64Of("AWS:pw") + `","proxyEndpoint":"https://registry.example"}`
	for name, test := range map[string]struct {
		tokens string
		is     bool
	}{
		"all have one":             {whole, true},
		"the first has none":       {`{"proxyEndpoint":"https://other.example"},` + whole, false},
		"the last has none":        {whole + `,{"proxyEndpoint":"https://other.example"}`, false},
		"one of them is no object": {whole + `,1`, false},
	} {
		if got, is := dockerConfigIn(`{"authorizationData":[` + test.tokens + `]}`); is != test.is {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAPasswordMayHoldAColonHoweverItsAuthFieldIsWrapped(t *testing.T) {
	auth := base64Of("robot:a:b:c")
	for name, wrapped := range map[string]string{
		"as it is": auth, "as the value of a header": "Basic " + auth, "in quotes": `"` + auth + `"`, "encoded twice": base64Of(auth), "without padding": strings.TrimRight(auth, "="),
	} {
		for _, fields := range []Fields{{"auth": wrapped}, {"config": entriesOf(`{"auth":`+quote(wrapped)+`}`, "registry.example")}} {
			keys := Keys{Auth: "auth"}
			if fields["auth"] == nil {
				keys = Keys{DockerConfig: "config"}
			}
			got, err := Render(fields, wants(keys, ""))
			if err != nil || plain(got.Config)["registry.example"] != "robot:a:b:c" {
				t.Errorf("%s, %v: %v, %v", name, keys, plain(got.Config), err)
			}
		}
	}
}

func TestTheEndThatComesFirstCountsWhereverItIsTold(t *testing.T) {
	soon, later := written.Add(time.Hour), written.Add(2*time.Hour)
	config := func(ends map[string]time.Time) string {
		var entries []string
		for key, end := range ends {
			entries = append(entries, quote(key)+`:{"username":"u","password":"`+tokenUntil(`{"alg":"RS256"}`, end.Unix())+`"}`)
		}
		return `{"auths":{` + strings.Join(entries, ",") + `}}`
	}
	at := func(end time.Time) string { return end.Format(time.RFC3339) }
	for name, test := range map[string]struct {
		fields      Fields
		about, from Fields
	}{
		"by the password of the first registry":  {fields: Fields{"config": config(map[string]time.Time{"a.example": soon, "b.example": later})}},
		"by the password of the second registry": {fields: Fields{"config": config(map[string]time.Time{"a.example": later, "b.example": soon})}},
		"by a field":                             {fields: Fields{"config": config(map[string]time.Time{"a.example": later, "b.example": later}), "expires_at": at(soon)}},
		"by the source's notes":                  {fields: Fields{"config": config(map[string]time.Time{"a.example": later, "b.example": later})}, about: Fields{"expires_at": at(soon)}},
		"by what was exchanged":                  {fields: Fields{"config": config(map[string]time.Time{"a.example": later, "b.example": later})}, from: Fields{"expires_at": at(soon)}},
		"by the second field": {fields: Fields{"config": config(map[string]time.Time{"a.example": later, "b.example": later}), "expires_at": at(later), "token_expires_at": at(soon)},
			about: Fields{"expires_at": at(later)}},
	} {
		for range 16 { // a map has no order
			want := wants(Keys{DockerConfig: "config"}, "", "a.example", "b.example")
			want.About, want.From = test.about, test.from
			got, err := Render(test.fields, want)
			if err != nil || !got.Expire.Equal(soon) {
				t.Fatalf("%s: %s, %v", name, got.Expire, err)
			}
		}
	}
}

func TestAnEndThatCannotBeReadIsToldOfWhereItStandsAndAmongManyKeys(t *testing.T) {
	want := wants(Keys{}, "")
	want.About, want.From = Fields{"expires_at": "soon"}, Fields{"expires_at": "soon"}
	got, err := Render(Fields{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "expires_at": "soon", "password": "p", "username": "u"}, want)
	if err != nil || len(got.Findings) != 3 {
		t.Fatalf("%v, %v", got.Findings, err)
	}
	for i, says := range []string{`secret/a: key "expires_at" `, `secret/a: the metadata's key "expires_at" `, `secret/a: the exchanged key "expires_at" `} {
		if !strings.HasPrefix(got.Findings[i].Message, says) {
			t.Errorf("%q, want %q", got.Findings[i].Message, says)
		}
	}
}

func TestALineBreakAfterAKeyOfAServiceAccountIsToldInEachOfItsForms(t *testing.T) {
	for username, password := range map[string]string{
		googleKey: `{"private_key":"x"}` + "\n", googleKeyBase64: base64Of(`{"private_key":"x"}`) + "\n", "robot": "p\n",
	} {
		got, err := Render(Fields{"password": password}, wants(Keys{}, username))
		if err != nil || len(got.Findings) != 1 || got.Findings[0].Reason != dockerconfig.ReasonTrailingNewline {
			t.Errorf("%s: %v, %v", username, got.Findings, err)
		}
	}
}

func TestWhatIsOddAboutAUserNameHidesNothingOfItsPassword(t *testing.T) {
	got, err := Render(Fields{"username": "$$robot", "password": "pass "}, wants(Keys{}, ""))
	if err != nil || len(got.Findings) != 2 || !strings.Contains(got.Findings[0].Message, "the user name has two $") || !strings.Contains(got.Findings[1].Message, "the password ends with a space") {
		t.Errorf("%v, %v", got.Findings, err)
	}
}

func TestTheEntryThatWasProbablyMeantIsFoundForWhicheverRegistryLacksOne(t *testing.T) {
	document := entriesOf(`{"username":"u","password":"p"}`, "Second.Example", "elsewhere.example")
	_, err := Render(Fields{"config": document}, wants(Keys{DockerConfig: "config"}, "", "first.example", "second.example"))
	if err == nil || !strings.Contains(err.Error(), `its entry "Second.Example" has other letters`) {
		t.Error(err)
	}
}

// One member that is no entry makes the whole something else, which others wrote for another purpose.
func TestTheOldFormHasNothingButEntries(t *testing.T) {
	const entry = `"registry.example":{"username":"u","password":"p"}`
	for text, want := range map[string]bool{
		`{` + entry + `}`: true, `{` + entry + `,"other.example":{"auth":"dTpw"}}`: true, `{` + entry + `,"other":{"x":1}}`: false, `{` + entry + `,"note":"x"}`: false,
		`{` + entry + `,"other.example:port":{"auth":"dTpw"}}`: false, `{}`: false,
	} {
		for range 16 { // a map has no order
			if _, is := dockerConfigIn(text); is != want {
				t.Fatalf("%s: %t", text, is)
			}
		}
	}
}

// An API server takes stringData before data, and a manifest is what is applied.
func TestOfAManifestThatHoldsTwoDockerConfigsThatOfStringDataCounts(t *testing.T) {
	old, in := entriesOf(`{"username":"u","password":"old"}`, "registry.example"), entriesOf(`{"username":"u","password":"p"}`, "registry.example")
	manifest := `{"kind":"Secret","data":{".dockerconfigjson":` + quote(base64Of(old)) + `},"stringData":{".dockerconfigjson":` + quote(in) + `}}`
	for name, fields := range map[string]Fields{"as the secret": fieldsOf(t, manifest), "as text": {"config": manifest}, "as base64": {"config": base64Of(manifest)}} {
		keys := Keys{DockerConfig: "config"}
		if fields["config"] == nil {
			keys = Keys{}
		}
		if got, err := Render(fields, wants(keys, "")); err != nil || plain(got.Config)["registry.example"] != "u:p" {
			t.Errorf("%s: %v, %v", name, plain(got.Config), err)
		}
	}
}

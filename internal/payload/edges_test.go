package payload

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

func TestWhatIsMissingIsToldByItsKeyAndNoOther(t *testing.T) {
	for _, test := range []struct {
		name, fields string
		keys         Keys
		says         string
	}{
		{"nothing at all", `{}`, Keys{}, `it has no key "username"`},
		{"a key without a value", `{"username":null,"password":"p"}`, Keys{}, `it has no key "username"; it has "password"`},
		{"names that may be passwords are not told", `{"p@ss w0rd":"x"}`, Keys{}, `it has no key "username"`},
		{"the key of an auth field", `{"username":"u","password":"p"}`, Keys{Auth: "auth"}, `it has no key "auth"; it has "password", "username"`},
	} {
		_, err := Render(fieldsOf(t, test.fields), wants(test.keys, ""))
		if !errors.Is(err, ErrKeyMissing) || !strings.HasPrefix(err.Error(), test.says) || strings.Count(test.says, ";") == 0 && err.Error() != test.says {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestTheCauseOfAFaultCanBeFound(t *testing.T) {
	_, err := Render(fieldsOf(t, `{"username":"","password":"p"}`), wants(Keys{}, ""))
	if !errors.Is(err, ErrMalformed) || !errors.Is(err, dockerconfig.ErrEmptyUsername) {
		t.Error(err)
	}
	if _, err = Render(fieldsOf(t, `{"username":"","password":"OnA="}`), wants(Keys{}, "")); !errors.Is(err, dockerconfig.ErrEmptyUsername) {
		t.Errorf("without a user name nothing is a login: %v", err)
	}
	if _, err = Render(Fields{"config": `{"auths":{"registry.example":{},"registry.example":{}}}`}, wants(asConfig, "")); !errors.Is(err, dockerconfig.ErrDuplicateKey) {
		t.Errorf("a registry that is there twice: %v", err)
	}
}

// A key without a value counts as one that is not there: tools write null for what they do not know.
func TestAKeyWithoutAValueHidesNoOtherForm(t *testing.T) {
	const document = `{"auths":{"registry.example":{"username":"u","password":"p"}}}`
	for name, fields := range map[string]string{
		"a docker config under the usual name":   `{"config":null,".dockerconfigjson":` + quote(document) + `}`,
		"the secret is the docker config itself": `{"config":null,"auths":{"registry.example":{"username":"u","password":"p"}}}`,
	} {
		for _, keys := range []Keys{{DockerConfig: "config"}, {Auth: "config"}, {Username: "config", Password: "config"}} {
			got, err := Render(fieldsOf(t, fields), wants(keys, ""))
			if err != nil || plain(got.Config)["registry.example"] != "u:p" {
				t.Errorf("%s, %+v: %v, %v", name, keys, plain(got.Config), err)
			}
		}
	}
	got, err := Render(fieldsOf(t, `{"":"x","auths":{"registry.example":{"username":"u","password":"p"}}}`), wants(Keys{}, ""))
	if err != nil || plain(got.Config)["registry.example"] != "u:p" {
		t.Errorf("beside a key without a name: %v, %v", plain(got.Config), err)
	}
}

// What is taken off a password is told wherever the password stands.
func TestALineBreakInsideAnAuthFieldIsToldOf(t *testing.T) {
	got, err := Render(Fields{"config": `{"auths":{"registry.example":{"auth":"` + base64Of("a:1\n") + `"}}}`}, wants(asConfig, ""))
	if err != nil || plain(got.Config)["registry.example"] != "a:1" || !slices.Equal(reasonsOf(got.Findings), []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}) {
		t.Errorf("%v, %v, %v", plain(got.Config), got.Findings, err)
	}
}

func TestAPasswordThatIsBase64ByChanceStaysAsItIs(t *testing.T) {
	for name, password := range map[string]string{
		"of the user name and nothing": base64Of("robot:"), "of the user name and what is no text": base64Of("robot:\xff\xfe\xfd"), "of another user name": base64Of("other:password"),
	} {
		got, err := Render(Fields{"username": "robot", "password": password}, wants(Keys{}, ""))
		if err != nil || plain(got.Config)["registry.example"] != "robot:"+password {
			t.Errorf("%s: %v, %v", name, plain(got.Config), err)
		}
	}
}

func TestAKeyOfACloudThatNobodyCanSendIsNone(t *testing.T) {
	got, err := Render(fieldsOf(t, `{"private_key":"x\u007f","type":"service_account"}`), wants(Keys{}, ""))
	if !errors.Is(err, ErrKeyMissing) {
		t.Errorf("%v, %v", plain(got.Config), err)
	}
}

// What a shell spoilt is a wrapping, too, and a number that no computer holds spoils nothing.
func TestWhatAShellSpoiltCountsAsAWrapping(t *testing.T) {
	document := entriesOf(`{"username":"u","password":"p"}`, "registry.example")
	backslashes := quote(document)
	for name, text := range map[string]string{"a backslash before every quote": backslashes[1 : len(backslashes)-1], "a line break inside a string": strings.Replace(document, `"p"`, "\"p\n\"", 1)} {
		for range deepest - 2 {
			text = base64Of(text)
		}
		if _, is := dockerConfigIn(text); !is {
			t.Errorf("%s is not read", name)
		}
		if _, is := dockerConfigIn(base64Of(text)); is {
			t.Errorf("%s is read, however deep it is", name)
		}
	}
	if _, is := dockerConfigIn(`{"weight":1e999,"data":{".dockerconfigjson":` + quote(document) + `}}`); !is {
		t.Error("a large number spoils what is beside it")
	}
}

func TestAFaultOfADockerConfigSaysWhereItIs(t *testing.T) {
	_, err := Render(fieldsOf(t, `{".dockerconfigjson":"{\"auths\":{\"other.example\":{\"auth\":\"dTpw\"}}}"}`), wants(Keys{}, ""))
	if !errors.Is(err, ErrRegistryMissing) || !strings.Contains(err.Error(), `key ".dockerconfigjson"`) {
		t.Error(err)
	}
}

func TestWhatIsNoDockerConfigIsTakenForNone(t *testing.T) {
	for _, text := range []string{
		`{"auths":"nothing of JSON"}`, `{"auths":""}`, `{"auths":"[1]"}`, `{"auths":{"registry.example":{"auth":"dTpw"}}} {}`,
		`{"kind":"Other","auth":{"registry.example":{"auth":"dTpw"}}}`, "- auths:\n    registry.example: {auth: dTpw}\n",
		`{"ServerURL":"registry.example","Username":"","Secret":"p"}`, `{"ServerURL":"","Username":"u","Secret":"p"}`, `{"ServerURL":"registry.example","Username":"u","Secret":""}`,
		`{"loginServer":"","accessToken":"t"}`, `{"loginServer":"registry.example","accessToken":""}`,
	} {
		if got, is := dockerConfigIn(text); is {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestAKeyOfACloudHasTheFormThatItsUserNamePromises(t *testing.T) {
	const key = `{"private_key":"x","type":"service_account"}`
	for user, want := range map[string]string{googleKey: key, googleKeyBase64: base64Of(key)} {
		for _, stored := range []string{key, base64Of(key)} {
			document := `{"auths":{"registry.example":{"username":"` + user + `","password":` + quote(stored) + `}}}`
			got, err := Render(Fields{"config": document}, wants(Keys{DockerConfig: "config"}, ""))
			if err != nil || got.Config["registry.example"].Password() != want {
				t.Errorf("%s with %s: %v, %v", user, stored, plain(got.Config), err)
			}
		}
	}
	fields := fieldsOf(t, `{"private_key":"x","type":"service_account","username":"u","password":"p"}`)
	if got, err := Render(fields, wants(Keys{}, "")); err != nil || plain(got.Config)["registry.example"] != "u:p" {
		t.Errorf("beside a user name and a password such a key is no login: %v, %v", plain(got.Config), err)
	}
}

func TestTheNameOfAnEndHasABound(t *testing.T) {
	if told, _ := kindOf("token_expires_at"); told != anEnd {
		t.Errorf("it tells %v", told)
	}
	if told, _ := kindOf(strings.Repeat("token_", 100) + "expires_at"); told != nothing {
		t.Errorf("a name of 610 bytes tells %v", told)
	}
}

func TestALifetimeThatIsNotWrittenToItsEndIsNone(t *testing.T) {
	for text, want := range map[string]time.Duration{"P1DT2H": 26 * time.Hour, "P1D!": 0, "P!": 0, "PT": 0, "P": 0, "P1H": 0} {
		if got, ok := duration(text, 0); got != want || ok != (want != 0) {
			t.Errorf("%s: %s, %t", text, got, ok)
		}
	}
}

func TestABackslashBeforeADollarIsTold(t *testing.T) {
	got, err := Render(Fields{"username": `\$oauthtoken`, "password": "p"}, wants(Keys{}, ""))
	if err != nil || len(got.Findings) != 1 || !strings.Contains(got.Findings[0].Message, "has a backslash before a $") {
		t.Errorf("%+v, %v", got.Findings, err)
	}
}

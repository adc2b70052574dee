package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestAKeyOfACloudIsWrittenOnOneLine(t *testing.T) {
	const key = `{"type":"service_account","key":"~~>>??"}`
	wrap := func(text string) string { return text[:20] + "\r\n" + text[20:] + "\n" }
	for _, test := range []struct{ name, password, want string }{
		{"as it is downloaded", "{\n  \"type\": \"service_account\",\n  \"key\": \"~~>>??\"\n}\n", key},
		{"with a mark of its byte order before it", "\ufeff{\r\n\"type\": \"service_account\", \"key\": \"~~>>??\"}", key},
		{"base64, wrapped", wrap(base64.StdEncoding.EncodeToString([]byte(key))), base64.StdEncoding.EncodeToString([]byte(key))},
		{"base64 of the other alphabet, wrapped", wrap(base64.URLEncoding.EncodeToString([]byte(key))), base64.URLEncoding.EncodeToString([]byte(key))},
		{"with a real line break where its text has an escape", "{\"type\": \"service_account\", \"key\": \"a\nb\tc\\\"d\"}", `{"type":"service_account","key":"a\nb\tc\"d"}`},
	} {
		credential, err := NewCredential("_json_key", test.password)
		if err != nil || credential.Password() != test.want || credential.Trimmed() {
			t.Errorf("%s: %q, %v", test.name, credential.Password(), err)
		}
	}
	for _, password := range []string{"{\n\"type\":", "{\n}}", "a\nb", wrap(base64.StdEncoding.EncodeToString([]byte("no key, and long enough")))} {
		if _, err := NewCredential("_json_key", password); !errors.Is(err, ErrControlCharacter) {
			t.Errorf("%q: %v", password, err)
		}
	}
}

// What is on one line is published as it was stored: the registry may compare it.
func TestAKeyOfACloudThatIsOnOneLineStaysAsItIs(t *testing.T) {
	const key = `{"type": "service_account",  "key": "~~>>??"}`
	for _, password := range []string{key, base64.StdEncoding.EncodeToString([]byte(key))} {
		for _, end := range []string{"", "\n", "\r\n"} {
			credential, err := NewCredential("_json_key", password+end)
			if err != nil || credential.Password() != password || credential.Trimmed() != (end != "") {
				t.Errorf("%q is %q, a line break was taken off: %t (%v)", password+end, credential.Password(), credential.Trimmed(), err)
			}
		}
	}
}

func TestAUserNameThatIsNoTextIsRefused(t *testing.T) {
	for _, login := range [][2]string{{"a\xff", "p"}, {"a", "p\xff"}} {
		if _, err := NewCredential(login[0], login[1]); !errors.Is(err, ErrNotText) {
			t.Errorf("%q: %v", login, err)
		}
	}
}

func TestAnEmptyCredentialIsRenderedAndNobodyTakesItForALogin(t *testing.T) {
	rendered := Config{"r.example": {}}.Render()
	if _, err := Parse(rendered); !errors.Is(err, ErrEmptyUsername) && !errors.Is(err, ErrIncomplete) {
		t.Errorf("%s: %v", rendered, err)
	}
}

func TestProgramsThatHoldPasswordsAreToldOnlyWhereThereAreSome(t *testing.T) {
	for text, want := range map[string]error{
		`{"auths":{},"credHelpers":{}}`: nil, `{"auths":{},"credsStore":""}`: nil, `{"auths":{}}`: nil, `no JSON`: nil,
		`{"auths":{},"credHelpers":{"r.example":"x"}}`: ErrCredentialHelper, `{"auths":{},"credsStore":"desktop"}`: ErrCredentialStore,
	} {
		if got := Delegation([]byte(text)); !errors.Is(got, want) {
			t.Errorf("%s: %v", text, got)
		}
		if _, err := Parse([]byte(text)); want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
		told := strings.Contains(fmt.Sprint(Lint([]byte(text))), "somebody's machine")
		if told != (want != nil) || told && !strings.Contains(fmt.Sprint(Lint([]byte(text))), want.Error()) {
			t.Errorf("%s: it is told of %v", text, Lint([]byte(text)))
		}
	}
}

func TestAFaultNamesWhatItIsAbout(t *testing.T) {
	_, list := Parse([]byte(`[]`))
	_, twice := Parse([]byte(`{"auths":{"r.example":{},"r.example":{}}}`))
	_, raw := RenderRaw(map[string]json.RawMessage{"r.example": json.RawMessage(`{`)})
	for what, err := range map[string]error{"the docker config is not a JSON object": list, `entry "r.example": the key is there twice`: twice, `entry "r.example": the docker config is not valid JSON`: raw} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	if got := (Finding{Key: "r.example", Message: "it is wrong"}).String(); got != `entry "r.example": it is wrong` {
		t.Error(got)
	}
	if got := Lint([]byte(strings.Repeat(" ", MaxSize) + `{}`)); len(got) != 1 || got[0].Reason != ReasonTooLarge || got[0].Message != ErrTooLarge.Error() {
		t.Errorf("of a document that is too large: %v", got)
	}
}

// Only keys for Docker Hub hide each other, and the one that is hidden is told, with the one that hides it.
func TestOnlyTheHiddenKeyOfDockerHubIsTold(t *testing.T) {
	const login = `{"username":"a","password":"b"}`
	var hidden []Finding
	for _, finding := range Lint([]byte(`{"auths":{"docker.io":` + login + `,"https://index.docker.io/v1/":` + login + `,"r.example":` + login + `}}`)) {
		if finding.Reason == ReasonShadowed {
			hidden = append(hidden, finding)
		}
	}
	if len(hidden) != 1 || hidden[0].Key != "https://index.docker.io/v1/" || !strings.Contains(hidden[0].Message, `"docker.io"`) {
		t.Errorf("%+v", hidden)
	}
}

func TestFieldsBesideTheEntriesAreKeptWithoutATraceWhereThereAreNone(t *testing.T) {
	entries := map[string]json.RawMessage{"r.example": json.RawMessage(`{}`)}
	for current, want := range map[string]string{`{"auths":{}}`: `{"auths":{"r.example":{}}}`, `{"auths":{},"a":1}`: `{"auths":{"r.example":{}},"a":1}`, `?`: `{"auths":{"r.example":{}}}`} {
		if got, err := RenderKeeping([]byte(current), entries); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", current, got, err)
		}
	}
}

func TestALogShowsNoCredential(t *testing.T) {
	credential, err := NewCredential("user", "secret")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "is", credential)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "is", credential)
	if got := out.String(); strings.Count(got, redacted) != 2 || strings.Contains(got, "secret") || strings.Contains(got, "user") {
		t.Error(got)
	}
}

// What is remembered is bounded by its weight, so it must not be less than what it takes.
func TestFindingsAndEntriesWeighWhatTheyTake(t *testing.T) {
	finding := Finding{Key: strings.Repeat("k", 100), Message: strings.Repeat("m", 1000)}
	if got := weightOfFindings(sum{}, []Finding{finding, finding}); got < 2*1100 {
		t.Errorf("two findings of 1100 bytes weigh %d", got)
	}
	entries := map[string]json.RawMessage{strings.Repeat("k", 100): make(json.RawMessage, 1000), "b": make(json.RawMessage, 1000)}
	if got := weightOfEntries(sum{}, rawEntries{entries: entries}); got < 2101 {
		t.Errorf("two entries of 2101 bytes weigh %d", got)
	}
}

// As it is downloaded, a key of a cloud is on many lines, and a tool that makes auth of it keeps them there, too.
func TestAKeyOfACloudIsTheSamePasswordBesideAuth(t *testing.T) {
	key := "{\n  \"type\": \"service_account\"\n}\n"
	entry, err := json.Marshal(map[string]string{"username": "_json_key", "password": key, "auth": auth("_json_key:" + key)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse([]byte(`{"auths":{"gcr.io":` + string(entry) + `}}`))
	if err != nil || got["gcr.io"].Password() != `{"type":"service_account"}` {
		t.Errorf("%v: %v", err, got)
	}
}

package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sesame is a password that no error may show.
const sesame = "open-sesame"

func auth(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func TestAConfigIsRenderedSortedAndConsistent(t *testing.T) {
	config := Config{"quay.io": credential(t, "u", `p<&>"`), "docker.io": credential(t, "ü", "p")}
	want := `{"auths":{` +
		`"docker.io":{"username":"ü","password":"p","auth":"` + auth("ü:p") + `"},` +
		`"quay.io":{"username":"u","password":"p<&>\"","auth":"` + auth(`u:p<&>"`) + `"}}}`
	if got := string(config.Render()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	broken, err := NewCredential("u", `p<&>"`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	if config["quay.io"] = broken; string(config.Render()) != want {
		t.Errorf("with a line break that was taken off: %s", config.Render())
	}
	if got := string(Config(nil).Render()); got != `{"auths":{}}` {
		t.Errorf("no entries: %s", got)
	}
}

func TestWhatEveryKubeletReadsAlikeIsParsed(t *testing.T) {
	want := Config{"quay.io": credential(t, "u", "p")}
	for shows, document := range map[string]string{
		"username and password":       `{"auths":{"quay.io":{"username":"u","password":"p"}}}`,
		"auth alone":                  `{"auths":{"quay.io":{"auth":"` + auth("u:p") + `"}}}`,
		"all three":                   `{"auths":{"quay.io":{"username":"u","password":"p","auth":"` + auth("u:p") + `","email":"e"}}}`,
		"auth and username":           `{"auths":{"quay.io":{"username":"u","auth":"` + auth("u:p") + `"}}}`,
		"a line break after all":      `{"auths":{"quay.io":{"username":"u","password":"p\n","auth":"` + auth("u:p\n") + `"}}}`,
		"a token beside the password": `{"auths":{"quay.io":{"username":"u","password":"p","identitytoken":"t"}}}`,
		"a token beside auth":         `{"auths":{"quay.io":{"auth":"` + auth("u:p") + `","identitytoken":"t","registrytoken":"t"}}}`,
		"programs beside a password":  `{"auths":{"quay.io":{"username":"u","password":"p"}},"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud"}}`,
		"unknown fields":              `{"auths":{"quay.io":{"username":"u","password":"p","x":[1]}},"proxies":{"a":{}}}`,
		"empty delegation":            `{"auths":{"quay.io":{"username":"u","password":"p"}},"credsStore":"","credHelpers":{}}`,
		"names in another case":       `{"Auths":{"quay.io":{"Username":"u","PASSWORD":"p"}}}`,
	} {
		t.Run(shows, func(t *testing.T) {
			got, err := Parse([]byte(document))
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %v, %v", document, got, err)
			}
		})
	}
}

func TestWhatIsInDoubtIsRefusedWithItsReason(t *testing.T) {
	entry := func(fields string) string { return `{"auths":{"quay.io":{` + fields + `}}}` }
	for _, c := range []struct {
		shows, document string
		want            error
	}{
		{"nothing", ``, ErrInvalidJSON},
		{"half an object", `{"auths":`, ErrInvalidJSON},
		{"something after it", entry(`"username":"u","password":"p"`) + `{}`, ErrInvalidJSON},
		{"invalid UTF-8", entry("\"username\":\"u\",\"password\":\"\xff\""), ErrInvalidUTF8},
		{"too large", `{"auths":{},"x":"` + strings.Repeat("x", MaxSize) + `"}`, ErrTooLarge},
		{"a list", `[]`, ErrNotObject},
		{"null", `null`, ErrNotObject},
		{"a list of entries", `{"auths":[]}`, ErrNotObject},
		{"an entry that is a string", `{"auths":{"quay.io":"` + sesame + `"}}`, ErrNotObject},
		{"an entry that is null", `{"auths":{"quay.io":null}}`, ErrNotObject},
		{"no entries at all", `{}`, ErrNoAuths},
		{"entries that are null", `{"auths":null}`, ErrNoAuths},
		{"the old form", `{"quay.io":{"auth":"` + auth("u:"+sesame) + `"}}`, ErrLegacyFormat},
		{"auths twice", `{"auths":{},"auths":{}}`, ErrDuplicateKey},
		{"auths twice in different case", `{"auths":{},"Auths":{}}`, ErrDuplicateKey},
		{"a registry twice", `{"auths":{"a":{"username":"u","password":"p"},"a":{"username":"u","password":"p"}}}`, ErrDuplicateKey},
		{"a field twice", entry(`"username":"u","username":"v","password":"p"`), ErrDuplicateKey},
		{"a field twice in different case", entry(`"username":"u","Username":"v","password":"p"`), ErrDuplicateKey},
		{"an empty key", `{"auths":{"":{"username":"u","password":"p"}}}`, ErrEmptyKey},
		{"a credential store", `{"auths":{"quay.io":{}},"credsStore":"desktop"}`, ErrCredentialStore},
		{"credential helpers", `{"credHelpers":{"gcr.io":"gcloud"}}`, ErrCredentialHelper},
		{"an empty entry beside a usable one, with a credential store", `{"auths":{"a":{"username":"u","password":"p"},"b":{}},"credsStore":"desktop"}`, ErrCredentialStore},
		{"a fault of its own, with a credential store", `{"auths":{"a":{"username":"u","password":"p"},"b":{"username":"v","auth":"` + auth("u:"+sesame) + `"}},"credsStore":"desktop"}`, ErrConflict},
		{"an identity token alone", entry(`"identitytoken":"` + sesame + `"`), ErrTokenOnly},
		{"a registry token alone", entry(`"registrytoken":"` + sesame + `"`), ErrTokenOnly},
		{"an identity token as docker login stores it", entry(`"auth":"` + auth("<token>:") + `","identitytoken":"` + sesame + `"`), ErrTokenOnly},
		{"an empty entry", entry(``), ErrIncomplete},
		{"no password", entry(`"username":"u"`), ErrIncomplete},
		{"no user name", entry(`"password":"` + sesame + `"`), ErrIncomplete},
		{"an empty password in auth", entry(`"auth":"` + auth("u:") + `"`), ErrEmptyPassword},
		{"an empty user name in auth", entry(`"auth":"` + auth(":"+sesame) + `"`), ErrEmptyUsername},
		{"auth that is no base64", entry(`"auth":"` + sesame + `!"`), ErrMalformedAuth},
		{"auth without colon", entry(`"auth":"` + auth(sesame) + `"`), ErrMalformedAuth},
		{"auth that is a number", entry(`"auth":1`), ErrFieldType},
		{"an email that is a number", entry(`"username":"u","password":"p","email":1`), ErrFieldType},
		{"another user name than in auth", entry(`"username":"v","auth":"` + auth("u:"+sesame) + `"`), ErrConflict},
		{"another password than in auth", entry(`"username":"u","password":"x","auth":"` + auth("u:"+sesame) + `"`), ErrConflict},
		{"a control character", entry(`"username":"u","password":"p\tq"`), ErrControlCharacter},
		{"a colon in the user name", entry(`"username":"u:v","password":"` + sesame + `"`), ErrColonInUsername},
		{"headers that are no strings", `{"auths":{},"HttpHeaders":{"a":1}}`, ErrFieldType},
	} {
		t.Run(c.shows, func(t *testing.T) {
			got, err := Parse([]byte(c.document))
			if !errors.Is(err, c.want) || got != nil {
				t.Fatalf("%v, %v, want %v", got, err, c.want)
			}
			for _, secret := range []string{sesame, auth("u:" + sesame), auth(sesame)} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the value: %v", err)
				}
			}
		})
	}
}

func TestAllEntriesAtFaultAreNamed(t *testing.T) {
	_, err := Parse([]byte(`{"auths":{"b":{"auth":"!"},"a":{},"c":{"username":"u","password":"p"}}}`))
	want := "docker config entry \"a\": " + ErrIncomplete.Error() + "\ndocker config entry \"b\": " + ErrMalformedAuth.Error()
	if err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	var entry *EntryError
	if !errors.As(err, &entry) || entry.Key != "a" {
		t.Errorf("no entry in %v", err)
	}
}

func TestRawEntriesAreKeptByteForByte(t *testing.T) {
	document := `{"auths":{"b":{ "auth" : "!<>" , "x":1},"a":null,"c":{}}, "other": 1}`
	entries, err := ParseRaw([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	for key, raw := range (Config{"a": credential(t, "u", "p")}).Raw() {
		entries[key] = raw
	}
	got, err := RenderRaw(entries)
	want := `{"auths":{"a":{"username":"u","password":"p","auth":"dTpw"},"b":{ "auth" : "!<>" , "x":1},"c":{}}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestRawEntriesNeedASoundDocument(t *testing.T) {
	for document, want := range map[string]error{
		``: ErrInvalidJSON, `[]`: ErrNotObject, `{"auths":1}`: ErrNotObject, `{"auths":{"a":1,"a":2}}`: ErrDuplicateKey,
		`{"a":{"auth":"x"}}`: ErrLegacyFormat, `{}`: nil, `{"auths":null}`: nil,
	} {
		entries, err := ParseRaw([]byte(document))
		if !errors.Is(err, want) || (err == nil && entries == nil) || len(entries) > 0 {
			t.Errorf("%s: %v, %v, want %v", document, entries, err, want)
		}
	}
	if _, err := RenderRaw(map[string]json.RawMessage{"a": json.RawMessage(`{`)}); !errors.Is(err, ErrInvalidJSON) {
		t.Errorf("a broken value was rendered: %v", err)
	}
}

func FuzzRenderParse(f *testing.F) {
	f.Add("quay.io", "u", "p", "docker.io", "robot$x", "p:\"\\\n")
	f.Add("\x00", "<", "\u2028", "k\u2029", "\ufeff", "é")
	f.Fuzz(func(t *testing.T, key1, username1, password1, key2, username2, password2 string) {
		config := Config{}
		for _, e := range [][3]string{{key1, username1, password1}, {key2, username2, password2}} {
			c, err := NewCredential(e[1], e[2])
			if err != nil || e[0] == "" || strings.ToValidUTF8(e[0], "") != e[0] {
				continue
			}
			config[e[0]] = c
		}
		data := config.Render()
		got, err := Parse(data)
		if err != nil {
			t.Fatalf("rendered and refused: %v: %s", err, data)
		}
		if !cmp.Equal(config, got) {
			t.Errorf("another config after rendering: %s", data)
		}
		lenient, _ := ParseLenient(data)
		if !cmp.Equal(config, lenient) {
			t.Errorf("read differently when read leniently: %s", data)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, document := range kubeletDocuments(f) {
		f.Add([]byte(document.content))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		broken := WouldBreakPulls(data)
		lenient, findings := ParseLenient(data)
		if (broken != nil) != breaksPulls(findings) && len(data) <= MaxSize {
			t.Errorf("breaks pulls: %v, but the findings are %v", broken, findings)
		}
		_ = WouldBreakPulls(FromDockercfg(data))
		if entries, err := ParseRaw(data); err == nil {
			if _, err := RenderRaw(entries); err != nil {
				t.Errorf("raw entries cannot be rendered: %v", err)
			}
		}
		config, err := Parse(data)
		if err != nil {
			return
		}
		if broken != nil {
			t.Errorf("Parse accepts what breaks pulls: %v", broken)
		}
		if !cmp.Equal(config, lenient) {
			t.Error("Parse and ParseLenient read different entries")
		}
		again, err := Parse(config.Render())
		if err != nil || !cmp.Equal(config, again) {
			t.Errorf("not the same after rendering: %v", err)
		}
	})
}

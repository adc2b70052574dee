package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestACredentialIsCheckedWhenItIsMade(t *testing.T) {
	for _, c := range []struct {
		shows              string
		username, password string
		want               error
	}{
		{"sound", "robot$team+ci", "pass word:with\\\"all ü", nil},
		{"no user name", "", "p", ErrEmptyUsername},
		{"no password", "u", "", ErrEmptyPassword},
		{"a password of a line break alone", "u", "\n", ErrEmptyPassword},
		{"a colon in the user name", "u:v", "p", ErrColonInUsername},
		{"a line break in the user name", "u\n", "p", ErrControlCharacter},
		{"two line breaks after the password", "u", "p\n\n", ErrControlCharacter},
		{"a carriage return alone", "u", "p\r", ErrControlCharacter},
		{"a tab in the password", "u", "p\tq", ErrControlCharacter},
		{"a NUL in the password", "u", "p\x00", ErrControlCharacter},
		{"no UTF-8", "u", "p\xff", ErrNotText},
		{"a password of 64 KiB", "u", strings.Repeat("p", MaxLength), nil},
		{"a password that is longer", "u", strings.Repeat("p", MaxLength+1), ErrTooLong},
		{"a user name of 64 KiB", strings.Repeat("u", MaxLength), "p", nil},
		{"a user name that is longer", strings.Repeat("u", MaxLength+1), "p", ErrTooLong},
	} {
		t.Run(c.shows, func(t *testing.T) {
			credential, err := NewCredential(c.username, c.password)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err == nil && (credential.Username() != c.username || credential.Password() != c.password || credential.Trimmed()) {
				t.Error("the credential is not what it was made of")
			}
			if err != nil && !credential.IsZero() {
				t.Error("an error and a credential")
			}
		})
	}
}

func TestOneTrailingLineBreakIsTakenOffThePassword(t *testing.T) {
	for name, password := range map[string]string{
		"rule 6: a line break at the end gives 401 and is taken off": "secret\n", "rule 6: so is one of Windows": "secret\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			credential, err := NewCredential("u", password)
			if err != nil || credential.Password() != "secret" || !credential.Trimmed() {
				t.Errorf("%q: %q, trimmed %v, %v", password, credential.Password(), credential.Trimmed(), err)
			}
		})
	}
}

func TestTheAuthFieldIsDecodedAsAKubeletDoes(t *testing.T) {
	for _, c := range []struct {
		shows, auth, username, password string
		want                            error
	}{
		{"padded", "Zm9vOmJhcg==", "foo", "bar", nil},
		{"unpadded", "Zm9vOmJhcg", "foo", "bar", nil},
		{"line breaks within", "Zm9vOm\nJhcg==\n", "foo", "bar", nil},
		{"a colon in the password", base64.StdEncoding.EncodeToString([]byte("foo:b:r")), "foo", "b:r", nil},
		{"no colon", "cGFudHM=", "", "", ErrMalformedAuth},
		{"a space at the end", "Zm9vOmJhcg== ", "", "", ErrMalformedAuth},
		{"no base64", "pants", "", "", ErrMalformedAuth},
		{"empty", "", "", "", ErrMalformedAuth},
		{"no password", "Zm9vOg==", "", "", ErrEmptyPassword},
	} {
		t.Run(c.shows, func(t *testing.T) {
			credential, err := FromAuth(c.auth)
			if !errors.Is(err, c.want) || credential.Username() != c.username || credential.Password() != c.password {
				t.Errorf("%q, %q, %v", credential.Username(), credential.Password(), err)
			}
		})
	}
}

func TestCredentialsAreEqualByUserNameAndPassword(t *testing.T) {
	trimmed, other := credential(t, "u", "p\n"), credential(t, "u", "q")
	if !trimmed.Equal(credential(t, "u", "p")) || trimmed.Equal(other) || trimmed.Equal(Credential{}) || !(Credential{}).Equal(Credential{}) {
		t.Error("Equal is wrong")
	}
}

func TestACredentialNeverShowsItself(t *testing.T) {
	c := credential(t, "sesame-user", "sesame-password")
	config := Config{"quay.io": c}
	hidden := struct{ c Credential }{c}
	exported := struct{ C *Credential }{&c}

	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v", "%10.3s"} {
		for _, value := range []any{c, &c, config, hidden, &hidden, exported, []Credential{c}} {
			if verb == "%T %v" {
				printed = append(printed, fmt.Sprintf(verb, value, value))
				continue
			}
			printed = append(printed, fmt.Sprintf(verb, value))
		}
	}
	printed = append(printed, fmt.Sprint(c, config), c.String(), c.GoString(), fmt.Errorf("failed: %v", c).Error())
	for _, value := range []any{c, &c, config, exported} {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, string(data))
	}
	data, err := xml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, string(data))

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "credential", c, "config", config, "pointer", &c, "hidden", hidden)
	}
	record := funcr.New(func(prefix, args string) { log.WriteString(prefix + args) }, funcr.Options{})
	record.Info("x", "credential", c, "config", config, "pointer", &c, "hidden", hidden)
	printed = append(printed, log.String())

	for _, text := range printed {
		for _, secret := range []string{"sesame", "736573616d65", base64.StdEncoding.EncodeToString([]byte("sesame-user:"))[:12]} {
			if strings.Contains(text, secret) {
				t.Errorf("shows %q: %s", secret, text)
			}
		}
	}
	if got := fmt.Sprintf("%v", c); got != "[redacted]" {
		t.Errorf("printed as %q", got)
	}
}

// credential is a credential for a test.
func credential(t testing.TB, username, password string) Credential {
	t.Helper()
	c, err := NewCredential(username, password)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

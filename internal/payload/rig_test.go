package payload

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

var written = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fieldsOf reads JSON as a source does.
func fieldsOf(t testing.TB, text string) Fields {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var fields Fields
	if err := decoder.Decode(&fields); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return fields
}

// wants is what a spec without anything special wants.
func wants(keys Keys, username string, registries ...v1alpha1.Registry) Want {
	if len(registries) == 0 {
		registries = []v1alpha1.Registry{"registry.example"}
	}
	place := v1alpha1.VaultSource{Username: username}
	if keys != (Keys{}) {
		given := v1alpha1.VaultKeys(keys)
		place.Keys = &given
	}
	return Want{
		Registries: registries, Keys: Keys(place.KeyNames()), Username: username, Where: "secret/a", Written: written,
		Store: func(key, file string) string { return "vault kv patch -mount=secret a " + key + "=@" + file },
	}
}

func registriesOf(names ...v1alpha1.Registry) []v1alpha1.Registry { return names }

// must is an object that a test wrote itself.
func must(object map[string]any, ok bool) map[string]any {
	if !ok {
		panic("the test holds no JSON object")
	}
	return object
}

// plain is a config as user:password by key, for comparing.
func plain(config dockerconfig.Config) map[string]string {
	entries := map[string]string{}
	for key, credential := range config {
		entries[key] = credential.Username() + ":" + credential.Password()
	}
	return entries
}

func reasonsOf(findings []dockerconfig.Finding) []dockerconfig.Reason {
	var reasons []dockerconfig.Reason
	for _, finding := range findings {
		reasons = append(reasons, finding.Reason)
	}
	return reasons
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// wrapped is base64 as the program base64 writes it.
func wrapped(text string) string {
	var lines strings.Builder
	for encoded := base64Of(text); encoded != ""; {
		n := min(76, len(encoded))
		lines.WriteString(encoded[:n] + "\n")
		encoded = encoded[n:]
	}
	return lines.String()
}

// quote writes text as a JSON string.
func quote(text string) string { return string(encode(text)) }

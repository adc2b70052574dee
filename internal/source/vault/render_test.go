package vault

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// plain is a config as user:password by key, for comparing.
func plain(config dockerconfig.Config) map[string]string {
	entries := map[string]string{}
	for key, credential := range config {
		entries[key] = credential.Username() + ":" + credential.Password()
	}
	return entries
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestEveryShapeBecomesADockerConfig(t *testing.T) {
	dockerConfig := v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{DockerConfig: ".dockerconfigjson"}}
	auth := v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{Auth: "auth"}}
	for _, test := range []struct {
		name       string
		place      v1alpha1.VaultSource
		data       map[string]any
		registries []v1alpha1.Registry
		want       map[string]string
		found      []dockerconfig.Reason
	}{
		{name: "user name and password under the usual keys",
			data: map[string]any{"username": "robot$ci", "password": "pw", "other": "x"},
			want: map[string]string{"registry.example": "robot$ci:pw"}},
		{name: "keys of other names",
			place: v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{Username: "user", Password: "access_token"}},
			data:  map[string]any{"user": "robot", "access_token": "pw", "password": "not this"},
			want:  map[string]string{"registry.example": "robot:pw"}},
		{name: "one key of another name",
			place: v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{Password: "token"}},
			data:  map[string]any{"username": "robot", "token": "pw"},
			want:  map[string]string{"registry.example": "robot:pw"}},
		{name: "a Google access token",
			place: v1alpha1.VaultSource{Username: "oauth2accesstoken", Keys: &v1alpha1.VaultKeys{Password: "token"}},
			data:  map[string]any{"token": "ya29.x", "token_ttl": "3599"},
			want:  map[string]string{"registry.example": "oauth2accesstoken:ya29.x"}},
		{name: "a Google service account key, which is JSON",
			place: v1alpha1.VaultSource{Username: "_json_key_base64", Keys: &v1alpha1.VaultKeys{Password: "private_key_data"}},
			data:  map[string]any{"private_key_data": base64Of(`{"type":"service_account"}`)},
			want:  map[string]string{"registry.example": "_json_key_base64:" + base64Of(`{"type":"service_account"}`)}},
		{name: "an ACR token",
			place: v1alpha1.VaultSource{Username: "00000000-0000-0000-0000-000000000000"},
			data:  map[string]any{"password": "eyJ"},
			want:  map[string]string{"registry.example": "00000000-0000-0000-0000-000000000000:eyJ"}},
		{name: "a line break behind the password is taken off and noted",
			data: map[string]any{"username": "robot", "password": "pw\n"},
			want: map[string]string{"registry.example": "robot:pw"}, found: []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}},
		{name: "an auth field", place: auth,
			data: map[string]any{"auth": base64Of("robot:pw:with:colons")},
			want: map[string]string{"registry.example": "robot:pw:with:colons"}},
		{name: "an auth field with a line break inside", place: auth,
			data: map[string]any{"auth": base64Of("robot:pw\n")},
			want: map[string]string{"registry.example": "robot:pw"}, found: []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}},
		{name: "several registries get the same credential, each under its canonical key",
			registries: []v1alpha1.Registry{"registry.example:5000/team", "docker.io", "ghcr.io/company"},
			data:       map[string]any{"username": "robot", "password": "pw"},
			want: map[string]string{
				"registry.example:5000/team": "robot:pw", "https://index.docker.io/v1/": "robot:pw", "ghcr.io/company": "robot:pw",
			}},
		{name: "a docker config with several registries, of which some are listed", place: dockerConfig,
			registries: []v1alpha1.Registry{"registry.example", "quay.io"},
			data: map[string]any{".dockerconfigjson": `{"auths":{"registry.example":{"username":"a","password":"1"},
				"quay.io":{"auth":"` + base64Of("b:2") + `"},"ghcr.io":{"username":"c","password":"3"}}}`},
			want: map[string]string{"registry.example": "a:1", "quay.io": "b:2"}},
		{name: "a docker config that spells Docker Hub otherwise", place: dockerConfig,
			registries: []v1alpha1.Registry{"docker.io"},
			data:       map[string]any{".dockerconfigjson": `{"auths":{"registry-1.docker.io":{"username":"a","password":"1"}}}`},
			want:       map[string]string{"https://index.docker.io/v1/": "a:1"}, found: []dockerconfig.Reason{dockerconfig.ReasonDockerHubKey}},
		{name: "a spec that spells Docker Hub otherwise",
			registries: []v1alpha1.Registry{"hub.docker.com"},
			data:       map[string]any{"username": "a", "password": "1"},
			want:       map[string]string{"https://index.docker.io/v1/": "a:1"}, found: []dockerconfig.Reason{dockerconfig.ReasonDockerHubKey}},
		{name: "a docker config with a version without a slash, and unusable entries that nobody asked for", place: dockerConfig,
			data: map[string]any{".dockerconfigjson": `{"auths":{"https://registry.example/v2":{"username":"a","password":"1"},
				"Quay.io":{"username":"b","password":"2"},"other.example/*":{"username":"b","password":"2"}}}`},
			want: map[string]string{"registry.example": "a:1"}, found: []dockerconfig.Reason{dockerconfig.ReasonVersionWithoutSlash}},
		{name: "a docker config with scheme and version in its key", place: dockerConfig,
			data: map[string]any{".dockerconfigjson": `{"auths":{"https://registry.example/v2/":{"username":"a","password":"1"}}}`},
			want: map[string]string{"registry.example": "a:1"}},
		{name: "a docker config with two equal entries for one registry", place: dockerConfig,
			data: map[string]any{".dockerconfigjson": `{"auths":{"https://registry.example":{"username":"a","password":"1"},
				"registry.example":{"auth":"` + base64Of("a:1") + `"}}}`},
			want: map[string]string{"registry.example": "a:1"}},
		{name: "a docker config with a broken entry that nobody asked for", place: dockerConfig,
			data: map[string]any{".dockerconfigjson": `{"auths":{"other.example":{"auth":"?"},"registry.example":{"username":"a","password":"1"}}}`},
			want: map[string]string{"registry.example": "a:1"}},
		{name: "a docker config with a line break behind a password", place: dockerConfig,
			data: map[string]any{".dockerconfigjson": `{"auths":{"registry.example":{"username":"a","password":"1\n"}}}`},
			want: map[string]string{"registry.example": "a:1"}, found: []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rendering{where: "secret/a", place: &test.place, data: test.data, registries: test.registries}
			if r.registries == nil {
				r.registries = []v1alpha1.Registry{"registry.example"}
			}
			config, failure := r.config()
			if failure != nil {
				t.Fatal(failure)
			}
			if diff := cmp.Diff(test.want, plain(config)); diff != "" {
				t.Error(diff)
			}
			var found []dockerconfig.Reason
			for _, finding := range r.findings {
				found = append(found, finding.Reason)
			}
			if diff := cmp.Diff(test.found, found); diff != "" {
				t.Errorf("%v\n%s", r.findings, diff)
			}
		})
	}
}

func TestAListedRegistryThatIsMissingIsNamedWithTheEntryThatWasMeant(t *testing.T) {
	place := v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{DockerConfig: "config"}}
	for _, test := range []struct{ name, listed, stored, says string }{
		{"another registry", "registry.example", "quay.io", `has no entry for registry.example`},
		{"a key without the port", "registry.example:5000", "https://registry.example", `"https://registry.example" lacks the port`},
		{"a key in upper case", "registry.example", "Registry.Example", `"Registry.Example" has other letters`},
		{"another path of the same registry", "registry.example/team", "registry.example/other", `has no entry for registry.example/team`},
		{"a registry of which the spec lists a part", "registry.example/team", "registry.example", `has no entry for registry.example/team`},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := map[string]any{"config": fmt.Sprintf(`{"auths":{%q:{"username":"a","password":"1"}}}`, test.stored)}
			r := rendering{where: "secret/a", place: &place, data: data, registries: []v1alpha1.Registry{v1alpha1.Registry(test.listed)}}
			_, failure := r.config()
			if failure == nil || failure.Outcome != outcomeRegistryMissing || !strings.Contains(failure.Error(), test.says) {
				t.Fatalf("got %v, want %q", failure, test.says)
			}
			if hint := strings.Contains(failure.Error(), "; its entry"); hint != strings.HasPrefix(test.says, `"`) {
				t.Errorf("a hint is given: %v", failure)
			}
		})
	}
}

func TestWhatIsNoCredentialIsRefusedWithoutShowingIt(t *testing.T) {
	const password = "s3cr3t-value"
	dockerConfig := v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{DockerConfig: "config"}}
	auth := v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{Auth: "auth"}}
	for _, test := range []struct {
		name  string
		place v1alpha1.VaultSource
		data  map[string]any
		says  string
	}{
		{"a user name with a colon", v1alpha1.VaultSource{}, map[string]any{"username": "a:b", "password": password}, "colon"},
		{"an empty user name", v1alpha1.VaultSource{}, map[string]any{"username": "", "password": password}, "empty"},
		{"a password with two line breaks", v1alpha1.VaultSource{}, map[string]any{"username": "a", "password": password + "\n\n"}, "control character"},
		{"an auth field that is none", auth, map[string]any{"auth": password}, "base64"},
		{"an auth field without a colon", auth, map[string]any{"auth": base64Of(password)}, "base64 of username:password"},
		{"no JSON", dockerConfig, map[string]any{"config": password}, "not valid JSON"},
		{"a credential store", dockerConfig, map[string]any{"config": `{"credsStore":"desktop","auths":{"registry.example":{}}}`}, "credential store"},
		{"an identity token alone", dockerConfig, map[string]any{"config": `{"auths":{"registry.example":{"identitytoken":"` + password + `"}}}`}, "identity token"},
		{"two entries that differ", dockerConfig, map[string]any{"config": `{"auths":{"registry.example":{"username":"a","password":"` + password + `"},
			"https://registry.example":{"username":"b","password":"` + password + `"}}}`}, "two different entries"},
		{"the entry that was asked for is broken", dockerConfig, map[string]any{"config": `{"auths":{"other.example":{"auth":"?"},"registry.example":{"auth":"` + password + `"}}}`}, "registry.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rendering{where: "secret/a", place: &test.place, data: test.data, registries: []v1alpha1.Registry{"registry.example"}}
			config, failure := r.config()
			if failure == nil {
				t.Fatalf("it became %v", slices.Collect(maps.Keys(config)))
			}
			if failure.Outcome != outcomeMalformed || !strings.Contains(failure.Error(), test.says) {
				t.Errorf("got %s: %s", failure.Reason, failure)
			}
			if text := fmt.Sprintf("%v %v", failure, failure.Unwrap()); strings.Contains(text, password) || strings.Contains(text, base64Of(password)) {
				t.Errorf("it shows the password: %s", text)
			}
		})
	}
}

// Whatever a docker config in Vault holds: what comes out are usable entries for listed registries.
func FuzzDockerConfig(f *testing.F) {
	for _, seed := range []string{
		`{"auths":{"registry.example":{"username":"a","password":"b"}}}`,
		`{"auths":{"https://registry.example/v1/":{"auth":"YTpi"},"x":{"auth":"?"}}}`,
		`{"auths":{"docker.io":{"auth":"YTpi"},"index.docker.io":{"auth":"YTpi"}},"credsStore":""}`,
		`{"auths":[]}`, `{`, ``, `{"auths":{"registry.example":null}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := rendering{
			where: "secret/a", place: &v1alpha1.VaultSource{Keys: &v1alpha1.VaultKeys{DockerConfig: "config"}},
			data: map[string]any{"config": document}, registries: []v1alpha1.Registry{"registry.example", "docker.io"},
		}
		config, failure := r.config()
		if failure != nil {
			if len(config) != 0 {
				t.Errorf("a failure with entries")
			}
			return
		}
		keys := slices.Sorted(maps.Keys(config))
		if !slices.Equal(keys, []string{registry.DockerHubKey, "registry.example"}) {
			t.Errorf("keys %q", keys)
		}
		if err := dockerconfig.WouldBreakPulls(config.Render()); err != nil {
			t.Error(err)
		}
	})
}

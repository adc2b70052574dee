package payload

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// entries are a docker config of keys whose user names are their numbers.
func entries(keys ...string) string {
	var list []string
	for i, key := range keys {
		list = append(list, fmt.Sprintf(`%q:{"username":"%d","password":"p"}`, key, i))
	}
	return `{"auths":{` + strings.Join(list, ",") + `}}`
}

func TestAnEntryThatOpensARegistryIsUsedForIt(t *testing.T) {
	const hub = registry.DockerHubKey
	for _, test := range []struct {
		name   string
		listed v1alpha1.Registry
		stored []string
		under  string
		user   string
	}{
		{"the registry itself", "ghcr.io", []string{"quay.io", "ghcr.io"}, "ghcr.io", "1"},
		{"the host for a path", "ghcr.io/company", []string{"ghcr.io"}, "ghcr.io/company", "0"},
		{"the host with scheme and version for a path", "ghcr.io/company", []string{"https://ghcr.io/v2/"}, "ghcr.io/company", "0"},
		{"a shorter path for a longer", "ghcr.io/company/team/app", []string{"ghcr.io/company"}, "ghcr.io/company/team/app", "0"},
		{"a path with a slash for one without", "quay.io/proj", []string{"quay.io/proj/"}, "quay.io/proj", "0"},
		{"a path without a slash for one with", "quay.io/proj/", []string{"quay.io/proj"}, "quay.io/proj/", "0"},
		{"a beginning of a path", "quay.io/coreos", []string{"quay.io/core"}, "quay.io/coreos", "0"},
		{"a wildcard", "a.jfrog.io", []string{"*.jfrog.io"}, "a.jfrog.io", "0"},
		{"a wildcard with a port and a path", "a.jfrog.io:8443/docker", []string{"*.jfrog.io:8443"}, "a.jfrog.io:8443/docker", "0"},
		{"a wildcard of the spec", "*.jfrog.io", []string{"*.jfrog.io"}, "*.jfrog.io", "0"},
		{"a wider wildcard", "*.eu.jfrog.io", []string{"*.*.jfrog.io"}, "*.eu.jfrog.io", "0"},
		{"Docker Hub's old key for an organisation", "docker.io/company", []string{hub}, "docker.io/company", "0"},
		{"Docker Hub's name for an organisation", "docker.io/company", []string{"docker.io"}, "docker.io/company", "0"},
		{"Docker Hub's old key for Docker Hub", "docker.io", []string{"https://index.docker.io/v1/"}, hub, "0"},
		{"another spelling of Docker Hub", "docker.io", []string{"hub.docker.com"}, hub, "0"},
		{"the longest path of several", "ghcr.io/company/app", []string{"ghcr.io", "ghcr.io/company/app", "ghcr.io/company"}, "ghcr.io/company/app", "1"},
		{"the longest path of those that are left", "ghcr.io/company/app", []string{"ghcr.io", "ghcr.io/company", "ghcr.io/company/other"}, "ghcr.io/company/app", "1"},
		{"a literal host before a wildcard", "a.jfrog.io", []string{"*.jfrog.io", "a.jfrog.io"}, "a.jfrog.io", "1"},
		{"Docker Hub's name before its old key", "docker.io/company", []string{hub, "docker.io/company", "docker.io"}, "docker.io/company", "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			made, err := Render(Fields{"config": entries(test.stored...)}, wants(asConfig, "", test.listed))
			if err != nil {
				t.Fatal(err)
			}
			if len(made.Config) != 1 || made.Config[test.under].Username() != test.user {
				t.Errorf("got %v, want user %s under %q", plain(made.Config), test.user, test.under)
			}
		})
	}
}

func TestAnEntryWithoutAPasswordDoesNotHideAWiderOne(t *testing.T) {
	document := `{"credsStore":"desktop","auths":{"ghcr.io/company":{},"ghcr.io":{"auth":"YTox"}}}`
	made, err := Render(Fields{"config": document}, wants(asConfig, "", "ghcr.io/company"))
	if err != nil || made.Config["ghcr.io/company"].Username() != "a" {
		t.Errorf("got %v, %v", plain(made.Config), err)
	}
}

func TestTheExampleOfTheDocumentation(t *testing.T) {
	made, err := Render(Fields{"config": entries("quay.io", "ghcr.io", "https://index.docker.io/v1/")}, wants(asConfig, "", "quay.io/company", "ghcr.io/company", "docker.io"))
	if err != nil || len(made.Config) != 3 {
		t.Errorf("got %v, %v", plain(made.Config), err)
	}
}

func TestAListedRegistryThatIsMissingIsNamedWithTheEntryThatIsNearest(t *testing.T) {
	for _, test := range []struct{ name, listed, stored, says string }{
		{"another registry", "registry.example", "quay.io", `it has 1, such as "quay.io"`},
		{"a key without the port", "registry.example:5000", "https://registry.example", `"https://registry.example" lacks the port`},
		{"a key without the port, where the spec has a scheme", "https://registry.example:5000", "registry.example", `"registry.example" lacks the port`},
		{"a port, which is no tag", "docker.io", "docker.io:443", `"docker.io:443" has another port`},
		{"a key in upper case", "registry.example", "Registry.Example", `"Registry.Example" has other letters`},
		{"another path", "registry.example/team", "registry.example/other", `"registry.example/other" is for another path`},
		{"an image with a tag", "registry.example/team", "registry.example/team/app:1.0", `"registry.example/team/app:1.0" has a tag or digest`},
		{"an image with a digest, behind a scheme", "registry.example", "https://registry.example/app@sha256:0123", `has a tag or digest`},
		{"an image with tag and digest", "registry.example:5000", "registry.example:5000/app:1@sha256:0123", `has a tag or digest`},
		{"the host with a port, for the host", "registry.example", "registry.example:5000", `"registry.example:5000" has another port`},
		// https://github.com/kubernetes/kubernetes/issues/25435
		{"the port of https, for the host", "registry.example", "https://registry.example:443/v2/", `"https://registry.example:443/v2/" has another port`},
		{"another port, for a path", "registry.example:5000/team", "registry.example:5001", `"registry.example:5001" has another port`},
		{"another port of an address", "[::1]:5000", "[::1]:5001", `"[::1]:5001" has another port`},
		{"a port of another host", "registry.example", "quay.io:443", `it has 1, such as "quay.io:443"`},
		{"a scheme of another kind", "registry.example", "oci://registry.example", `has a scheme, a space or a quote`},
		{"a scheme in upper case", "registry.example:5000", "HTTPS://registry.example:5000/v2/", `has a scheme, a space or a quote`},
		{"a space behind the key", "registry.example", "registry.example ", `has a scheme, a space or a quote`},
		{"quotes around the key", "docker.io", `"docker.io"`, `has a scheme, a space or a quote`},
		{"a user name and a password in the key", "registry.example", "https://robot:s3cr3t@quay.io", `such as "https://[redacted]@quay.io"`},
		{"the tokens of docker login", "docker.io", "https://index.docker.io/v1/access-token", `is a token of docker login alone`},
		{"the tokens of docker login, for another registry", "quay.io", "https://index.docker.io/v1/access-token", `it has 1, such as`},
		{"a part of it", "registry.example", "registry.example/team", `"registry.example/team" covers a part of it only`},
		{"a part of the path", "registry.example/team", "registry.example/team/app", `"registry.example/team/app" covers a part of it only`},
		{"a host below", "registry.example", "*.registry.example", `it has 1, such as "*.registry.example"`},
		{"the other name of Docker Hub", "docker.io", "https://registry-1.docker.io/v2/", `is for images that are written with that host`},
		{"Docker Hub for its other name", "registry-1.docker.io/bitnami", "https://index.docker.io/v1/", `store one for "registry-1.docker.io/bitnami", too`},
		{"Google's registry under its old name", "europe-docker.pkg.dev/company", "eu.gcr.io", `"eu.gcr.io" is for images that are written with that host`},
		{"a wildcard of the spec that is wider", "*.jfrog.io", "a.jfrog.io", `"a.jfrog.io" covers a part of it only`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Render(Fields{"config": entries(test.stored)}, wants(asConfig, "", v1alpha1.Registry(test.listed)))
			if !errors.Is(err, ErrRegistryMissing) || !strings.Contains(err.Error(), "has no entry for "+test.listed+";") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
	if _, err := Render(Fields{"config": `{"auths":{}}`}, wants(asConfig, "")); err == nil || !strings.Contains(err.Error(), "none at all") {
		t.Errorf("got %v", err)
	}
}

// Whatever a docker config holds: what comes out are usable entries for listed registries.
func FuzzDockerConfig(f *testing.F) {
	for _, shape := range allShapes() {
		f.Add(shape.fields)
		if text, is := fieldsOf(f, shape.fields)["config"].(string); is {
			f.Add(text)
		}
	}
	for _, seed := range []string{`{"auths":[]}`, `{`, ``, `{"auths":{"registry.example":null}}`, "a: &a [*a]\nauths: *a", `"\"\""`, "''"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		values := []any{document}
		if object, ok := decodeObject([]byte(document)); ok {
			values = append(values, object)
		}
		for _, value := range values {
			made, err := Render(Fields{"config": value}, wants(asConfig, "", "registry.example", "docker.io"))
			if err != nil {
				if len(made.Config) != 0 {
					t.Error("a failure with entries")
				}
				continue
			}
			if keys := sortedKeys(made.Config); strings.Join(keys, " ") != registry.DockerHubKey+" registry.example" {
				t.Errorf("keys %q", keys)
			}
			if err := dockerconfig.WouldBreakPulls(made.Config.Render()); err != nil {
				t.Error(err)
			}
		}
	})
}

// Whatever a secret holds under any key: nothing of it is in an error, and what comes out does not break a kubelet.
func FuzzFields(f *testing.F) {
	for _, shape := range allShapes() {
		f.Add(shape.fields, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, way uint8) {
		fields, ok := decodeObject([]byte(text))
		if !ok {
			return
		}
		keys := []Keys{{}, asConfig, asAuth, inKey}[way%4]
		username := []string{"", "_json_key", "_json_key_base64", "AWS"}[way/4%4]
		made, err := Render(fields, wants(keys, username))
		if err != nil {
			return
		}
		if err := dockerconfig.WouldBreakPulls(made.Config.Render()); err != nil {
			t.Error(err)
		}
		again, err := Render(fields, wants(keys, username))
		if err != nil || string(again.Config.Render()) != string(made.Config.Render()) || len(again.Findings) != len(made.Findings) {
			t.Errorf("another outcome the second time: %v", err)
		}
	})
}

package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/box"
)

const googleKey = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n\"\n}\n"

// toolsOfClouds print what the programs of that name do. Everything else in the documentation's commands is run as it is.
func toolsOfClouds() map[string]string {
	encode := base64.StdEncoding.EncodeToString
	config := func(keys ...string) string {
		var entries []string
		for _, key := range keys {
			entries = append(entries, fmt.Sprintf(`%q:{"auth":%q}`, key, encode([]byte("user-of-"+key+":pw"))))
		}
		return `{"auths":{` + strings.Join(entries, ",") + `}}`
	}
	return map[string]string{
		"aws":              fmt.Sprintf("#!/bin/sh\necho %s\n", encode([]byte(`{"payload":"x","datakey":"y","version":"2","type":"DATA_KEY","expiration":1893456000}`))),
		"az":               fmt.Sprintf("#!/bin/sh\necho %s.%s.c2ln\n", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)), base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1893456000}`))),
		"doctl":            "#!/bin/sh\necho '" + config("registry.digitalocean.com") + "'\n",
		"key.json":         googleKey,
		"pull-secret.json": config("cloud.openshift.com", "quay.io", "registry.connect.redhat.com", "registry.redhat.io"),
	}
}

// TestDocsRegistries does what docs/vault.md says for each registry: it runs the command, and reads with the manifest what it stored.
func TestDocsRegistries(t *testing.T) {
	t.Parallel()
	server := box.VaultForTest(t, box.VaultOptions{})
	vaultMust(t, server.Policy(t.Context(), "reader", vaultReader))
	r := newVaultRig(t, server)
	r.connectByAppRole(3600, nil, "reader")
	folder := t.TempDir()
	program, err := os.Executable()
	vaultMust(t, err)
	files := toolsOfClouds()
	files["vault"] = fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", asVaultCommand, program)
	for name, content := range files {
		vaultMust(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o700))
	}
	text := page(t, "docs/vault.md")
	for _, test := range []struct {
		name, image, login string
		ends               bool
	}{
		{"Docker Hub", "registry-1.docker.io/bitnami/nginx", "company:dckr_pat_example", false},
		{"GitHub", "ghcr.io/company/app", "company-bot:ghp_example", false},
		{"GitLab", "registry.gitlab.com/company/app", "gitlab+deploy-token-1:gldt-example", true},
		{"Quay", "quay.io/company/app", "company+pull:EXAMPLETOKEN", false},
		{"Harbor", "harbor.company.io/library/app", "robot$pull:example", true},
		{"Artifactory", "company.jfrog.io/docker/app", "pull:cmVmdGtuOjAx", false},
		{"Nexus", "nexus.company.io:8082/app", "pull:example", false},
		{"Amazon ECR", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/app", "AWS:ey", true},
		{"Azure ACR, Entra", "company.azurecr.io/app", "00000000-0000-0000-0000-000000000000:ey", true},
		{"Google Artifact Registry", "europe-docker.pkg.dev/company/images/app", "_json_key:{\"type\":\"service_account\",", false},
		{"Oracle OCIR", "fra.ocir.io/tenancy/app", "tenancy/oracleidentitycloudservice/pull@company.io:example;token", false},
		{"NVIDIA NGC", "nvcr.io/company/app", "$oauthtoken:nvapi-example", false},
		{"DigitalOcean", "registry.digitalocean.com/company/app", "user-of-registry.digitalocean.com:pw", false},
		{"Red Hat", "registry.redhat.io/ubi9/ubi", "user-of-registry.redhat.io:pw", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			part := section(t, text, "### "+test.name)
			runDocs(t, folder, server, blocks(part, "sh")[0])
			var object v1alpha1.RegistryCredential
			vaultMust(t, yaml.UnmarshalStrict([]byte(blocks(part, "yaml")[0]), &object))
			snapshot, err := r.manager.Read(t.Context(), source.NewRequest(&object.Spec, []byte("0123456789abcdef"), 0))
			if err != nil {
				t.Fatal(err)
			}
			if len(snapshot.Findings) > 0 {
				t.Errorf("the command stores what is put right: %v", snapshot.Findings)
			}
			if snapshot.ExpireTime.IsZero() == test.ends {
				t.Errorf("it ends %s", snapshot.ExpireTime)
			}
			wantsLoginFor(t, snapshot, test.image, test.login)
		})
	}
}

// wantsLoginFor checks the login that a kubelet would send for an image.
func wantsLoginFor(t *testing.T, snapshot source.Snapshot, image, begins string) {
	t.Helper()
	var keys []string
	for key := range snapshot.Config {
		keys = append(keys, key)
	}
	used := registry.MostSpecific(keys, image)
	if len(used) != 1 {
		t.Fatalf("for %s a kubelet uses %q of %q", image, used, keys)
	}
	login := snapshot.Config[used[0]].Username() + ":" + snapshot.Config[used[0]].Password()
	if !strings.HasPrefix(login, begins) {
		t.Errorf("for %s a kubelet sends %s, want %s", image, login, begins)
	}
	if !json.Valid(snapshot.Config.Render()) {
		t.Error("what is delivered is no JSON")
	}
}

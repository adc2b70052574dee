package diagnosis

import (
	"strings"
	"testing"
)

// An image that a registry of a spec nearly serves is that RegistryCredential's business: people are told at the pod.
func TestTheHintAtThePodSaysWhatToList(t *testing.T) {
	for _, test := range []struct{ name, key, image, list string }{
		{"rule 12: a port that the key lacks", host, host + ":5000/shop/web:1", host + ":5000"},
		{"rule 13: upper case letters", host, "Registry.Example.com/shop/web:1", "Registry.Example.com"},
		{"rule 13: the other name of Docker Hub", "https://index.docker.io/v1/", "registry-1.docker.io/bitnami/nginx", "registry-1.docker.io"},
		{"rule 13: Docker Hub by its own name", "registry-1.docker.io/bitnami", "bitnami/nginx", "docker.io"},
		{"rule 12: Google's registry under its old name", "*-docker.pkg.dev", "gcr.io/company/app", ""},
		{"rule 12: another registry", host, "quay.io/shop/web:1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := Diagnose(stuck(func(f *Facts) {
				f.Pod.Spec.Containers[0].Image = test.image
				f.Credentials[0].Entries = []Entry{{Key: test.key}}
			}))
			if verdict.Action != Report || verdict.Reason != NoCredential {
				t.Fatalf("%s, %s", verdict.Action, verdict.Reason)
			}
			if test.list == "" {
				if names := verdict.Credentials(); len(names) > 0 {
					t.Errorf("it is said to be the business of %q", names)
				}
				return
			}
			if names := verdict.Credentials(); len(names) != 1 || names[0] != "shop" || !strings.Contains(verdict.Text(), "list "+test.list+" in its spec.registries") {
				t.Errorf("%q: %s", names, verdict.Text())
			}
			if len(verdict.Text()) > 300 {
				t.Errorf("%d bytes: %s", len(verdict.Text()), verdict.Text())
			}
		})
	}
}

// https://github.com/config-syncer/config-syncer/issues/233
func TestASecretThatAKubeletIgnoresIsNamedAtThePod(t *testing.T) {
	opaque := func(f *Facts) {
		f.Credentials = nil
		f.Secrets["regcred"] = Secret{Ignored: "Opaque"}
	}
	for name, cause := range map[string]string{"the registry wants a credential": anonymous, "the registry says that it is missing or denied": hidden} {
		text := Diagnose(stuck(opaque, because(cause))).Text()
		for _, want := range []string{"Secret regcred", "of type Opaque", "ignores it", "kubernetes.io/dockerconfigjson", "RegistryCredential"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", name, text, want)
			}
		}
		if len(text) > 300 {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	}
	website := func(f *Facts) { f.Pod.Spec.Containers[0].Image = "hub.docker.com/shop/web:1" }
	if text := Diagnose(stuck(opaque, website, because(anonymous))).Text(); !strings.Contains(text, "write docker.io in the image") {
		t.Errorf("no Secret is the cure: %s", text)
	}
	if verdict := Diagnose(stuck(opaque, because(limited))); strings.Contains(verdict.Text(), "of this account") {
		t.Errorf("nobody's account was shown: %s", verdict.Text())
	}
}

func TestTheCredentialThatExcludesTheNamespaceIsNamed(t *testing.T) {
	facts := stuck()
	facts.Credentials = nil
	facts.Excluding = []Excluding{{Name: "other", Keys: []string{"other.example"}}, {Name: "company", Keys: []string{host}}}
	verdict := Diagnose(facts)
	if !strings.Contains(verdict.Text(), "RegistryCredential company provides the registry") || !strings.Contains(verdict.Text(), "spec.target.excludedNamespaces of RegistryCredential company") {
		t.Errorf("it says %q", verdict.Text())
	}
}

package credential

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
)

func TestFormsThatNoKubeletCanUseAreTold(t *testing.T) {
	kept := delivered.Delivery{Finding: dockerconfig.Finding{Key: "hub.docker.com", Reason: dockerconfig.ReasonDockerHubKey, Message: "never used"}}
	broken := delivered.Delivery{Finding: dockerconfig.Finding{Key: "x/*", Reason: dockerconfig.ReasonWildcard, Message: "no wildcards"}}
	read := dockerconfig.Finding{Reason: dockerconfig.ReasonTrailingNewline, Message: "secret/a: a line break"}
	near := records.Test{Registry: "r.example", NearMiss: "r.example:5000/app:1"}
	for _, test := range []struct {
		name       string
		read       []dockerconfig.Finding
		tests      []records.Test
		deliveries map[string]delivered.Delivery
		suspend    bool
		images     []string
		reason     string
		says       []string
	}{
		{name: "nothing was found", deliveries: map[string]delivered.Delivery{"a": {}, "b": {}}},
		{name: "a form in the source", read: []dockerconfig.Finding{read}, reason: "TrailingNewline", says: []string{"secret/a: a line break"}},
		{name: "a port that is missing, for the value in use and the one that waits", tests: []records.Test{near, {}, near},
			reason: "PortMissing", says: []string{"r.example:5000/app:1", "list r.example:5000"}},
		{name: "the same entry in several namespaces is told once", deliveries: map[string]delivered.Delivery{"a": kept, "b": {}, "c": kept},
			reason: "DockerHubKey", says: []string{`namespace a and 1 more: entry "hub.docker.com": never used`}},
		{name: "an entry in a namespace that is not selected does not count", deliveries: map[string]delivered.Delivery{"z": kept}},
		{name: "what is told first comes from the source, and what is too much is counted", read: []dockerconfig.Finding{read, read}, tests: []records.Test{near},
			deliveries: map[string]delivered.Delivery{"a": kept, "b": broken}, reason: "TrailingNewline", says: []string{"and 2 more"}},
		{name: "an image to be tested that belongs to none of the registries", images: []string{"r.example/app:1", "other.example/app:1"},
			reason: "Unmatchable", says: []string{"other.example/app:1 belongs to none"}},
		{name: "nothing is said while the object is suspended", read: []dockerconfig.Finding{read}, suspend: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{
				Suspend: test.suspend, Registries: []v1alpha1.Registry{"r.example"}, Verification: &v1alpha1.Verification{Images: test.images},
			}}
			f := &statusFacts{object: object, memory: &memory{findings: test.read}, tests: test.tests, selected: []string{"a", "b", "c"}, deliveries: test.deliveries}
			c := f.unusableForm()
			if (c.Status == metav1.ConditionTrue) != (test.reason != "") || c.Reason != test.reason {
				t.Fatalf("got %+v, want %q", c, test.reason)
			}
			for _, words := range test.says {
				if !strings.Contains(c.Message, words) {
					t.Errorf("the message lacks %q: %s", words, c.Message)
				}
			}
			if strings.Count(c.Message, near.NearMiss) > 1 {
				t.Errorf("one thing is told twice: %s", c.Message)
			}
		})
	}
}

package diagnosis

import (
	"strings"
	"testing"
)

// TestAFindingSaysFirstWhatIsWrong sees that what a person looks for is in the sentence, and not behind another command.
func TestAFindingSaysFirstWhatIsWrong(t *testing.T) {
	lacks := func(name string) change { return secret(name, func(s *Secret) { *s = Secret{Missing: true} }) }
	for _, test := range []struct {
		name    string
		changes []change
		want    string
	}{
		{"why there is no value", []change{credential(func(c *Credential) { c.Published, c.Unready = false, "Held: the registry does not answer" })},
			"RegistryCredential shop has no usable value yet: Held: the registry does not answer"},
		{"what the kubelet says of a reference", []change{waits("InvalidImageName", "repository name (Shop/web) must be lowercase")}, "repository name (Shop/web) must be lowercase"},
		{"that nothing of the pod's own list exists", []change{ownList("gone"), lacks("gone")}, "no Secret that the pod lists exists (gone)"},
		{"and not where a part of it does", []change{ownList("gone", "old"), lacks("gone")}, "the pod lists its own pull secrets (gone, old)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Diagnose(stuck(test.changes...)).Message; !strings.Contains(got, test.want) {
				t.Errorf("it says %q", got)
			}
		})
	}
}

package pullsecret

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where the two lists differ, the operator tries again and again what the policy refuses, or a thief may do what the operator does not.
func TestThePolicyKnowsTheSameBystandersAndDomains(t *testing.T) {
	policy, err := os.ReadFile("../../config/admission/secrets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`!\(k in \[('capsule[^\]]*)\]\)`).FindSubmatch(policy)
	domains := regexp.MustCompile(`!k\.matches\('(\^[^']*/)'\)`).FindSubmatch(policy)
	if list == nil || domains == nil {
		t.Fatal("the policy has no list of bystanders, or no pattern of domains")
	}
	have := strings.Fields(strings.NewReplacer("'", "", ",", " ").Replace(string(list[1])))
	want := slices.Sorted(slices.Values(bystanders))
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("bystanders here (-) and in the policy (+):\n%s", diff)
	}
	own := regexp.MustCompile(string(domains[1]))
	for _, domain := range harmless {
		if !own.MatchString(domain + "/x") {
			t.Errorf("the policy takes %s for a tool's domain", domain)
		}
	}
	for _, domain := range []string{"x-k8s.io", "addonmanager.kubernetes.io", "config.k8s.io", "kubernetes.io.example", "other.regcred.dev"} {
		if own.MatchString(domain+"/x") != slices.Contains(harmless, domain) {
			t.Errorf("the policy and the operator differ about %s", domain)
		}
	}
}

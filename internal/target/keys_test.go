package target

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestEntriesArePublishedPerRegistryOrPerHost(t *testing.T) {
	listed := []v1alpha1.Registry{"ghcr.io/company", "registry", "docker.io/company", "registry.company.io:5000/a/", "Registry.Company.io", "https://quay.io/company"}
	for per, want := range map[v1alpha1.EntryPer][]string{
		"":                        {"ghcr.io/company", "docker.io/company", "registry.company.io:5000/a/", "Registry.Company.io", "quay.io/company"},
		v1alpha1.EntryPerRegistry: {"ghcr.io/company", "docker.io/company", "registry.company.io:5000/a/", "Registry.Company.io", "quay.io/company"},
		v1alpha1.EntryPerHost:     {"ghcr.io", "https://index.docker.io/v1/", "registry.company.io:5000", "Registry.Company.io", "quay.io"},
	} {
		got := Keys(&v1alpha1.RegistryCredentialSpec{Registries: listed, Target: v1alpha1.Target{EntryPer: per}})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", per, diff)
		}
	}
}

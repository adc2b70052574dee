package credential

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/dockerconfig"
)

// A wrong password is shown to a registry once, and not once for each of its keys: that locks accounts.
func TestTheKeysOfOneRegistryAreOneLogin(t *testing.T) {
	robot := func(password string) dockerconfig.Credential {
		value, err := dockerconfig.NewCredential("robot", password)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	got := map[string][]string{}
	prints := map[string]string{}
	for _, account := range accountsOf([]byte("salt"), dockerconfig.Config{
		"ghcr.io/b": robot("one"), "ghcr.io/a": robot("one"), "ghcr.io/c": robot("two"), "quay.io": robot("one"),
	}) {
		got[account.Host+" "+account.Keys[0]] = account.Keys
		if other := prints[account.Print]; other != "" {
			t.Errorf("%s and %s have one print", other, account.Host)
		}
		prints[account.Print] = account.Host
	}
	want := map[string][]string{"ghcr.io ghcr.io/a": {"ghcr.io/a", "ghcr.io/b"}, "ghcr.io ghcr.io/c": {"ghcr.io/c"}, "quay.io quay.io": {"quay.io"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

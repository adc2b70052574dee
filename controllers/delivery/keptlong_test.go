package delivery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
)

// An earlier version published a value that would be refused today. Its entry is known again, and is rotated while it stays.
func TestAnEntryThatIsLongerThanAnyMayBeTodayIsKnown(t *testing.T) {
	raw := fmt.Sprintf(`{"username":"robot","password":%q}`, strings.Repeat("p", dockerconfig.MaxLength+1))
	value, err := dockerconfig.ParseKept("r.example", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	published := record(t, "company", "1-x", "one", "r.example")
	published.Config["r.example"] = value
	g := newRig(t, 0)
	g.publish(published)
	keys := []string{"r.example"}
	f := facts{values: g.r.Store.Snapshot(), secret: kept(pullsecret.Sources{"company": {Keys: keys}}, `{"auths":{"r.example":`+raw+`}}`)}
	if got := f.own(credential("company"), keys, false); !slices.Equal(got, keys) {
		t.Errorf("known are %q", got)
	}
}

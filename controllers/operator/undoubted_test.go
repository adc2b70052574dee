package operator

import (
	"slices"
	"testing"

	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
)

// Who hears of another value reads all pods that run, of all namespaces. A registry that answers 200 and 401 by turns would have that done each minute.
func TestThatARegistryAcceptsTheSameValueAgainIsNotToldAsAnotherValue(t *testing.T) {
	p, _ := all(t)
	p.Traces = nil
	value := records.Record{Credential: "company", UID: "u"}
	value.VerifiedTime, value.Accounts = then, []rotation.Account{{Print: "one", Host: "r.example", Keys: []string{"r.example"}}}
	told := listen(p)
	for turn, step := range []struct {
		says rotation.Verdict
		want []string
	}{
		{rotation.Accepted, []string{"Changed company"}}, {rotation.Rejected, nil}, {rotation.Accepted, []string{"Proven company"}}, {rotation.Rejected, nil},
		{rotation.Accepted, []string{"Proven company"}}, {rotation.Accepted, nil},
	} {
		value.Tests = map[string]rotation.Test{"one": {Verdict: step.says}}
		if err := p.Store.Save(t.Context(), value); err != nil {
			t.Fatal(err)
		}
		if got := told.take(); !slices.Equal(got, step.want) {
			t.Errorf("answer %d is %s: told is %q", turn, step.says, got)
		}
	}
}

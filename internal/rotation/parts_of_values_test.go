package rotation

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
)

func TestWhatARegistrySaidOfAllThatIsInUseThere(t *testing.T) {
	accepted := func(since, at int) Test { return Test{Verdict: Accepted, Since: minute(since), Time: minute(at)} }
	refused := Test{Verdict: Rejected, Since: minute(1), Time: minute(2)}
	for _, test := range []struct {
		name   string
		tests  []Test
		around bool
		from   time.Time
	}{
		{"nothing is in use there", nil, true, time.Time{}},
		{"it took it before and after", []Test{accepted(1, 9)}, true, minute(1)},
		{"it took it at that time", []Test{accepted(5, 5)}, true, minute(5)},
		{"it took it later", []Test{accepted(6, 9)}, false, minute(6)},
		{"it was not asked again", []Test{accepted(1, 4)}, false, minute(1)},
		{"it refuses it", []Test{refused}, false, time.Time{}},
		{"of two it refuses one", []Test{accepted(1, 9), refused}, false, time.Time{}},
		{"of two the later counts", []Test{accepted(2, 9), accepted(1, 9)}, true, minute(2)},
	} {
		o := inUse{test.tests}
		if got := o.acceptedAround(minute(5)); got != test.around {
			t.Errorf("%s: around %t", test.name, got)
		}
		if got := o.acceptedFrom(); !got.Equal(test.from) {
			t.Errorf("%s: from %s", test.name, got)
		}
	}
}

func TestTheAccountsAKubeletWouldUse(t *testing.T) {
	v := Value{Accounts: []Account{{Print: "a", Host: hostA, Keys: []string{"r/a"}}, {Print: "b", Host: hostA, Keys: []string{"r/b"}}, {Print: "c", Host: hostB, Keys: []string{"s"}}}}
	for _, test := range []struct {
		account Account
		want    []string
	}{
		{Account{Host: hostA, Keys: []string{"r/b", "r/x"}}, []string{"b"}},
		{Account{Host: hostA, Keys: []string{"r/x"}}, []string{"a", "b"}},
		{Account{Host: hostB, Keys: []string{"r/a"}}, []string{"a"}},
		{Account{Host: "c", Keys: []string{"c"}}, nil},
	} {
		var got []string
		for _, account := range v.at(test.account) {
			got = append(got, account.Print)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.account, got, test.want)
		}
	}
}

func TestACloneSharesNothingThatChanges(t *testing.T) {
	full := func() State {
		return State{
			Kept:   Kept{Value: Value{Config: dockerconfig.Config{}}, Previous: &Previous{}, Waiting: &Waiting{}, Tests: map[string]Test{"a": {}}, Obsolete: []Lease{{}}},
			Memory: Memory{Older: &Older{}, Testing: map[string]time.Time{"a": start}, Releases: map[string]Attempts{"a": {}}, Renewals: map[string]Attempts{"a": {}}},
		}
	}
	s := full()
	c := s.Clone()
	c.Previous.End, c.Waiting.FirstSeen, c.Older.Reads = EndExpired, start, 3
	c.Tests["b"], c.Testing["b"], c.Releases["b"], c.Renewals["b"] = Test{}, start, Attempts{}, Attempts{}
	c.Obsolete[0].Since = start
	if diff := cmp.Diff(full(), s); diff != "" {
		t.Error(diff)
	}
	if none := (State{}).Clone(); none.Previous != nil || none.Waiting != nil || none.Older != nil {
		t.Errorf("%+v", none)
	}
}

func TestNamesAndTimesOfAValue(t *testing.T) {
	abroad := start.In(time.FixedZone("abroad", 3600))
	if got := (&Older{Value: Value{Digest: "d", Minted: true, Written: Written{Version: 4, CreatedTime: abroad}}}).Name(); got != "4 of "+start.UTC().Format(time.RFC3339Nano) {
		t.Errorf("%q", got)
	}
	if got := (&Older{Value: Value{Digest: "d", Written: Written{Version: 4}}}).Name(); got != "d" {
		t.Errorf("%q", got)
	}
	v := Value{ReadTime: minute(3)}
	if !v.Begins().Equal(minute(3)) {
		t.Error("a value begins when it was read")
	}
	for obtained, want := range map[int]int{1: 3, 5: 5} {
		v.Lease = &source.Lease{Obtained: minute(obtained)}
		if got := v.Begins(); !got.Equal(minute(want)) {
			t.Errorf("a lease of minute %d: %s", obtained, got)
		}
	}
	w := Waiting{FirstSeen: minute(3)}
	if !w.Since().Equal(minute(3)) {
		t.Error("a hold begins when the value was first seen")
	}
	if w.HeldSince = minute(1); !w.Since().Equal(minute(1)) {
		t.Error("a hold began with the value before it")
	}
}

package removal

import (
	"slices"
	"testing"
	"time"
)

// part is an entry of each of some namespaces' Secrets.
func part(keys []string, namespaces ...string) []Part {
	all := parts(namespaces...)
	for i := range all {
		all[i].Keys = keys
	}
	return all
}

// A person saw which entries go, and from which Secrets. What goes beyond that is another removal, whatever namespaces it concerns.
func TestAConfirmationStandsForTheEntriesAndSecretsThatAPersonSaw(t *testing.T) {
	ten := teams(0, 10)
	seen := part([]string{"s.example", "t.example"}, ten...)
	for _, test := range []struct {
		name   string
		losing []Part
		stands bool
	}{
		{"what was seen", seen, true},
		{"the keys in another order", part([]string{"t.example", "s.example"}, ten...), true},
		{"one entry less", part([]string{"s.example"}, ten...), true},
		{"some namespaces less", seen[:7], true},
		{"another entry", part([]string{"u.example"}, ten...), false},
		{"one entry more", part([]string{"s.example", "t.example", "u.example"}, ten...), false},
		{"all entries", parts(ten...), false},
		{"all entries of one namespace", slices.Concat(seen[:9], parts(ten[9])), false},
		{"an entry of another Secret of one namespace", slices.Concat(seen, []Part{{Namespace: ten[0], Secret: "other", Keys: []string{"s.example"}}}), false},
		{"an entry of another namespace", slices.Concat(seen, part([]string{"s.example"}, "team-010")), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: seen, Now: noon})
			waits := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: test.losing, Now: noon.Add(time.Second)})
			if !first.Held || (waits.ID == first.ID) != test.stands {
				t.Errorf("the ID of what was seen is %s, and now %s", first.ID, waits.ID)
			}
			kept := Decode(must(first.State.Encode()))
			if d := Decide(kept, Facts{UID: "1", Holding: ten, Losing: test.losing, Confirmed: first.ID, Now: noon.Add(time.Second)}); d.Held == test.stands {
				t.Errorf("confirmed, it is held: %t", d.Held)
			}
		})
	}
}

// Namespaces count once, however many Secrets and entries of them go.
func TestARemovalCountsNamespaces(t *testing.T) {
	var losing []Part
	for _, namespace := range teams(0, 5) {
		losing = append(losing, Part{Namespace: namespace, Secret: "regcred"}, Part{Namespace: namespace, Secret: "other", Keys: []string{"s.example"}})
	}
	if d := Decide(State{}, Facts{UID: "1", Holding: teams(0, 5), Losing: losing, Now: noon}); d.Held || len(d.State.Losses[0].Namespaces) != 5 {
		t.Errorf("ten Secrets of five namespaces: %+v", d)
	}
	six := slices.Concat(losing, parts("team-005"))
	if d := Decide(State{}, Facts{UID: "1", Holding: teams(0, 6), Losing: six, Now: noon}); !d.Held || d.State.Pending.Namespaces != 6 {
		t.Errorf("eleven Secrets of six namespaces: %+v", d.State.Pending)
	}
}

// What a person confirmed goes on for the Secrets and entries that it was for.
func TestWhatIsGrantedIsTheEntriesOfSecrets(t *testing.T) {
	ten := teams(0, 10)
	seen := part([]string{"s.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: seen, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: seen, Confirmed: first.ID, Now: noon}).State
	for _, test := range []struct {
		name   string
		part   Part
		grants bool
	}{
		{"the entry", Part{ten[0], "regcred", []string{"s.example"}}, true},
		{"another entry", Part{ten[0], "regcred", []string{"t.example"}}, false},
		{"another entry, too", Part{ten[0], "regcred", []string{"s.example", "t.example"}}, false},
		{"all entries", Part{Namespace: ten[0], Secret: "regcred"}, false},
		{"the entry of another Secret", Part{ten[0], "other", []string{"s.example"}}, false},
		{"the entry in another namespace", Part{"other", "regcred", []string{"s.example"}}, false},
	} {
		if got := granted.Grants(test.part); got != test.grants {
			t.Errorf("%s: granted is %t", test.name, got)
		}
	}
	less := granted.Without(ten[0], "regcred")
	if less.Grants(seen[0]) || !less.Grants(seen[1]) || !granted.Grants(seen[0]) || !less.GrantsLessThan(granted) || granted.GrantsLessThan(granted) {
		t.Errorf("without one it is %v of %v", less.Granted, granted.Granted)
	}
	if d := Decide(granted, Facts{UID: "1", Holding: ten, Losing: parts(ten...), Now: noon.Add(time.Second)}); !d.Held || len(d.State.Granted) > 0 {
		t.Errorf("all entries go: %+v", d.State)
	}
	// Whole Secrets that were granted go on when an entry is given up that was not.
	whole := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: parts(ten[:4]...), Now: noon}).State
	d := Decide(whole, Facts{UID: "1", Holding: ten, Losing: slices.Concat(parts(ten[:4]...), part([]string{"s.example"}, ten[4:]...)), Now: noon.Add(time.Second)})
	if !d.Held || !d.State.Grants(parts(ten[0])[0]) || d.State.Grants(part([]string{"s.example"}, ten[4])[0]) {
		t.Errorf("four whole Secrets were granted, and now entries of six go: %+v", d.State)
	}
	one := Decide(granted, Facts{UID: "1", Holding: teams(0, 20), Losing: slices.Concat(seen, parts("team-011")), Now: noon.Add(time.Second)})
	if one.Held || !one.State.Grants(seen[0]) {
		t.Errorf("one namespace more is deselected: %+v", one)
	}
}

// An entry that is provided again while others go was not granted for the next mistake.
func TestAnEntryThatIsProvidedAgainIsGrantedNoMore(t *testing.T) {
	ten := teams(0, 10)
	both, one := part([]string{"s.example", "t.example"}, ten...), part([]string{"s.example"}, ten...)
	first := Decide(State{}, Facts{UID: "1", Holding: ten, Losing: both, Now: noon})
	granted := Decide(first.State, Facts{UID: "1", Holding: ten, Losing: both, Confirmed: first.ID, Now: noon}).State
	corrected := Decide(granted, Facts{UID: "1", Holding: ten, Losing: one, Confirmed: first.ID, Now: noon.Add(time.Second)})
	if corrected.Held || !corrected.State.Grants(one[0]) || corrected.State.Grants(both[0]) {
		t.Errorf("of the two entries one is provided again: %+v", corrected.State)
	}
	if known := granted.After(corrected.State); known.Grants(both[0]) || !corrected.State.GrantsLessThan(granted) {
		t.Errorf("what is kept grants both: %+v", known)
	}
	if d := Decide(corrected.State, Facts{UID: "1", Holding: ten, Losing: both, Confirmed: first.ID, Now: noon.Add(2 * time.Second)}); !d.Held {
		t.Errorf("it is given up again: %+v", d)
	}
}

// A removal that an earlier version kept stands for nothing: which entries its ID was for is not known.
func TestWhatAnEarlierVersionKeptGrantsNothing(t *testing.T) {
	ten := teams(0, 10)
	for _, kept := range []string{
		`{"uid":"1","serial":2,"pending":{"id":"abcdefgh","losing":"AAAAAQ"},"granted":"AAAAAQ","grantTime":"2026-03-01T12:00:00Z"}`,
		`{"uid":"1","serial":2,"pending":{"id":"abcdefgh","parts":"AAAAAQ","keys":"AAAAAQ","namespaces":1},"grantedParts":"AAAAAQ","grantedKeys":"AAAAAQ","grantTime":"2026-03-01T12:00:00Z"}`,
	} {
		before := Decode([]byte(kept))
		d := Decide(before, facts(10, ten, "abcdefgh", 0))
		if before.UID != "1" || before.Serial != 3 || before.Pending != nil || !d.Held || d.ID == "abcdefgh" || len(d.State.Granted) > 0 {
			t.Errorf("%s: %+v", kept, d)
		}
	}
}

func TestAPartCoversWhatIsNoMore(t *testing.T) {
	one := Part{"a", "regcred", []string{"s", "t"}}
	for _, test := range []struct {
		other Part
		want  bool
	}{
		{Part{"a", "regcred", []string{"t", "s"}}, true}, {Part{"a", "regcred", []string{"s"}}, true}, {Part{"a", "regcred", []string{"s", "t", "u"}}, false}, {Part{"a", "regcred", nil}, false},
		{Part{"b", "regcred", []string{"s", "t"}}, false}, {Part{"a", "other", []string{"s", "t"}}, false},
	} {
		if got := one.Covers(test.other); got != test.want {
			t.Errorf("%+v: %t", test.other, got)
		}
	}
}

func TestWhatIsGrantedToOneSecretCanBeTakenBack(t *testing.T) {
	whole, some := Part{Namespace: "a", Secret: "regcred"}, Part{"b", "regcred", []string{"s.example"}}
	others := []Part{{Namespace: "a", Secret: "other"}, {Namespace: "c", Secret: "regcred"}}
	granted := State{Granted: PartsOf(append(slices.Clone(others), whole, some)...)}
	for _, part := range []Part{whole, some} {
		left := granted.Without(part.Namespace, part.Secret)
		if left.Grants(part) || !left.Grants(others[0]) || !left.Grants(others[1]) || left.Granted.count() != 3 {
			t.Errorf("without %+v: %v", part, left.Granted)
		}
	}
	if left := granted.Without("d", "regcred"); left.Granted.count() != 4 || &left.Granted[0] != &granted.Granted[0] {
		t.Errorf("without one that was granted nothing it is copied, or another one: %v", left.Granted)
	}
	if left := (State{UID: "1", Serial: 7}).Without("a", "regcred"); left.Serial != 7 {
		t.Errorf("of one that grants nothing: %+v", left)
	}
}

func TestTheNamespacesOfParts(t *testing.T) {
	some := []Part{{Namespace: "b", Secret: "regcred"}, {Namespace: "a", Secret: "regcred"}, {Namespace: "b", Secret: "other"}}
	if got := Namespaces(some); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

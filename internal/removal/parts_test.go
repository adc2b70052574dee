package removal

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// Random parts, as sets of what each Secret loses, say what the groups have to.
func TestGroupsAreWhatTheirPartsLose(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		some, others := randomParts(random), randomParts(random)
		covers, less := true, 0
		for place, keys := range others {
			if own, there := some[place]; !there || !lost(own, keys) {
				covers = false
			}
		}
		a, b := grouped(some), grouped(others)
		if got := a.covers(b); got != covers {
			t.Fatalf("%v covers %v: %t", some, others, got)
		}
		both := a.and(b)
		for place, keys := range some {
			common := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !slices.Contains(others[place], key) })
			if _, there := others[place]; there && (len(keys) == 0) == (len(others[place]) == 0) && (len(common) > 0 || len(keys) == 0) {
				less += max(1, len(common))
				if !both.covers(PartsOf(Part{Namespace: place, Secret: "regcred", Keys: common})) {
					t.Fatalf("what %v and %v lose has not %s", some, others, place)
				}
			}
		}
		if both.count() != less || !a.covers(both) || !b.covers(both) {
			t.Fatalf("what %v and %v lose is %d losses, want %d", some, others, both.count(), less)
		}
		left := a.without("n-0/regcred")
		if slices.ContainsFunc(slices.Concat(both, left), func(g Group) bool { return len(g.Secrets) == 0 }) {
			t.Fatalf("groups without a Secret are kept: %v, %v", both, left)
		}
		if encoded := must(State{Granted: a}.Encode()); !reflect.DeepEqual(Decode(encoded).Granted, a) {
			t.Fatalf("%v is read as %v", a, Decode(encoded).Granted)
		}
	}
}

func lost(own, keys []string) bool {
	return (len(own) == 0) == (len(keys) == 0) && !slices.ContainsFunc(keys, func(key string) bool { return !slices.Contains(own, key) })
}

func randomParts(random *rand.Rand) map[string][]string {
	all := map[string][]string{}
	for i := range 4 {
		if random.IntN(4) == 0 {
			continue
		}
		var keys []string
		for _, key := range []string{"r", "s", "t"} {
			if random.IntN(2) == 0 {
				keys = append(keys, key)
			}
		}
		all[fmt.Sprint("n-", i)] = keys
	}
	return all
}

func grouped(all map[string][]string) Parts {
	var parts []Part
	for namespace, keys := range all {
		parts = append(parts, Part{namespace, "regcred", keys})
	}
	return PartsOf(parts...)
}

// What a bounded number of groups covers grows by no more than the smallest of them have.
func TestOfManyGroupsTheSmallestAreOne(t *testing.T) {
	many := parts("whole")
	for i := range mostGroups + 5 {
		for j := range i + 1 {
			many = append(many, Part{fmt.Sprintf("n-%d-%d", i, j), "regcred", []string{fmt.Sprint("key-", i)}})
		}
	}
	random := rand.New(rand.NewPCG(3, 3))
	first := PartsOf(many...)
	random.Shuffle(len(many), func(i, j int) { many[i], many[j] = many[j], many[i] })
	if again := PartsOf(many...); !reflect.DeepEqual(first, again) {
		t.Error("in another order they are other groups, and have another ID")
	}
	covers := func(namespace string, keys ...string) bool {
		return first.covers(PartsOf(Part{namespace, "regcred", keys}))
	}
	if len(first) != mostGroups || !covers("whole") || covers("whole", "key-0") {
		t.Fatalf("%d groups", len(first))
	}
	for _, p := range many {
		if !covers(p.Namespace, p.Keys...) {
			t.Fatalf("%+v is lost", p)
		}
	}
	largest, merged := mostGroups+4, 6
	if covers(fmt.Sprintf("n-%d-0", largest), "key-0") || covers(fmt.Sprintf("n-%d-0", merged+1), "key-0") || !covers("n-0-0", fmt.Sprint("key-", merged)) || covers("n-0-0", fmt.Sprint("key-", merged+1)) {
		t.Error("not the smallest groups are one")
	}
}

// Which groups are one changes with their size. That less is lost changes no ID, and grants no Secret what it was not granted.
func TestWhereLessIsLostOfManyGroupsTheIDStaysAndNothingMoreIsGranted(t *testing.T) {
	var before, after []Part
	for i := range mostGroups + 1 {
		for j := range i + 2 {
			one := Part{fmt.Sprintf("n-%d-%d", i, j), "regcred", []string{fmt.Sprint("key-", i)}}
			if before = append(before, one); i < mostGroups || j == 0 { // of the largest group one Secret is left, and is in the smallest one then
				after = append(after, one)
			}
		}
	}
	moved := Part{fmt.Sprintf("n-%d-0", mostGroups), "regcred", []string{fmt.Sprint("key-", mostGroups)}}
	more := Part{moved.Namespace, moved.Secret, []string{moved.Keys[0], "key-0"}}
	at := func(state State, losing []Part, confirmed string) Decision {
		return Decide(state, Facts{UID: "1", Holding: Namespaces(before), Losing: losing, Confirmed: confirmed, Now: noon})
	}
	first := at(State{}, before, "")
	less := at(first.State, after, "")
	if !first.Held || less.ID != first.ID || !less.State.Pending.StandsFor(moved) || less.State.Pending.StandsFor(more) {
		t.Errorf("less is lost: the ID was %s and is %s, and stands for more: %t", first.ID, less.ID, less.State.Pending.StandsFor(more))
	}
	granted := at(first.State, before, first.ID).State
	if rest := granted.LimitedTo(after); granted.Grants(more) || rest.Grants(more) || !rest.Grants(moved) {
		t.Errorf("what one Secret may lose grows while others lose less: %t", rest.Grants(more))
	}
}

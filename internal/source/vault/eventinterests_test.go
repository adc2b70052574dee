package vault

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func placeNamed(name string) source.Place {
	return placeIn(v1alpha1.VaultSource{Mount: "secret", Path: name})
}

func TestAPlaceThatIsReadNoMoreIsForgottenAfterADay(t *testing.T) {
	var i interests
	old, young := placeNamed("old"), placeNamed("young")
	i.note("old", old, false, readAt)
	i.note("young", young, false, readAt.Add(2*time.Hour))
	i.note("young", young, false, readAt.Add(forgetInterest))
	if all := i.all(); len(all) != 2 {
		t.Errorf("after %s there are %v", forgetInterest, all)
	}
	i.note("young", young, false, readAt.Add(forgetInterest+2*time.Hour))
	if all := i.all(); len(all) != 1 || all[0] != young || len(i.at([]string{"old"})) != 0 || len(i.paths) != 1 {
		t.Errorf("after two hours more there are %v", all)
	}
}

func TestOfTooManyPlacesThoseThatWereReadLastAreKept(t *testing.T) {
	var i interests
	note := func(n int) {
		i.note(fmt.Sprint("p/", n), placeNamed(fmt.Sprint(n)), false, readAt.Add(time.Duration(n)*time.Millisecond))
	}
	for n := range mostInterests {
		note(n)
	}
	if kept := len(i.all()); kept != mostInterests {
		t.Fatalf("%d places are kept of %d", kept, mostInterests)
	}
	note(mostInterests)
	const left = mostInterests - mostInterests/2 + 1
	if kept := len(i.all()); kept != left || len(i.at([]string{fmt.Sprint("p/", mostInterests/2)})) != 1 || len(i.at([]string{fmt.Sprint("p/", mostInterests/2-1)})) != 0 {
		t.Errorf("%d places are kept, want the %d that were read last", kept, left)
	}
	if note(mostInterests + 1); len(i.all()) != left+1 {
		t.Errorf("one more makes %d", len(i.all()))
	}
}

func TestAPlaceThatIsReadAgainAndAgainIsOne(t *testing.T) {
	var i interests
	i.note("quiet", placeNamed("quiet"), false, readAt)
	for n := range mostInterests + 10 {
		i.note("busy", placeNamed("busy"), false, readAt.Add(time.Duration(n)*time.Millisecond))
	}
	if all := i.all(); len(all) != 2 {
		t.Errorf("there are %v", all)
	}
}

func TestAPlaceOfSeveralPathsIsToldOnce(t *testing.T) {
	var i interests
	i.note("a", placeNamed("x"), false, readAt)
	i.note("b", placeNamed("x"), false, readAt)
	i.note("b", placeNamed("y"), false, readAt)
	if at := i.at([]string{"a", "b", "c"}); len(at) != 2 {
		t.Errorf("told are %v", at)
	}
}

func TestRolesAreFollowedAsLongAsOneIsRead(t *testing.T) {
	var i interests
	i.note("a", placeNamed("a"), false, readAt)
	if got := i.patterns(readAt); !slices.Equal(got, []string{"kv*"}) {
		t.Errorf("of KV alone: %q", got)
	}
	i.note("r", placeNamed("r"), true, readAt)
	i.note("a", placeNamed("a"), false, readAt.Add(time.Hour))
	for after, want := range map[time.Duration][]string{0: {"*", "kv*"}, forgetInterest: {"*", "kv*"}, forgetInterest + 1: {"kv*"}} {
		if got := i.patterns(readAt.Add(after)); !slices.Equal(got, want) {
			t.Errorf("after %s: %q", after, got)
		}
	}
}

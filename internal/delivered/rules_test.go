package delivered

import (
	"slices"
	"testing"
)

func servedBy(revision, digest string) Delivery {
	return Delivery{Selected: true, Observed: 1, Generation: 1, Version: Version{Revision: revision, Digest: digest}}
}

func TestWhoIsToldOfASelection(t *testing.T) {
	var news heard
	b := NewBoard(news.note)
	for _, step := range []struct {
		name       string
		secret     string
		generation int64
		namespaces []string
		want       []string
	}{
		{"the first", "regcred", 1, []string{"shop", "web"}, []string{"a"}},
		{"the same again", "regcred", 1, []string{"web", "shop"}, nil},
		{"by another generation", "regcred", 2, []string{"shop", "web"}, []string{"a"}},
		{"one less", "regcred", 2, []string{"shop"}, []string{"a"}},
		{"one more", "regcred", 2, []string{"new", "shop"}, []string{"a"}},
		{"under another name", "other", 2, []string{"new", "shop"}, []string{"a"}},
		{"under that name again", "other", 2, []string{"new", "shop"}, nil},
	} {
		b.Select("a", step.secret, step.generation, step.namespaces)
		if got := news.take(); !slices.Equal(got, step.want) {
			t.Errorf("%s: told %q, want %q", step.name, got, step.want)
		}
	}
	if old, known := b.At(Place{"shop", "regcred"}, "a"); !known || old.Selected {
		t.Errorf("under the name of before it is %+v", old)
	}
	if _, known := b.At(Place{"shop", "third"}, "a"); known {
		t.Error("something is known of a name that nobody chose")
	}
	copied := b.Of("a", "other")
	clear(copied)
	if len(b.Of("a", "other")) != 2 {
		t.Error("what is told is no copy")
	}
}

func TestOfManyKindsTheMostFrequentAreTold(t *testing.T) {
	counts := map[int]int{}
	for kind := range most {
		counts[kind] = kind + 1
	}
	if got := clone(counts); len(got) != most {
		t.Errorf("of %d kinds %d are told", most, len(got))
	}
	counts[most] = most + 1
	got := clone(counts)
	if _, rare := got[0]; rare || len(got) != most || got[most] != most+1 {
		t.Errorf("of one more the rarest is left out: %v", got)
	}
	got[most] = 0
	if counts[most] != most+1 {
		t.Error("it is no copy")
	}
}

func TestASetOfNamesIsSortedAndHasEachOnce(t *testing.T) {
	var n names
	for _, step := range []struct {
		name string
		in   bool
		want []string
	}{
		{"b", true, []string{"b"}}, {"a", true, []string{"a", "b"}}, {"b", true, []string{"a", "b"}},
		{"c", false, []string{"a", "b"}}, {"a", false, []string{"b"}}, {"a", false, []string{"b"}}, {"b", false, nil},
	} {
		if n.set(step.name, step.in); !slices.Equal(n, step.want) {
			t.Fatalf("after %s %t: %q, want %q", step.name, step.in, n, step.want)
		}
	}
}

func TestAValueWithoutARevisionIsHeldToo(t *testing.T) {
	for _, version := range []Version{{Revision: "1"}, {Digest: "d"}} {
		counts := newTally()
		counts.put("shop", Delivery{Version: version})
		if got := counts.summary().Holding[version]; got != 1 {
			t.Errorf("%+v is held in %d namespaces", version, got)
		}
		counts.drop("other")
		counts.drop("shop")
		if got := counts.summary(); len(got.Holding) != 0 || got.Unselected != 0 {
			t.Errorf("nothing is left, and it says %+v", got)
		}
	}
}

func TestHowManyAreRightForAValueAndASpec(t *testing.T) {
	counts := newTally()
	counts.put("a", servedBy("1", "d"))
	counts.put("b", servedBy("1", "d"))
	counts.put("c", servedBy("2", "e"))
	s := counts.summary()
	if one, two, other := s.Synced(Version{Revision: "1", Digest: "d"}, 1), s.Synced(Version{Revision: "2", Digest: "e"}, 1), s.Synced(Version{Revision: "1", Digest: "d"}, 2); one != 2 || two != 1 || other != 0 {
		t.Errorf("%d, %d and %d", one, two, other)
	}
}

// When the operator starts, the watch of Secrets may tell of them before that of RegistryCredentials does, or after.
func TestWhatIsSelectedAndWhatASecretHoldsIsKnownInAnyOrder(t *testing.T) {
	version, place := Version{"1", "d"}, Place{"shop", "regcred"}
	begin := func(b *Board) { b.Begin(place, "a", version) }
	choose := func(b *Board) { b.Select("a", "regcred", 1, []string{"shop"}) }
	for name, steps := range map[string][]func(*Board){"the Secret first": {begin, choose}, "the selection first": {choose, begin}} {
		b := NewBoard(func(string) {})
		for _, step := range steps {
			step(b)
		}
		if got, _ := b.At(place, "a"); !got.Selected || got.Version != version || got.Observed != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Another one may be made under the name.
func TestOfOneThatIsGoneNothingIsKnown(t *testing.T) {
	b, place := NewBoard(func(string) {}), Place{"shop", "regcred"}
	b.Post(place, map[string]Delivery{"a": servedBy("1", "d"), "b": servedBy("1", "d")})
	b.Remove("a")
	b.Remove("b")
	b.Forget("a")
	_, known := b.At(place, "a")
	if places, s := b.Places("a"), b.Summary("a", "regcred"); known || len(places) > 0 || b.TakeRemoved("a") != 0 || s.Selected != 0 || s.Generation != 0 {
		t.Errorf("known at %v: %+v", places, s)
	}
	if _, known := b.At(place, "b"); !known || b.TakeRemoved("b") != 1 {
		t.Error("of the other one nothing is known, either")
	}
}

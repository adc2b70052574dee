package laststatus

import (
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestWhichStatusIsNewerThanWhatIsShown(t *testing.T) {
	object := func(uid types.UID, version string) *metav1.ObjectMeta {
		return &metav1.ObjectMeta{Name: "company", UID: uid, ResourceVersion: version}
	}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var empty Of[string]
	if status, there := empty.After(object("a", "1"), noon); there || status != "" {
		t.Errorf("nothing was written, and there is %q", status)
	}
	for _, test := range []struct {
		name  string
		shown *metav1.ObjectMeta
		want  bool
	}{
		{"the object as it was before", object("a", "9"), true},
		{"as it was written", object("a", "10"), false},
		{"as somebody changed it since", object("a", "11"), false},
		{"another object of the name", object("b", "9"), false},
		{"a version that cannot be compared", object("a", "x"), false},
		{"another name", &metav1.ObjectMeta{Name: "other", UID: "a", ResourceVersion: "9"}, false},
	} {
		var all Of[string]
		all.Wrote(object("a", "8"), "before", noon.Add(-time.Hour))
		all.Wrote(object("a", "10"), "written", noon)
		all.Wrote(&metav1.ObjectMeta{Name: "another", UID: "c", ResourceVersion: "12"}, "of another name", noon)
		status, there := all.After(test.shown, noon.Add(believed-time.Second))
		if there != test.want || there && status != "written" || !there && status != "" {
			t.Errorf("%s: %q, %t", test.name, status, there)
		}
		if _, there := all.After(test.shown, noon.Add(believed)); there {
			t.Errorf("%s: a cache is said to be behind for longer than any can be", test.name)
		}
		all.Forget("company")
		if _, there := all.After(test.shown, noon); there {
			t.Errorf("%s: something is known of what was forgotten", test.name)
		}
	}
}

// Of a write whose answer was lost people are told when the next look finds what it wrote.
func TestOfWhichStatusPeopleWereToldLast(t *testing.T) {
	object := func(uid types.UID) *metav1.ObjectMeta { return &metav1.ObjectMeta{Name: "company", UID: uid} }
	var all Of[string]
	for _, uid := range []types.UID{"a", ""} {
		if all.Late(object(uid)) || all.Told(object(uid), "shown") != "shown" {
			t.Error("no write failed, and people are still to be told of something")
		}
	}
	all.Failed(object("a"), "first")
	all.Failed(object("a"), "second") // nobody was told of it
	all.Failed(&metav1.ObjectMeta{Name: "another"}, "of another name")
	if got := all.Told(&metav1.ObjectMeta{Name: "another"}, "shown"); got != "of another name" {
		t.Errorf("of another name people were told of %q", got)
	}
	if !all.Late(object("a")) || all.Late(object("b")) || all.Late(&metav1.ObjectMeta{Name: "other", UID: "a"}) {
		t.Error("of which objects people are to be told")
	}
	if got := all.Told(object("a"), "shown"); got != "first" || all.Late(object("a")) || all.Told(object("a"), "shown") != "shown" {
		t.Errorf("people were told last of %q", got)
	}
	all.Failed(object("a"), "first")
	if got := all.Told(object("b"), "shown"); got != "shown" || all.Late(object("a")) {
		t.Errorf("of another object of the name people were told of %q", got)
	}
	all.Failed(object("a"), "first")
	all.Failed(object("b"), "of another")
	if got := all.Told(object("b"), "shown"); got != "of another" {
		t.Errorf("of the one that was created again people were told of %q", got)
	}
	all.Failed(object("a"), "first")
	if all.Forget("company"); all.Late(object("a")) {
		t.Error("something is known of what was forgotten")
	}
}

func TestManyMayWriteAndLookAtOnce(t *testing.T) {
	object, now := &metav1.ObjectMeta{Name: "company", UID: "a", ResourceVersion: "1"}, time.Now()
	var all Of[string]
	for _, do := range []func(){
		func() { all.Wrote(object, "written", now) }, func() { all.After(object, now) }, func() { all.Failed(object, "before") },
		func() { all.Late(object) }, func() { all.Told(object, "before") }, func() { all.Forget("company") },
	} {
		// Each beside another that changes the same, so that the race detector has seen each of them without a lock.
		t.Run("", func(t *testing.T) {
			var group sync.WaitGroup
			for _, one := range []func(){do, func() { all.Wrote(object, "written", now) }, func() { all.Failed(object, "before"); all.Told(object, "before") }} {
				group.Go(func() {
					for range 100 {
						one()
					}
				})
			}
			group.Wait()
		})
	}
}

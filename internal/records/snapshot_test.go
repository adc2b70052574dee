package records

import (
	"fmt"
	"testing"
)

func keptFor(s Snapshot) string {
	uid, generation := s.KeptFor("company")
	return fmt.Sprint(uid, " ", generation)
}

func TestASnapshotStaysAsItWas(t *testing.T) {
	server := newServer()
	store := server.leader()
	empty := store.Snapshot()
	first := record(t)
	first.Generation = 1
	if err := store.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	before := store.Snapshot()
	second := first
	second.Generation, second.Revision = 2, "another"
	if err := store.Save(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(t.Context(), Record{Credential: "other", UID: "uid-2"}); err != nil {
		t.Fatal(err)
	}
	if got := empty.Get("company"); got.UID != "" || keptFor(empty) != " 0" {
		t.Errorf("what was empty has %+v", got)
	}
	if got := before.Get("company"); got.Revision != first.Revision || keptFor(before) != "uid-1 1" || before.Get("other").UID != "" {
		t.Errorf("it changed to revision %q", got.Revision)
	}
	now := store.Snapshot()
	if got := now.Get("company"); got.Revision != "another" || keptFor(now) != "uid-1 2" || len(store.All()) != 2 {
		t.Errorf("a new one has revision %q", got.Revision)
	}
	if err := store.Forget(t.Context(), "company"); err != nil {
		t.Fatal(err)
	}
	if now.Get("company").UID == "" || store.Get("company").UID != "" || store.Get("other").UID == "" {
		t.Error("what is gone is gone from the store, and from nothing that was taken before")
	}
}

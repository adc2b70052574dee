package records

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/internal/rotation"
)

// Of two leaders the one that wrote first wins, and the other goes on from there.
func TestALeaderNeverOverwritesAnother(t *testing.T) {
	server := newServer()
	one, two := server.leader(), server.leader()
	first, second := record(t), record(t)
	first.Revision, second.Revision = "one", "two"
	if err := one.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := two.Save(t.Context(), second); !apierrors.IsAlreadyExists(err) {
		t.Fatalf("%v", err)
	}
	if got := two.Get("company").Revision; got != "one" || !slices.Equal(two.told, []string{"company"}) {
		t.Errorf("it goes on from %q, told %q", got, two.told)
	}
	if err := two.Save(t.Context(), second); err != nil {
		t.Fatalf("what it knows now cannot be written: %v", err)
	}
	first.Revision = "three"
	if err := one.Save(t.Context(), first); !apierrors.IsConflict(err) || one.Get("company").Revision != "two" {
		t.Errorf("%v; it goes on from %q", err, one.Get("company").Revision)
	}
	if got, err := decode(server.kept(secretName("company"))); err != nil || got.Revision != "two" {
		t.Errorf("kept is %q: %v", got.Revision, err)
	}
	if err := two.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1", Serial: 1}); err != nil {
		t.Fatal(err)
	}
	if err := one.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1", Serial: 9}); !apierrors.IsConflict(err) || one.Removals("company").Serial != 1 {
		t.Errorf("%v; the removal that is known is %d", err, one.Removals("company").Serial)
	}
	server.refuse["get"] = errors.New("away")
	if err := two.Save(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := one.Save(t.Context(), first); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "away") {
		t.Errorf("of two errors one is lost: %v", err)
	}
}

func TestWhatAnotherLeaderWroteAndCannotBeReadChangesNothing(t *testing.T) {
	server := newServer()
	one := server.leader()
	if err := one.Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	one.told = nil
	broken := server.kept(secretName("company")).DeepCopy()
	broken.Data[memoKey] = []byte("{")
	server.put(broken)
	next := record(t)
	next.Revision = "8"
	if err := one.Save(t.Context(), next); !apierrors.IsConflict(err) || one.Get("company").Revision != "7" || len(one.told) > 0 {
		t.Errorf("%v: it goes on from %q, told %q", err, one.Get("company").Revision, one.told)
	}
	if err := one.Save(t.Context(), next); err != nil || one.Get("company").Revision != "8" {
		t.Errorf("what nobody can read is not written over: %v", err)
	}
}

func TestARecordThatWasDeletedIsMadeAgain(t *testing.T) {
	server := newServer()
	one := server.leader()
	if err := one.Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	delete(server.secrets, secretName("company"))
	if err := one.Save(t.Context(), record(t)); !apierrors.IsNotFound(err) {
		t.Fatalf("%v", err)
	}
	if err := one.Save(t.Context(), record(t)); err != nil || server.kept(secretName("company")) == nil {
		t.Errorf("%v", err)
	}
}

// What is in Secrets and changed is delivered at once, and not with the slow pass: also where the revision alone is another one.
func TestDeliveryIsToldOfWhatItHasToWrite(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Record)
		want   bool
	}{
		{"nothing changed", func(*Record) {}, false},
		{"what a registry said", func(r *Record) { r.Tests = nil }, false},
		{"another revision of the same content", func(r *Record) { r.Revision = "8" }, true},
		{"another content of the same revision", func(r *Record) { r.Digest = "d8" }, true},
		{"the same value, published again", func(r *Record) { r.ChangeTime = r.ChangeTime.Add(time.Second) }, true},
		{"another object of the name", func(r *Record) { r.UID = "uid-2" }, true},
		{"no registry ever accepted it", func(r *Record) { r.VerifiedTime = time.Time{} }, false},
		{"a registry accepted it at another time", func(r *Record) { r.VerifiedTime = r.VerifiedTime.Add(time.Second) }, false},
		{"a value that is not published any more", func(r *Record) { r.Config = nil }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newServer().leader()
			if err := store.Save(t.Context(), record(t)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(store.told, []string{"company"}) {
				t.Fatalf("told %q of the first", store.told)
			}
			next := record(t)
			c.change(&next)
			if err := store.Save(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			if got := len(store.told) == 2; got != c.want {
				t.Errorf("told %q", store.told)
			}
		})
	}
}

// A hand-made Secret is taken over then.
func TestDeliveryIsToldWhenTheDoubtAboutAValueEnds(t *testing.T) {
	for name, doubt := range map[string]func(*Record){
		"no registry accepted it": func(r *Record) { r.VerifiedTime = time.Time{} },
		"the registry refused it": func(r *Record) { r.Tests = map[string]rotation.Test{r.Accounts[0].Print: {Verdict: rotation.Rejected}} },
	} {
		store, first := newServer().leader(), record(t)
		var proven []string
		store.Proven = func(credential string) { proven = append(proven, credential) }
		if doubt(&first); !first.InDoubt() {
			t.Fatalf("%s: it is not in doubt", name)
		}
		for _, next := range []Record{first, record(t), first} { // that it begins is nothing to do
			if err := store.Save(t.Context(), next); err != nil {
				t.Fatal(err)
			}
		}
		if len(store.told) != 1 || !slices.Equal(proven, []string{"company"}) { // there was no value at first
			t.Errorf("%s: told of another value is %q, of one that is accepted %q", name, store.told, proven)
		}
	}
}

func TestAnObjectThatIsGoneLeavesNoRecord(t *testing.T) {
	server := newServer()
	store := server.leader()
	if err := store.Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	if err := store.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1"}); err != nil {
		t.Fatal(err)
	}
	store.told = nil
	server.refuse["delete"] = errors.New("away")
	if err := store.Forget(t.Context(), "company"); err == nil || !store.Get("company").Published() || len(store.told) > 0 {
		t.Errorf("it could not be removed, and is forgotten: %v", err)
	}
	delete(server.refuse, "delete")
	for range 2 { // the second time it is gone already
		if err := store.Forget(t.Context(), "company"); err != nil {
			t.Fatal(err)
		}
	}
	if store.Get("company").Published() || store.Removals("company").UID != "" || len(server.secrets) > 0 || !slices.Equal(store.told, []string{"company"}) {
		t.Errorf("%d records are left, told %q", len(server.secrets), store.told)
	}
	if err := store.Save(t.Context(), record(t)); err != nil {
		t.Errorf("an object of the same name cannot be kept: %v", err)
	}
}

// The record of a name is removed because its RegistryCredential is gone. That was asked about the record that was known, and about no other one.
func TestARecordThatSomebodyWroteSinceIsNotRemoved(t *testing.T) {
	next := record(t)
	next.UID, next.Revision = "uid-2", "of another"
	unreadable := func(server *server) {
		broken := server.kept(secretName("company")).DeepCopy()
		broken.Data[memoKey] = []byte("{")
		server.put(broken)
	}
	for _, c := range []struct {
		name  string
		known bool
		left  func(*server)
		stays bool
	}{
		{"as it is known", true, func(*server) {}, false},
		{"another leader wrote it since", true, func(server *server) {
			other := server.leader()
			if err := errors.Join(other.Load(t.Context()), other.Save(t.Context(), next)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"another leader made it since", false, func(*server) {}, true},
		{"a newer version made it since", false, func(server *server) { server.put(fromTheFuture(t, newerMemos["with a field more"])) }, true},
		{"it cannot be read, and never could", false, unreadable, false},
		{"it is gone", true, func(server *server) { delete(server.secrets, secretName("company")) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newServer()
			store, before := server.leader(), server.leader()
			if c.known {
				before = store
			}
			if err := errors.Join(store.Load(t.Context()), before.Save(t.Context(), record(t))); err != nil {
				t.Fatal(err)
			}
			c.left(server)
			first := store.Forget(t.Context(), "company")
			if stays := server.kept(secretName("company")) != nil; stays != c.stays || (first != nil) != c.stays {
				t.Fatalf("it stays: %t, want %t; the error is %v", stays, c.stays, first)
			}
			if c.stays && store.Get("company").UID == "" && !store.IsLeftAlone("company") {
				t.Error("what is there is not known, so that nobody can ask whose it is")
			}
			if err := store.Forget(t.Context(), "company"); err != nil || server.kept(secretName("company")) != nil {
				t.Errorf("what was looked at since is not removed: %v", err)
			}
		})
	}
	t.Run("a newer version made it, and that was known", func(t *testing.T) {
		server := newServer()
		server.put(fromTheFuture(t, newerMemos["with a field more"]))
		store := server.leader()
		if err := errors.Join(store.Load(t.Context()), store.Forget(t.Context(), "company")); err != nil || len(server.secrets) > 0 {
			t.Errorf("it is not removed: %v", err)
		}
	})
	t.Run("another leader made it, and nothing in it is in use yet", func(t *testing.T) {
		server := newServer()
		store, waits := server.leader(), record(t)
		waits.Value = rotation.Value{}
		if err := errors.Join(store.Load(t.Context()), server.leader().Save(t.Context(), waits)); err != nil {
			t.Fatal(err)
		}
		if err := store.Forget(t.Context(), "company"); err == nil || server.kept(secretName("company")) == nil || store.Get("company").UID != waits.UID {
			t.Errorf("the value that waits is lost, and the leases: %v", err)
		}
	})
	t.Run("it cannot be looked at", func(t *testing.T) {
		server := newServer()
		if err := server.leader().Save(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
		server.refuse["get"] = errors.New("away")
		if err := server.leader().Forget(t.Context(), "company"); err == nil || server.kept(secretName("company")) == nil {
			t.Errorf("it is removed unseen: %v", err)
		}
	})
}

func TestARecordThatIsLeftAloneIsLookedAtAgain(t *testing.T) {
	server := newServer()
	server.put(fromTheFuture(t, newerMemos["with a field more"]))
	store := server.leader()
	if err := store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := len(server.asked)
	if err := store.LookAgain(t.Context(), "another"); err != nil || len(server.asked) != asked {
		t.Errorf("a look at all others costs something: %v", err)
	}
	server.refuse["get"] = errors.New("away")
	if err := store.LookAgain(t.Context(), "company"); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("%v", err)
	}
	delete(server.refuse, "get")
	known, err := encode(record(t), "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	server.put(known)
	if err := store.LookAgain(t.Context(), "company"); err != nil || !store.Get("company").Published() || !slices.Equal(store.told, []string{"company"}) {
		t.Errorf("it can be read now: %v, told %q", err, store.told)
	}
	if err := store.Save(t.Context(), record(t)); err != nil {
		t.Errorf("and cannot be written: %v", err)
	}
}

func TestAnAnswerOfTheAPIServerIsToldWithoutWhatItQuotes(t *testing.T) {
	server := newServer()
	server.refuse["create"] = apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, password, nil)
	err := server.leader().Save(t.Context(), record(t))
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Code != 422 || !apierrors.IsInvalid(err) || status.Status().Status != "Failure" {
		t.Fatalf("what kind of an error it is gets lost: %v", err)
	}
	if len(server.asked) > 0 {
		t.Errorf("no other leader wrote, and the API server is asked for %q", server.asked)
	}
	if strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "the API server answered 422 Invalid") || !strings.Contains(err.Error(), "company in namespace regcred-system") {
		t.Errorf("%v", err)
	}
	newer := &NewerError{Namespace: "n", Secret: "s", Format: 9}
	if got := newer.Error(); !strings.Contains(got, "Secret n/s") || !strings.Contains(got, "format 9") {
		t.Error(got)
	}
}

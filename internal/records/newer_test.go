package records

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/test/inmemory"
)

// fromTheFuture is a record as a version might keep it that is not written yet.
func fromTheFuture(t *testing.T, memo string) *corev1.Secret {
	t.Helper()
	secret, err := encode(record(t), "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	secret.Data[memoKey] = []byte(memo)
	secret.Data["more"] = []byte("what this version does not know")
	return secret
}

var newerMemos = map[string]string{
	"with a field more":              fmt.Sprintf(`{"format":%d,"salt":"AP8H","revision":"7","moon":"full"}`, Format+1),
	"with a field of another form":   fmt.Sprintf(`{"format":%d,"revision":{"name":"7"}}`, Format+1),
	"many versions later, all other": `{"format":1000}`,
}

func TestANewerRecordIsLeftAlone(t *testing.T) {
	for name, memo := range newerMemos {
		t.Run(name, func(t *testing.T) {
			secret := fromTheFuture(t, memo)
			clientset := inmemory.Clientset(secret)
			var told []string
			store := NewStore(clientset.CoreV1(), "regcred-system", func(credential string) { told = append(told, credential) })
			if err := store.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			var newer *NewerError
			if err := store.LeftAlone("company"); !errors.As(err, &newer) || newer.Namespace != "regcred-system" || newer.Secret != secret.Name || newer.Format <= Format {
				t.Fatalf("left alone: %v", err)
			}
			if store.Get("company").Published() || len(store.All()) != 0 {
				t.Error("it is read all the same")
			}
			for what, err := range map[string]error{
				"a value": store.Save(t.Context(), record(t)), "a removal": store.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1"}),
				"another look": store.LookAgain(t.Context(), "company"),
			} {
				if newer = nil; !errors.As(err, &newer) || newer == nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			if len(told) > 0 {
				t.Errorf("nothing changed, and told are %q", told)
			}
			kept, err := clientset.CoreV1().Secrets("regcred-system").Get(t.Context(), secret.Name, metav1.GetOptions{})
			if err != nil || !bytes.Equal(kept.Data[memoKey], secret.Data[memoKey]) || !bytes.Equal(kept.Data["more"], secret.Data["more"]) {
				t.Errorf("the record was written: %v", err)
			}
			if store.LeftAlone("another") != nil || store.LookAgain(t.Context(), "another") != nil {
				t.Error("another credential is left alone, too")
			}

			if err := clientset.CoreV1().Secrets("regcred-system").Delete(t.Context(), secret.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := store.LookAgain(t.Context(), "company"); err != nil || len(told) == 0 {
				t.Errorf("after it was deleted: %v, told %q", err, told)
			}
			if err := store.Save(t.Context(), record(t)); err != nil {
				t.Errorf("and nothing can be kept: %v", err)
			}
		})
	}
}

func TestARecordThatANewerVersionWroteMeanwhileIsLeftAlone(t *testing.T) {
	clientset := inmemory.Clientset()
	told := 0
	store := NewStore(clientset.CoreV1(), "regcred-system", func(string) { told++ })
	if err := store.Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		store.adopt("company", fromTheFuture(t, newerMemos["with a field more"])) // what follows a conflict
	}
	if told != 2 {
		t.Errorf("delivery is told %d times that there is a value, and then none any more", told)
	}
	if err := store.LeftAlone("company"); err == nil || store.Get("company").Published() {
		t.Errorf("the old value would still be delivered over the newer one: %v", err)
	}
	known, err := encode(record(t), "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	store.adopt("company", known)
	if err := store.LeftAlone("company"); err != nil || !store.Get("company").Published() {
		t.Errorf("it is known again, and left alone: %v", err)
	}
}

func TestOfANewerRecordThatIsGoneNothingIsLeft(t *testing.T) {
	for name, remove := range map[string]func(*testing.T, *server, *leader){
		"somebody deleted it": func(t *testing.T, server *server, store *leader) {
			delete(server.secrets, secretName("company"))
			if err := store.LookAgain(t.Context(), "company"); err != nil {
				t.Error(err)
			}
		},
		"its object is gone": func(t *testing.T, _ *server, store *leader) {
			if err := store.Forget(t.Context(), "company"); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer()
			secret := fromTheFuture(t, newerMemos["with a field more"])
			if err := addRemovals(secret, removal.State{UID: "uid-1", Serial: 3}); err != nil {
				t.Fatal(err)
			}
			server.put(secret)
			store := server.leader()
			if err := store.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := store.LookAgain(t.Context(), "company"); err == nil || store.Removals("company").Serial != 3 {
				t.Fatalf("%v; the removals that are known: %+v", err, store.Removals("company"))
			}
			remove(t, server, store)
			if store.IsLeftAlone("company") || store.Removals("company").UID != "" {
				t.Errorf("left alone: %v; removals: %+v", store.LeftAlone("company"), store.Removals("company"))
			}
			if err := store.Save(t.Context(), record(t)); err != nil {
				t.Errorf("an object of the same name cannot be kept: %v", err)
			}
		})
	}
}

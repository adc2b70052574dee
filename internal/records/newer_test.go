package records

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"regcred.dev/regcred/internal/removal"
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
			clientset := fake.NewClientset(secret)
			var told []string
			store := NewStore(clientset.CoreV1(), "regcred-system", func(credential string) { told = append(told, credential) })
			if err := store.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			var newer *NewerError
			if err := store.LeftAlone("company"); !errors.As(err, &newer) || newer.Secret != secret.Name || newer.Format <= Format {
				t.Fatalf("left alone: %v", err)
			}
			if store.Get("company").Published() || len(store.All()) != 0 {
				t.Error("it is read all the same")
			}
			for what, err := range map[string]error{
				"a value": store.Save(t.Context(), record(t)), "a removal": store.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1"}),
				"another look": store.LookAgain(t.Context(), "company"),
			} {
				if !errors.As(err, &newer) {
					t.Errorf("%s: %v", what, err)
				}
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
	clientset := fake.NewClientset()
	store := NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
	if err := store.Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	store.adopt("company", fromTheFuture(t, newerMemos["with a field more"])) // what follows a conflict
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

package credential

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
)

// One event for all namespaces that lost the credential, once none of them is about to lose it.
func TestPeopleAreToldOnceHowManyNamespacesLostIt(t *testing.T) {
	r, object := reporting(t, 3, 1)
	recorder := events.NewFakeRecorder(10)
	r.Events = announce.New(recorder)
	removed := func() (all []string) {
		for _, told := range heardOf(recorder) {
			if strings.Contains(told, v1alpha1.ReasonRemoved) {
				all = append(all, told)
			}
		}
		return all
	}
	one := r.begin(object)
	report := func() {
		t.Helper()
		if _, err := r.report(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	report()
	r.Board.Remove(object.Name)
	place := delivered.Place{Namespace: "left", Name: object.Spec.Target.Name()}
	left := delivered.Delivery{Version: delivered.Version{Revision: "v1", Digest: "one"}}
	r.Board.Post(place, map[string]delivered.Delivery{object.Name: left})
	if report(); len(removed()) != 0 {
		t.Error("it is told while one is about to lose it")
	}
	r.Board.Remove(object.Name)
	r.Board.Post(place, nil)
	report()
	report()
	if got := removed(); len(got) != 1 || got[0] != "Normal Removed the credential was removed from 2 namespaces, which spec.target does not select any more" {
		t.Errorf("%q", got)
	}
	now := metav1.NewTime(noon)
	object.DeletionTimestamp = &now
	r.Board.Remove(object.Name)
	r.tellOfRemoved(object)
	if got := removed(); len(got) != 1 || got[0] != "Normal Removed the credential was removed from 1 namespace, as spec.deletionPolicy says" {
		t.Errorf("%q", got)
	}
}

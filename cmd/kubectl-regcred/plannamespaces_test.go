package main

import (
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/preview"
)

func TestAPlanAsksAsOftenForManyNamespacesAsForFew(t *testing.T) {
	ask := func(namespaces int, forbids ...string) ([]preview.Namespace, int) {
		objects, _ := crowd(namespaces, 1)
		object := objects[0].(*v1alpha1.RegistryCredential)
		lacks := func(o client.Object) bool { // one has no ServiceAccount, and another no Secret
			_, account := o.(*corev1.ServiceAccount)
			_, secret := o.(*corev1.Secret)
			return account && o.GetNamespace() == "team-000" || secret && o.GetNamespace() == "team-001"
		}
		r := recorded{forbids: forbids}
		l := &look{reader: r.client(slices.DeleteFunc(objects, lacks)...)}
		selectors, err := preview.SelectorsOf(nil, object, preview.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := l.concerned(t.Context(), object, selectors)
		if err != nil || len(found) != namespaces {
			t.Fatalf("%v: %d namespaces are concerned", err, len(found))
		}
		return found, r.requests
	}
	_, few := ask(fewNamespaces + 1)
	many, requests := ask(200)
	if requests > few {
		t.Errorf("%d requests for 200 namespaces, %d for %d", requests, few, fewNamespaces+1)
	}
	oneByOne, requests := ask(200, "SecretList", "ServiceAccountList")
	if requests < 400 || !reflect.DeepEqual(many, oneByOne) {
		t.Errorf("with %d requests, what is read one by one is something else: %+v and %+v", requests, many[:3], oneByOne[:3])
	}
	if !many[0].Accounts[0].Missing || many[0].Secret.Missing || !many[1].Secret.Missing || many[2].Accounts[0].Missing || !many[2].Secret.Owner.Ours {
		t.Errorf("got %+v", many[:3])
	}
}

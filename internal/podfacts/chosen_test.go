package podfacts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// sets answers reads of PodSets, and notes in which versions they were asked for.
type sets struct {
	client.Reader
	fails    error
	deleted  bool
	versions []string
}

func (s *sets) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	s.versions = append(s.versions, into.GetObjectKind().GroupVersionKind().Version)
	if s.fails != nil {
		return s.fails
	}
	into.SetUID("o")
	into.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "somebody"}})
	into.SetAnnotations(map[string]string{"regcred.dev/pod-recovery": "Off", "other": strings.Repeat("x", 1000)})
	if s.deleted {
		into.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)})
	}
	return nil
}

func ofSet(version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "core.strimzi.io/" + version, Kind: "StrimziPodSet", Name: "web", UID: "o", Controller: ptr.To(true)}}}}
}

func chosenSets() *Owners {
	kind := schema.GroupVersionKind{Group: "core.strimzi.io", Version: "v1", Kind: "StrimziPodSet"}
	served := meta.NewDefaultRESTMapper([]schema.GroupVersion{kind.GroupVersion()})
	served.Add(kind, meta.RESTScopeNamespace)
	return &Owners{Chosen: diagnosis.OwnerKinds{kind.GroupKind()}, Served: served}
}

// Whoever creates pods writes what they name: thousands that are stuck, each with a version of its own, are one owner.
func TestThousandsOfStuckPodsOfAChosenKindCostOneRead(t *testing.T) {
	missing, forbidden := apierrors.NewNotFound(schema.GroupResource{}, "web"), apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("no"))
	for _, test := range []struct {
		name         string
		fails        error
		unread, gone bool
		reads        int
	}{
		{name: "an owner that is there", reads: 1},
		{name: "an owner that is not there", fails: missing, gone: true, reads: 1},
		{name: "an owner that may not be read", fails: forbidden, unread: true, reads: 1},
		{name: "an API server that is away is asked again", fails: errors.New("connection refused"), reads: 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				owners, reader := chosenSets(), &sets{fails: test.fails}
				for i := range 1000 {
					facts, _, err := owners.Of(t.Context(), nil, reader, ofSet(fmt.Sprint("v", i)))
					if (err != nil) != (test.reads > 1) {
						t.Fatal(err)
					}
					if err == nil && (facts[0].Unread != test.unread || facts[0].Gone != test.gone) {
						t.Fatalf("%+v", facts)
					}
				}
				if len(reader.versions) != test.reads || reader.versions[0] != "v1" {
					t.Errorf("it reads %d times, first %s", len(reader.versions), reader.versions[0])
				}
			})
		})
	}
}

func TestAnOwnerThatChangesIsSeenAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owners, reader := chosenSets(), &sets{}
		facts, read, err := owners.Of(t.Context(), nil, reader, ofSet("v1"))
		if err != nil || facts[0].Gone || len(read[0].Annotations) != 1 || read[0].ManagedFields != nil {
			t.Fatalf("%+v, %v", facts, err)
		}
		reader.deleted = true
		time.Sleep(ownerFor)
		if facts, _, err = owners.Of(t.Context(), nil, reader, ofSet("v1")); err != nil || !facts[0].Gone {
			t.Errorf("%+v, %v", facts, err)
		}
	})
}

func TestAnOwnerOfTheSameNameWithAnotherUIDIsGone(t *testing.T) {
	owners, reader := chosenSets(), &sets{}
	pod := ofSet("v1")
	pod.OwnerReferences[0].UID = "other"
	for range 2 {
		if facts, _, err := owners.Of(t.Context(), nil, reader, pod); err != nil || !facts[0].Gone {
			t.Errorf("%+v, %v", facts, err)
		}
	}
}

func TestManyOwnersAreNotAllRemembered(t *testing.T) {
	owners, reader := chosenSets(), &sets{}
	for i := range 2 * ownersKept {
		pod := ofSet("v1")
		pod.OwnerReferences[0].Name = fmt.Sprint(i)
		if _, _, err := owners.Of(t.Context(), nil, reader, pod); err != nil {
			t.Fatal(err)
		}
		if want := i%ownersKept + 1; len(owners.owners) != want {
			t.Fatalf("after %d owners %d are remembered, want %d", i+1, len(owners.owners), want)
		}
	}
}

// Where the CRD was removed, nobody can tell what the owner would do: that is no reason to try again and again.
func TestAnOwnerOfAChosenKindThatTheClusterDoesNotHaveIsNotRead(t *testing.T) {
	owners, reader := chosenSets(), &sets{}
	owners.Served = meta.NewDefaultRESTMapper(nil)
	facts, read, err := owners.Of(t.Context(), nil, reader, ofSet("v1"))
	if err != nil || !facts[0].Unread || facts[0].Gone || len(read) > 0 || len(reader.versions) > 0 {
		t.Errorf("after %d reads it is known: %+v, %v", len(reader.versions), facts, err)
	}
	if successor, err := owners.Successor(t.Context(), reader, ofSet("v1")); successor != nil || !meta.IsNoMatchError(err) || len(reader.versions) > 0 {
		t.Errorf("after %d reads its successor is %v, %v", len(reader.versions), successor, err)
	}
}

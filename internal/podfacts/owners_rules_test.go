package podfacts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var absent = apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "replicasets"}, "web")

// shelf has the metadata of owners by name.
type shelf struct {
	client.Reader
	owners map[string]*metav1.PartialObjectMetadata
	fails  error
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found := s.owners[key.Name]
	switch {
	case s.fails != nil:
		return s.fails
	case found == nil || key.Namespace != "n":
		return absent
	}
	found.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	return nil
}

// owned is what a controller made: the kind, name and UID of that controller are given as one word.
func owned(by string) metav1.ObjectMeta {
	part := strings.Split(by, "/")
	return metav1.ObjectMeta{Namespace: "n", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "bystander", UID: "bystander"},
		{APIVersion: "apps/v1", Kind: part[0], Name: part[1], UID: types.UID(part[2]), Controller: ptr.To(true)},
	}}
}

// A pod that is deleted is lost where nobody recreates it: an owner is there only where it was read, is the one that made the pod, and stays.
func TestWhatIsKnownOfAnOwner(t *testing.T) {
	sets := schema.GroupResource{Group: "apps", Resource: "replicasets"}
	for _, test := range []struct {
		name, by     string
		there        metav1.ObjectMeta
		fails        error
		unread, gone bool
		tried        bool
	}{
		{name: "it is there", by: "ReplicaSet/web/o", there: metav1.ObjectMeta{UID: "o"}},
		{name: "a namesake of it is there", by: "ReplicaSet/web/o", there: metav1.ObjectMeta{UID: "later"}, gone: true},
		{name: "it is being deleted", by: "ReplicaSet/web/o", there: metav1.ObjectMeta{UID: "o", DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}, gone: true},
		{name: "it is not there", by: "ReplicaSet/other/o", gone: true},
		{name: "it may not be read", by: "ReplicaSet/web/o", fails: apierrors.NewForbidden(sets, "web", nil), unread: true},
		{name: "the API server does not have its kind", by: "ReplicaSet/web/o", fails: &meta.NoKindMatchError{}, unread: true},
		{name: "the API server is away", by: "ReplicaSet/web/o", fails: errors.New("connection refused"), tried: true},
		{name: "nobody knows what its kind does", by: "Rollout/web/o", there: metav1.ObjectMeta{UID: "o"}, unread: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.there.Annotations = map[string]string{"regcred.dev/pod-recovery": "Disabled"}
			metadata := &shelf{owners: map[string]*metav1.PartialObjectMetadata{"web": {ObjectMeta: test.there}}, fails: test.fails}
			facts, read, err := new(Owners).Of(t.Context(), metadata, nil, &corev1.Pod{ObjectMeta: owned(test.by)})
			if (err != nil) != test.tried || len(facts) == 0 != test.tried {
				t.Fatalf("%+v, %v", facts, err)
			}
			if test.tried {
				return
			}
			there := !test.unread && !test.gone
			if one := facts[0]; one.APIVersion != "apps/v1" || one.Kind != strings.Split(test.by, "/")[0] || one.Unread != test.unread || one.Gone != test.gone || len(one.Annotations) > 0 != there || len(read) > 0 != there {
				t.Errorf("it is known of it: %+v", one)
			}
		})
	}
}

// People opt out at a Deployment, and not at the ReplicaSet that it made.
func TestHowFarUpOwnersAreKnown(t *testing.T) {
	made := func(uid, by string) *metav1.PartialObjectMetadata {
		one := &metav1.PartialObjectMetadata{}
		if by != "" {
			one.ObjectMeta = owned(by)
		}
		one.UID = types.UID(uid)
		return one
	}
	for _, test := range []struct {
		name   string
		owners map[string]*metav1.PartialObjectMetadata
		want   []string
		read   int
	}{
		{"a ReplicaSet alone", map[string]*metav1.PartialObjectMetadata{"set": made("s", "")}, []string{"set"}, 1},
		{"a ReplicaSet of a Deployment", map[string]*metav1.PartialObjectMetadata{"set": made("s", "Deployment/web/w"), "web": made("w", "")}, []string{"set", "web"}, 2},
		{"a Deployment that is gone", map[string]*metav1.PartialObjectMetadata{"set": made("s", "Deployment/web/w")}, []string{"set", "web"}, 1},
		{"a Deployment of a kind that is not known", map[string]*metav1.PartialObjectMetadata{"set": made("s", "Deployment/web/w"), "web": made("w", "App/shop/a")},
			[]string{"set", "web", "shop"}, 2},
		{"owners that own each other", map[string]*metav1.PartialObjectMetadata{"set": made("s", "Deployment/web/w"), "web": made("w", "ReplicaSet/set/s")},
			[]string{"set", "web", "set"}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts, read, err := new(Owners).Of(t.Context(), &shelf{owners: test.owners}, nil, &corev1.Pod{ObjectMeta: owned("ReplicaSet/set/s")})
			var got []string
			for _, one := range facts {
				got = append(got, one.Name)
			}
			if err != nil || !slices.Equal(got, test.want) || len(read) != test.read {
				t.Errorf("%q, of which %d were read: %v", got, len(read), err)
			}
		})
	}
	if facts, _, err := new(Owners).Of(t.Context(), nil, nil, &corev1.Pod{}); err != nil || len(facts) > 0 {
		t.Errorf("a pod without an owner has %+v: %v", facts, err)
	}
}

// templates has the ReplicaSet of a pod as it is read for its template, and notes how often it was.
type templates struct {
	client.Reader
	secrets []corev1.LocalObjectReference
	fails   error
	reads   int
}

func (s *templates) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	s.reads++
	into.(*appsv1.ReplicaSet).Spec.Template.Spec.ImagePullSecrets = s.secrets
	return s.fails
}

// Whether a pod's list of pull secrets is its own is said by the template of the owner that made it, and of none above.
func TestWhenATemplateIsRead(t *testing.T) {
	lists := corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "own"}}}
	var many []corev1.LocalObjectReference
	for i := range 100 {
		many = append(many, corev1.LocalObjectReference{Name: fmt.Sprint(i)})
	}
	for _, test := range []struct {
		name   string
		pod    corev1.PodSpec
		has    []corev1.LocalObjectReference
		fails  error
		reads  int
		listed int // -1: there is no template
		tried  bool
	}{
		{name: "a pod that lists none", has: lists.ImagePullSecrets, listed: -1},
		{name: "a template that lists the same", pod: lists, has: lists.ImagePullSecrets, reads: 1, listed: 1},
		{name: "a template that lists none", pod: lists, reads: 1},
		{name: "a template of many", pod: lists, has: many, reads: 1, listed: maxTemplateSecrets},
		{name: "an owner that went meanwhile", pod: lists, fails: absent, reads: 1, listed: -1},
		{name: "an API server that is away", pod: lists, fails: errors.New("connection refused"), reads: 1, tried: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			metadata := &shelf{owners: map[string]*metav1.PartialObjectMetadata{
				"set": {ObjectMeta: owned("ReplicaSet/web/w")}, "web": {ObjectMeta: metav1.ObjectMeta{UID: "w"}},
			}}
			metadata.owners["set"].UID = "s"
			objects := &templates{secrets: test.has, fails: test.fails}
			facts, _, err := new(Owners).Of(t.Context(), metadata, objects, &corev1.Pod{ObjectMeta: owned("ReplicaSet/set/s"), Spec: test.pod})
			if (err != nil) != test.tried || objects.reads != test.reads {
				t.Fatalf("%d reads: %v", objects.reads, err)
			}
			if test.tried {
				return
			}
			listed := -1
			if facts[0].Template != nil {
				listed = len(facts[0].Template.PullSecrets)
			}
			if listed != test.listed || facts[1].Template != nil {
				t.Errorf("the template lists %d, and that of the owner above has %+v", listed, facts[1].Template)
			}
		})
	}
}

// A template changes with a new generation of its owner; another owner of the name has another one.
func TestATemplateIsReadAgainWhenItMayBeAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		owner := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "s", Generation: 1}}
		metadata, objects := &shelf{owners: map[string]*metav1.PartialObjectMetadata{"set": owner}}, &templates{secrets: []corev1.LocalObjectReference{{Name: "own"}}}
		pod := &corev1.Pod{ObjectMeta: owned("ReplicaSet/set/s"), Spec: corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "own"}}}}
		var owners Owners
		look := func(when string, want int) {
			t.Helper()
			facts, _, err := owners.Of(t.Context(), metadata, objects, pod)
			if err != nil || objects.reads != want || facts[0].Template == nil || !slices.Equal(facts[0].Template.PullSecrets, []string{"own"}) {
				t.Errorf("%s: %d reads, want %d: %+v, %v", when, objects.reads, want, facts, err)
			}
		}
		look("at first", 1)
		look("again", 1)
		owner.Generation++
		look("after a change", 2)
		owner.UID, pod.OwnerReferences[1].UID = "another", "another"
		look("of another one of the name", 3)
		time.Sleep(templateFor - time.Nanosecond)
		look("a while later", 3)
		time.Sleep(time.Nanosecond)
		look("after ten minutes", 4)
	})
}

func TestManyTemplatesAreNotAllRemembered(t *testing.T) {
	owner := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: "s"}}
	metadata, objects := &shelf{owners: map[string]*metav1.PartialObjectMetadata{"set": owner}}, &templates{}
	pod := &corev1.Pod{ObjectMeta: owned("ReplicaSet/set/s"), Spec: corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "own"}}}}
	var owners Owners
	for i := range 2 * templatesKept {
		owner.Generation++
		if _, _, err := owners.Of(t.Context(), metadata, objects, pod); err != nil {
			t.Fatal(err)
		}
		if want := i%templatesKept + 1; len(owners.templates) != want {
			t.Fatalf("after %d templates %d are remembered, want %d", i+1, len(owners.templates), want)
		}
	}
}

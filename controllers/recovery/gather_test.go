package recovery

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/named"
)

func TestWhichPodsAreLookedAt(t *testing.T) {
	r, _ := cured(t)
	stuck, fine := ordinal("web", "a", true), ordinal("web", "a", false)
	only := r.onStuck()
	if !only.Create(event.TypedCreateEvent[*corev1.Pod]{Object: stuck}) || only.Create(event.TypedCreateEvent[*corev1.Pod]{Object: fine}) {
		t.Error("of new pods those that are stuck are looked at")
	}
	for _, c := range []struct {
		before, after *corev1.Pod
		want          bool
	}{{stuck, fine, true}, {fine, stuck, true}, {stuck, stuck, true}, {fine, fine, false}} {
		if got := only.Update(event.TypedUpdateEvent[*corev1.Pod]{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("stuck %t, then %t: looked at is %t", diagnosis.IsStuck(c.before), diagnosis.IsStuck(c.after), got)
		}
	}
	left := event.TypedDeleteEvent[*corev1.Pod]{Object: fine}
	if only.Delete(left) {
		t.Error("a pod of which nothing is known is looked at when it runs")
	}
	r.memories.news(client.ObjectKeyFromObject(fine), fine.UID, diagnosis.Verdict{})
	if !only.Delete(left) {
		t.Error("what was said of a pod is not forgotten when it runs")
	}
	r.memories.forget(client.ObjectKeyFromObject(fine))
	r.successors.expect(fine, diagnosis.Verdict{Action: diagnosis.Repull}, r.Now())
	if !only.Delete(left) {
		t.Error("a pod that was expected to run is not counted")
	}
}

func TestWhichChangesWakePods(t *testing.T) {
	object := func(change func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
		o := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		change(o)
		return o
	}
	same := func(*v1alpha1.RegistryCredential) {}
	for _, c := range []struct {
		name   string
		change func(*v1alpha1.RegistryCredential)
		want   bool
	}{
		{"nothing", same, false},
		{"the spec", func(o *v1alpha1.RegistryCredential) { o.Generation = 2 }, true},
		{"it was deleted and created again while no watch stood", func(o *v1alpha1.RegistryCredential) { o.UID = "another" }, true},
		{"since when pods are injected", func(o *v1alpha1.RegistryCredential) { o.Status.Attachment = &v1alpha1.AttachmentStatus{} }, true},
		{"another part of the status", func(o *v1alpha1.RegistryCredential) { o.Status.Pods = &v1alpha1.PodsStatus{Stuck: 1} }, false},
	} {
		if got := onSpec().Update(event.TypedUpdateEvent[*v1alpha1.RegistryCredential]{ObjectOld: object(same), ObjectNew: object(c.change)}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	namespace := func(labels, annotations map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}}
	}
	team := map[string]string{"team": "shop"}
	for _, c := range []struct {
		after *corev1.Namespace
		want  bool
	}{{namespace(nil, nil), false}, {namespace(team, nil), true}, {namespace(nil, team), true}} {
		if got := onMetadata[*corev1.Namespace]().Update(event.TypedUpdateEvent[*corev1.Namespace]{ObjectOld: namespace(nil, nil), ObjectNew: c.after}); got != c.want {
			t.Errorf("%v, %v: %t", c.after.Labels, c.after.Annotations, got)
		}
	}
}

// refusing answers each read by name with an error.
type refusing struct {
	everyName
	err error
}

func (r refusing) Get(context.Context, client.ObjectKey, client.Object) error { return r.err }

func TestWhatIsKnownOfASecretAndAServiceAccountThatCannotBeRead(t *testing.T) {
	away := errors.New("away")
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "regcred")
	for _, c := range []struct {
		name            string
		err             error
		unread, missing bool
		fails           bool
	}{
		{"the operator was not given the name", named.ErrNotAllowed, true, false, false},
		{"it is not there", missing, false, true, false},
		{"nobody answers", away, false, false, true},
	} {
		r, _ := cured(t)
		r.Secrets, r.ServiceAccounts = refusing{err: c.err}, refusing{err: c.err}
		pod := thePod(t, r.Writer)
		secrets, err := r.secrets(t.Context(), pod, nil)
		if (err != nil) != c.fails || secrets["regcred"].Unread != c.unread || secrets["regcred"].Missing != c.missing {
			t.Errorf("%s: %+v, %v", c.name, secrets, err)
		}
		account, err := r.account(t.Context(), pod)
		if (err != nil) != c.fails || account.Unread != c.unread || account.Missing != c.missing || !c.fails && account.Name != "default" {
			t.Errorf("%s: %+v, %v", c.name, account, err)
		}
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	r, _ := cured(t)
	r.Secrets, r.ServiceAccounts = refusing{err: named.ErrNotHeld}, refusing{err: named.ErrNotHeld}
	pod := thePod(t, r.Writer)
	if account, err := r.account(t.Context(), pod); err != nil || !account.Unread {
		t.Errorf("one that no cache holds: %+v, %v", account, err)
	}
	pod.Spec.ServiceAccountName = "builder"
	if account, err := r.account(t.Context(), pod); err != nil || account.Name != "builder" {
		t.Errorf("%+v, %v", account, err)
	}
	if secrets, err := r.secrets(t.Context(), pod, []diagnosis.Credential{{SecretName: "other"}}); err != nil || len(secrets) != 2 {
		t.Errorf("%+v, %v", secrets, err)
	}
}

func TestPodsOfRunnersAreFoundByNamespace(t *testing.T) {
	var s runners
	a, b := types.NamespacedName{Namespace: "a", Name: "x"}, types.NamespacedName{Namespace: "b", Name: "x"}
	s.add(a)
	s.add(b)
	if got := s.in("a"); len(got) != 1 || got[0] != a {
		t.Errorf("%v", got)
	}
	if got := s.in(""); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if s.remove(a); s.knows(a) || !s.knows(b) {
		t.Error("another one is removed")
	}
}

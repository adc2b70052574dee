package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestNothingBadIsPublished plays the worst automation: a wrong password in Vault, a password that changes at the registry alone.
// The program, Vault and registry are the real ones.
func TestNothingBadIsPublished(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 10) // as many as are looked at for images in use
	r.rotate(t, "good")
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "good") })
	// No pod uses an image of the registry yet: a login is all that can be tried.
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionTrue, v1alpha1.ReasonLoginAccepted))

	t.Run("a wrong password in Vault changes no Secret and is said within a refresh period", func(t *testing.T) {
		before := r.resourceVersions(t, namespaces)
		r.setVault(t, "wrong")
		awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
		for namespace, version := range r.resourceVersions(t, namespaces) {
			if version != before[namespace] {
				t.Errorf("the Secret of %s was written", namespace)
			}
		}
	})
	t.Run("the right one is published within a refresh period", func(t *testing.T) {
		r.rotate(t, "better")
		awaitWithin(t, 20*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "better") })
		awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	})
	t.Run("a password that changes at the registry alone is noticed when it refuses a pod, and heals when Vault follows", func(t *testing.T) {
		r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) { *s.Verification.PeriodSeconds = 3600 })
		r.setVault(t, "wrong again") // what is in use is watched also while a wrong value waits
		awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
		r.setRegistry(t, "newest")
		r.refusedPod(t, namespaces[0])
		awaitWithin(t, 90*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted))
		if err := r.allHold(t.Context(), namespaces, "better"); err != nil {
			t.Errorf("the published value did not stay: %v", err)
		}
		r.setVault(t, "newest")
		awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "newest") })
		awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionTrue, v1alpha1.ReasonAccepted))
	})
}

// TestACrashLoopDoesNotLockTheAccount starts and kills the operator twenty times with a wrong password in Vault.
func TestACrashLoopDoesNotLockTheAccount(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	r.makeNamespaces(t, 1)
	r.setRegistry(t, "right")
	r.setVault(t, "wrong")
	r.applyCredential(t)
	begun := time.Now()
	for range 20 {
		r.start(t)
		<-time.After(time.Second) // how long each life of the loop lasts
		r.kill(t)
	}
	r.start(t)
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
	took := time.Since(begun)
	requests, err := r.registry.Requests(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	logins := 0
	for _, request := range requests.Requests {
		if request.User == "robot" {
			logins++
		}
	}
	if allowed := 1 + int(took/(30*time.Second)); logins == 0 || logins > allowed {
		t.Errorf("%d logins with the wrong password in %s, want 1 to %d", logins, took.Round(time.Second), allowed)
	}
}

// TestARegistryThatOnlyNodesReachDoesNotBlockRotation has the registry out of the operator's reach.
func TestARegistryThatOnlyNodesReachDoesNotBlockRotation(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 2)
	r.setRegistry(t, "right")
	r.setVault(t, "right")
	if err := r.registry.SetFaults(t.Context(), box.Fault{Path: "/", Status: 503}); err != nil {
		t.Fatal(err)
	}
	hold := int32(10)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Verification = &v1alpha1.Verification{HoldSeconds: &hold}
	})
	r.start(t)
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonHeld))
	awaitWithin(t, 40*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "right") })
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonUnproven))

	r.rotate(t, "next")
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "next") })
	// The password before may be the only one that works.
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonUnproven))
	if err := r.registry.SetFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitWithin(t, 2*time.Minute, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused))
}

// refusedPod makes a pod that has the published value, and that the registry refuses.
func (r *operatorRun) refusedPod(t *testing.T, namespace string) {
	t.Helper()
	r.push(t, "shop/app:1")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "refused"},
		Spec: corev1.PodSpec{
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}},
			Containers:       []corev1.Container{{Name: "app", Image: r.registry.Basic + "/shop/app:1"}},
		},
	}
	if err := r.admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Image: pod.Spec.Containers[0].Image, State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: fmt.Sprintf(
			"Back-off pulling image %q: ErrImagePull: failed to pull and unpack image %[1]q: failed to resolve image: unexpected status from HEAD request to http://%s/v2/shop/app/manifests/1: 401 Unauthorized",
			pod.Spec.Containers[0].Image, r.registry.Basic)},
	}}}
	if err := r.admin.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// push makes an image.
func (r *operatorRun) push(t *testing.T, reference string) {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.registry.Push(t.Context(), reference, image); err != nil {
		t.Fatal(err)
	}
}

func (r *operatorRun) setVault(t *testing.T, password string) {
	t.Helper()
	r.setVaultAs(t, "robot", password)
}

func (r *operatorRun) setVaultAs(t *testing.T, user, password string) {
	t.Helper()
	if _, err := r.vault.WriteKV2(t.Context(), "secret", operatorPath, map[string]any{"username": user, "password": password}); err != nil {
		t.Fatal(err)
	}
}

func (r *operatorRun) setRegistry(t *testing.T, password string) {
	t.Helper()
	if err := r.registry.SetUser(t.Context(), box.User{Name: "robot", Password: password, Pull: []string{""}}); err != nil {
		t.Fatal(err)
	}
}

func (r *operatorRun) condition(kind string, status metav1.ConditionStatus, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(ctx, client.ObjectKey{Name: "company"}, &object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(object.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("want %s %s %s, have %+v", kind, status, reason, c)
		}
		return nil
	}
}

func (r *operatorRun) resourceVersions(t *testing.T, namespaces []string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, namespace := range namespaces {
		secret := metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
		if err := r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret); err != nil {
			t.Fatal(err)
		}
		versions[namespace] = secret.ResourceVersion
	}
	return versions
}

// TestAnImageOfAnotherTeamDoesNotBlockRotation has one pod in the target namespaces, whose image belongs to another credential.
func TestAnImageOfAnotherTeamDoesNotBlockRotation(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 2)
	if err := r.registry.SetUser(t.Context(), box.User{Name: "robot", Password: "right", Pull: []string{"shop/"}}); err != nil {
		t.Fatal(err)
	}
	r.setVault(t, "right")
	r.push(t, "others/app:1")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaces[0], Name: "of-another-team"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: r.registry.Basic + "/others/app:1"}}},
	}
	if err := r.admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	hold := int32(10)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.Verification = &v1alpha1.Verification{HoldSeconds: &hold}
	})
	r.start(t)
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionVerified, metav1.ConditionUnknown, v1alpha1.ReasonHeld))
	awaitWithin(t, 40*time.Second, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "right") })

	t.Run("a new value that opens less than the one in use is refused", func(t *testing.T) {
		r.setRegistry(t, "right") // who may pull everything
		r.narrowUser(t, "narrow")
		r.setVaultAs(t, "narrow", "narrow")
		awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
		r.setVault(t, "right")
		awaitWithin(t, time.Minute, func(ctx context.Context) error {
			if r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected)(ctx) == nil {
				return fmt.Errorf("it is still refused")
			}
			return nil
		})
	})
	t.Run("of two paths of one registry both are tested, with one login", func(t *testing.T) {
		r.edit(t, func(s *v1alpha1.RegistryCredentialSpec) {
			shop, others := r.registry.Basic+"/shop/", r.registry.Basic+"/others/"
			s.Registries = []v1alpha1.Registry{v1alpha1.Registry(shop), v1alpha1.Registry(others)}
			s.Verification.Images = []string{shop + "app:1", others + "app:1"}
		})
		r.push(t, "shop/app:1")
		r.narrowUser(t, "narrower")
		if err := r.registry.ClearRequests(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.setVaultAs(t, "narrow", "narrower")
		awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonRejected))
		seen, err := r.registry.Requests(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, request := range seen.Requests {
			if request.User == "narrow" {
				asked = append(asked, request.Method+" "+request.Path)
			}
		}
		want := []string{"GET /v2/", "HEAD /v2/others/app/manifests/1", "HEAD /v2/shop/app/manifests/1"}
		slices.Sort(asked) // which image comes first does not matter
		if !slices.Equal(asked, want) {
			t.Errorf("asked as narrow: %q, want %q", asked, want)
		}
	})
}

// narrowUser may pull of the registry what is in shop/ alone.
func (r *operatorRun) narrowUser(t *testing.T, password string) {
	t.Helper()
	if err := r.registry.SetUser(t.Context(), box.User{Name: "narrow", Password: password, Pull: []string{"shop/"}}); err != nil {
		t.Fatal(err)
	}
}

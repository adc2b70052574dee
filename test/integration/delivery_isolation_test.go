package integration

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/silentserver"
)

// obstacle is one way in which a namespace refuses.
type obstacle struct {
	reason, message string
	// put makes the obstacle, and returns what takes it away.
	put func(t *testing.T, rig *deliveryRig, namespace string) (remove func(*testing.T))
}

func obstacles() []obstacle {
	return []obstacle{
		{v1alpha1.ReasonQuotaExceeded, "ResourceQuota no-secrets is used up", quotaForSecrets},
		{v1alpha1.ReasonForbidden, "ValidatingAdmissionPolicy refuses-iso.shop.example refuses the write", refusingPolicy},
		{v1alpha1.ReasonWriteRefused, `admission webhook hangs.shop.example does not answer`, hangingWebhook},
		{v1alpha1.ReasonNamespaceTerminating, "the namespace is being deleted", terminating},
		{v1alpha1.ReasonForeignSecret, "Secret regcred was made by hand", secretOfOthers},
	}
}

// isolation lets five of two hundred namespaces refuse, each in its own way, and compares how soon the others are fresh with a
// run without the five.
func isolation(t *testing.T, rig *deliveryRig) {
	const healthy = 195
	values, notes := &shelf{}, &traffic{}
	rig.start(t, runOptions{shelf: values, transport: notes.wrap})
	teams := rig.teams(t, healthy, map[string]string{"iso": "yes"})
	values.put("iso", "password-0")
	rig.credential(t, "iso", "registry.example", withLabels("iso", "yes"))
	eventually(t, "all are served", func(ctx context.Context) error { return rig.tells(ctx, "iso", "1", healthy, healthy) })
	rotation := 1
	rotate := func(t *testing.T) time.Duration {
		t.Helper()
		rotation++
		begin := time.Now()
		rig.rotate(t, values, "iso", fmt.Sprintf("password-%d", rotation))
		return notes.lastOf(t, teams, begin)
	}
	alone := max(rotate(t), rotate(t))

	refusing := time.Now()
	all, five := obstacles(), make([]string, 5)
	removals := make([]func(*testing.T), 5)
	for i, o := range all {
		five[i] = rig.team(t, nil)
		removals[i] = o.put(t, rig, five[i])
		rig.label(t, five[i], `{"iso":"yes"}`)
	}
	t.Run("the others are fresh within a second of what a run without the five takes", func(t *testing.T) {
		together := rotate(t)
		for try := 0; try < 3 && together > alone+time.Second; try++ { // the machine may have been busy with something else
			together = min(together, rotate(t))
		}
		t.Logf("195 namespaces alone: %s, with five that refuse: %s", alone, together)
		if together > alone+time.Second {
			t.Errorf("they hold the others up for %s", together-alone)
		}
	})
	for i, o := range all {
		t.Run(fmt.Sprintf("the status names the namespace with %s", o.reason), func(t *testing.T) {
			eventually(t, "it does", func(ctx context.Context) error { return rig.failure(ctx, "iso", five[i], o.reason, o.message) })
		})
	}
	eventually(t, "the counts are right", func(ctx context.Context) error { return rig.counts(ctx, "iso", healthy+4, healthy, 5) })
	t.Run("events are summed up", func(t *testing.T) { rig.summedUp(t, "iso", rotation) })
	t.Run("the status is written once a second at most", func(t *testing.T) { notes.statusIsPaced(t, "iso") })
	for _, remove := range removals {
		remove(t)
	}
	// A namespace that refuses is tried again after waits that double, so the next is no longer than it has refused.
	awaitWithin(t, max(30*time.Second, time.Since(refusing)), func(ctx context.Context) error { return rig.counts(ctx, "iso", healthy+5, healthy+5, 0) })
	t.Run("the status is written once a second at most while all is removed", func(t *testing.T) { pacedRemoval(t, rig, notes) })
}

// lastOf waits until the Secret of each namespace was written after a moment, and returns how long after.
func (n *traffic) lastOf(t *testing.T, namespaces []string, begin time.Time) time.Duration {
	t.Helper()
	last := time.Duration(0)
	eventually(t, "all namespaces are fresh", func(context.Context) error {
		fresh := map[string]bool{}
		for _, w := range n.all(func(w write) bool { return w.resource == "secrets" && w.code < 300 && w.at.After(begin) }) {
			if slices.Contains(namespaces, w.namespace) {
				fresh[w.namespace], last = true, max(last, w.at.Sub(begin))
			}
		}
		if len(fresh) < len(namespaces) {
			return fmt.Errorf("%d of %d", len(fresh), len(namespaces))
		}
		return nil
	})
	return last
}

// counts reports whether a status counts so many namespaces as selected, synced and failing.
func (rig *deliveryRig) counts(ctx context.Context, name string, selected, synced int32, failing int) error {
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	if n := object.Status.Namespaces; n == nil || n.Selected != selected || n.Synced != synced || len(n.Failures) != failing {
		return fmt.Errorf("the status of %s says: %+v", name, n)
	}
	return nil
}

// summedUp sees that there are no more events than the rotations and the ways to fail explain, and none of them in the namespaces.
func (rig *deliveryRig) summedUp(t *testing.T, name string, rotations int) {
	var told []string
	eventually(t, "people are told that namespaces fail", func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := rig.admin.List(ctx, &list); err != nil {
			return err
		}
		told = nil
		for _, e := range list.Items {
			if e.Regarding.Name == name || e.Related != nil && e.Related.Name == name {
				told = append(told, fmt.Sprintf("%s/%s %s: %s", e.Namespace, e.Regarding.Name, e.Reason, e.Note))
			}
		}
		if !slices.ContainsFunc(told, func(e string) bool { return strings.Contains(e, "namespaces are not served; the first, team-") }) {
			return fmt.Errorf("the events are:\n%s", strings.Join(told, "\n"))
		}
		return nil
	})
	if allowed := rotations + len(obstacles()); len(told) > allowed {
		t.Errorf("there are %d events, at most %d are explained:\n%s", len(told), allowed, strings.Join(told, "\n"))
	}
	for _, e := range told {
		if strings.HasPrefix(e, "team-") {
			t.Errorf("an event in a namespace: %s", e)
		}
	}
}

// statusIsPaced sees that no two writes of a status are closer than a second.
func (n *traffic) statusIsPaced(t *testing.T, name string) {
	t.Helper()
	writes := n.all(func(w write) bool { return w.resource == "registrycredentials" && w.name == name+"/status" })
	if len(writes) < 3 {
		t.Fatalf("the status was written %d times: that proves nothing", len(writes))
	}
	for i := 1; i < len(writes); i++ {
		// The pause is between the end of one write and the begin of the next, and only the ends are known.
		if gap := writes[i].at.Sub(writes[i-1].at); gap < time.Second-10*time.Millisecond {
			t.Errorf("two writes of the status are %s apart", gap)
		}
	}
}

// pacedRemoval deletes the RegistryCredential with all that it wrote.
func pacedRemoval(t *testing.T, rig *deliveryRig, notes *traffic) {
	rig.edit(t, "iso", func(c *v1alpha1.RegistryCredential) { c.Spec.DeletionPolicy = v1alpha1.DeletionDelete })
	eventually(t, "it has its finalizer", func(ctx context.Context) error {
		if len(rig.get(t, "iso").Finalizers) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if err := rig.admin.Delete(t.Context(), rig.get(t, "iso")); err != nil {
		t.Fatal(err)
	}
	rig.confirmRemoval(t, "iso")
	eventually(t, "it is gone", func(ctx context.Context) error { return rig.gone(ctx, "iso") })
	notes.statusIsPaced(t, "iso")
}

// The obstacles.

func quotaForSecrets(t *testing.T, rig *deliveryRig, namespace string) func(*testing.T) {
	none := corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("0")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-secrets"}, Spec: corev1.ResourceQuotaSpec{Hard: none}}
	rig.create(t, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none} // what the quota controller would find
	if err := rig.admin.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	return rig.removal(quota)
}

func (rig *deliveryRig) removal(objects ...client.Object) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		for _, object := range objects {
			if err := rig.admin.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
				t.Error(err)
			}
		}
	}
}

func refusingPolicy(t *testing.T, rig *deliveryRig, namespace string) func(*testing.T) {
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "refuses-iso.shop.example"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: onlyNamespace(namespace),
				ResourceRules:     []admissionv1.NamedRuleWithOperations{{RuleWithOperations: everySecret()}},
			},
			Validations: []admissionv1.Validation{{Expression: "false"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: policy.ObjectMeta,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	rig.create(t, policy)
	rig.create(t, binding)
	remove := rig.removal(binding, policy)
	t.Cleanup(func() { remove(t) })
	rig.awaitRefusal(t, namespace)
	return remove
}

// awaitRefusal waits until the API server knows of an obstacle.
func (rig *deliveryRig) awaitRefusal(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the obstacle is in force", func(ctx context.Context) error {
		if client.NewDryRunClient(rig.admin).Create(ctx, theirSecret(namespace)) == nil {
			return errors.New("a Secret could be made")
		}
		return nil
	})
}

func onlyNamespace(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: name}}
}

func everySecret() admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
	}
}

// hangingWebhook lets each write wait for two seconds, and then fail.
func hangingWebhook(t *testing.T, rig *deliveryRig, namespace string) func(*testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body) // or else the end of the connection is not noticed
		silentserver.Handle(w, request)
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	webhook := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "hangs.shop.example"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "hangs.shop.example", ClientConfig: admissionv1.WebhookClientConfig{URL: ptr.To(server.URL), CABundle: ca},
			Rules: []admissionv1.RuleWithOperations{everySecret()}, NamespaceSelector: onlyNamespace(namespace), FailurePolicy: ptr.To(admissionv1.Fail),
			SideEffects: ptr.To(admissionv1.SideEffectClassNoneOnDryRun), TimeoutSeconds: ptr.To[int32](2), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	rig.create(t, webhook)
	remove := rig.removal(webhook)
	t.Cleanup(func() { remove(t) })
	rig.awaitRefusal(t, namespace)
	return remove
}

// terminating begins to delete a namespace. Nobody here ends it, as where a finalizer hangs.
func terminating(t *testing.T, rig *deliveryRig, name string) func(*testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	rig.removal(namespace)(t)
	return func(t *testing.T) {
		t.Helper()
		if err := rig.admin.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace); err != nil {
			t.Fatal(err)
		}
		namespace.Spec.Finalizers = nil
		if err := rig.admin.SubResource("finalize").Update(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		rig.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"iso": "yes"}}})
	}
}

func secretOfOthers(t *testing.T, rig *deliveryRig, namespace string) func(*testing.T) {
	secret := theirSecret(namespace)
	rig.create(t, secret)
	return rig.removal(secret)
}

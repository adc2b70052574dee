package integration

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestAPodIsNotRestartedWhereItsSuccessorWouldBeRefused: what admission says of the successor comes first, also what it learnt after the pod
// was created.
func TestAPodIsNotRestartedWhereItsSuccessorWouldBeRefused(t *testing.T) {
	t.Parallel()
	registry := startRegistry(t)
	rig := startRecovery(t, registry.prober, func(_ *recoveryRig, controller *curing) { controller.SuccessorFirst = true })
	for _, test := range []struct {
		name string
		// meanwhile changes the place after the pod was created.
		meanwhile func(t *testing.T, p *place)
		// verdict without a restart, with a word of its event. Empty for a restart.
		verdict, word string
	}{
		{name: "nothing stands in its way", meanwhile: func(*testing.T, *place) {}},
		{name: "a quota is full because the pod is still there", meanwhile: func(t *testing.T, p *place) { p.quota(t, "1") }},
		{name: "a quota was lowered", meanwhile: func(t *testing.T, p *place) { p.quota(t, "0") }, verdict: "Report/SuccessorRefused", word: "exceeded quota"},
		{name: "Pod Security was tightened", meanwhile: func(t *testing.T, p *place) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.name}}
			rig.must(t, rig.admin.Patch(t.Context(), namespace, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`))))
		}, verdict: "Report/SuccessorRefused", word: "violates PodSecurity"},
		{name: "a webhook cannot be reached", meanwhile: func(t *testing.T, p *place) { p.deadWebhook(t) }, verdict: "Wait/SuccessorUnknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := rig.place(t, registry.here)
			p.deliver(t, "1")
			image := registry.image("shop/web")
			set := p.owner(t, "ReplicaSet", func(object client.Object) { templateOf(object).Containers[0].Image = image })
			pod := p.pod(t, set, ofImage(image))
			test.meanwhile(t, p)
			awaitNextSecond(t)
			p.deliver(t, "2")
			if test.verdict == "" {
				rig.hangs(t, pod, authFailed)
				rig.awaitRestart(t, pod)
				return
			}
			rig.expect(t, test.verdict, func() { rig.hangs(t, pod, authFailed) })
			if test.word != "" {
				await(t, "an event that tells of "+test.word, func() bool {
					for _, note := range rig.notes(t, pod) {
						if note.Reason == "SuccessorRefused" && strings.Contains(note.Note, test.word) {
							return true
						}
					}
					return false
				})
			}
			if rig.restarted(t, pod) {
				t.Error("the pod was restarted")
			}
		})
	}
}

var errTaken = errors.New("it was taken")

// quota allows so many pods, of which one is counted. No controller counts here.
func (p *place) quota(t *testing.T, pods string) {
	t.Helper()
	hard := corev1.ResourceList{corev1.ResourcePods: resource.MustParse(pods)}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "team"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	p.rig.create(t, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}}
	p.rig.must(t, p.rig.admin.Status().Update(t.Context(), quota))
	awaitAPI(t, "the quota counts", func() error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, GenerateName: "probe-"}, Spec: podTemplate(nil).Spec}
		err := p.rig.admin.Create(t.Context(), pod, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "exceeded quota") {
			return fmt.Errorf("the answer is %w", cmp.Or(err, errTaken))
		}
		return nil
	})
}

// deadWebhook has the API server ask somebody who is not there about new pods.
func (p *place) deadWebhook(t *testing.T) {
	t.Helper()
	configuration := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: p.name + ".example.com"}}
	configuration.Webhooks = []admissionv1.ValidatingWebhook{{
		Name: p.name + ".example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: ptr.To(admissionv1.SideEffectClassNone),
		ClientConfig:      admissionv1.WebhookClientConfig{URL: ptr.To("https://127.0.0.1:1/")},
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: p.name}},
		Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}}},
	}}
	p.rig.create(t, configuration)
	awaitAPI(t, "the webhook is asked", func() error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, GenerateName: "probe-"}, Spec: podTemplate(nil).Spec}
		err := p.rig.admin.Create(t.Context(), pod, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			return fmt.Errorf("the answer is %w", cmp.Or(err, errTaken))
		}
		return nil
	})
}

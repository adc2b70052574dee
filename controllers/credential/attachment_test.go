package credential

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
)

func TestWhatIsSaidOfTheAttachment(t *testing.T) {
	stands, missing := injection.State{Known: true}, injection.State{Known: true, Fault: "it is not there"}
	unseen := injection.State{Known: true, Fault: "it may not be read", Unseen: true}
	since := func(at time.Time) injection.State { return injection.State{Known: true, Since: at} }
	ahead := func(by time.Duration) *v1alpha1.AttachmentStatus {
		return &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon.Add(by))}
	}
	long := &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon.Add(-time.Hour))}
	for _, test := range []struct {
		name      string
		attach    v1alpha1.AttachMode
		registry  v1alpha1.Registry
		injection injection.State
		before    *v1alpha1.AttachmentStatus
		attached  metav1.ConditionStatus
		reason    string
		ready     string
		// since is when pods began to be injected, zero where they are not.
		since time.Time
	}{
		{"ServiceAccounts need no policy", "", host, missing, nil, "True", v1alpha1.ReasonAttached, v1alpha1.ReasonSucceeded, time.Time{}},
		{"None needs neither", v1alpha1.AttachNone, host, missing, nil, "True", v1alpha1.ReasonNoServiceAccounts, v1alpha1.ReasonSucceeded, time.Time{}},
		{"the policy stands", v1alpha1.AttachPods, host, stands, nil, "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon},
		{"it goes on standing", v1alpha1.AttachPods, host, stands, long, "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon.Add(-time.Hour)},
		{"it is older than what is known", v1alpha1.AttachPods, host, since(noon.Add(-2 * time.Hour)), long, "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon.Add(-time.Hour)},
		{"it, or the index, was away for a while", v1alpha1.AttachPods, host, since(noon.Add(-time.Minute)), long, "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon.Add(-time.Minute)},
		{"the API server's clock is ahead", v1alpha1.AttachPods, host, since(noon.Add(time.Second)), nil, "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon.Add(time.Second)},
		{"it is missing", v1alpha1.AttachPods, host, missing, long, "False", v1alpha1.ReasonInjectionMissing, v1alpha1.ReasonInjectionMissing, time.Time{}},
		{"it is not known after a restart", v1alpha1.AttachPods, host, injection.State{}, long, "Unknown", v1alpha1.ReasonProgressing, v1alpha1.ReasonSucceeded, noon.Add(-time.Hour)},
		{"it was never known", v1alpha1.AttachPods, host, injection.State{}, nil, "Unknown", v1alpha1.ReasonProgressing, v1alpha1.ReasonSucceeded, time.Time{}},
		{"it cannot be seen for a while, and pods get the Secret all the time", v1alpha1.AttachPods, host, unseen, long, "False", v1alpha1.ReasonInjectionMissing, v1alpha1.ReasonInjectionMissing, noon.Add(-time.Hour)},
		{"it was never seen", v1alpha1.AttachPods, host, unseen, nil, "False", v1alpha1.ReasonInjectionMissing, v1alpha1.ReasonInjectionMissing, time.Time{}},
		{"a clock that was a little ahead noted since when", v1alpha1.AttachPods, host, stands, ahead(time.Hour), "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon.Add(time.Hour)},
		{"a clock that was days ahead did: that would not come for days", v1alpha1.AttachPods, host, stands, ahead(48 * time.Hour), "True", v1alpha1.ReasonAttachedToPods, v1alpha1.ReasonSucceeded, noon},
		{"ServiceAccounts again", "", host, stands, long, "True", v1alpha1.ReasonAttached, v1alpha1.ReasonSucceeded, time.Time{}},
		{"Docker Hub is warned of", v1alpha1.AttachPods, "docker.io", stands, nil, "True", v1alpha1.ReasonEndsAnonymousPulls, v1alpha1.ReasonSucceeded, noon},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			f.run.object.Spec.Registries, f.run.object.Spec.Target.Attach = []v1alpha1.Registry{test.registry}, test.attach
			f.injection, f.clusterNow = test.injection, noon.Add(300*time.Millisecond)
			status := f.status(&v1alpha1.RegistryCredentialStatus{Attachment: test.before}, noon)
			attached := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionServiceAccountsAttached)
			if attached.Status != test.attached || attached.Reason != test.reason {
				t.Errorf("attached: %+v", attached)
			}
			if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready.Reason != test.ready {
				t.Errorf("ready: %+v", ready)
			}
			told := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAttachmentUnavailable)
			if (told != nil) != (test.reason == v1alpha1.ReasonInjectionMissing) || told != nil && !strings.Contains(told.Message, "kubectl apply -k config/injection") {
				t.Errorf("unavailable: %+v", told)
			}
			if got := status.Attachment; (got == nil) != test.since.IsZero() || got != nil && !got.InjectedSince.Time.Equal(test.since) {
				t.Errorf("injected since %+v, want %v", got, test.since)
			}
		})
	}
}

package credential

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
)

// wrongClock is how far ahead a time lies that a clock noted that was wrong. What is less ahead comes soon, and pods were created by the same
// clock.
const wrongClock = time.Hour

// lookAtInjection notes what is known of the admission policy where the spec asks for it.
func (r *Reconciler) lookAtInjection(f *facts) {
	if f.injects() && r.Injection != nil {
		f.injection = r.Injection(f.run.object)
	}
	f.clusterNow = r.Now()
	if r.ClusterNow != nil {
		f.clusterNow = r.ClusterNow()
	}
}

func (f *facts) injects() bool {
	return f.run.object.Spec.Target.Attachment() == v1alpha1.AttachPods
}

// attachment says since when new pods get the Secret. While that is not known, or not seen, it stays as it was. It begins again with a policy
// that was missing and came back, with one that was replaced between two looks, and with an InjectionIndex that lacked the RegistryCredential
// for a while: pods of that time missed the Secret, and their successors do not. Nothing else may move it: each time that it moves, each stuck
// pod to which nothing added the name is restarted once more.
func (f *facts) attachment(before *v1alpha1.AttachmentStatus) *v1alpha1.AttachmentStatus {
	if before != nil && before.InjectedSince.Time.After(f.clusterNow.Add(wrongClock)) {
		before = nil
	}
	switch {
	case !f.injects(), f.injection.Fault != "" && !f.injection.Unseen:
		return nil
	case !f.injection.Standing(), before != nil && !f.injection.Since.After(before.InjectedSince.Time):
		return before
	}
	since := f.clusterNow
	if before != nil || f.injection.Since.After(since) {
		since = f.injection.Since
	}
	return &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(since.Truncate(time.Second).Local())}
}

// attachmentUnavailable tells of a policy that the spec needs and that is not installed.
func (f *facts) attachmentUnavailable() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionAttachmentUnavailable, Status: metav1.ConditionFalse}
	if f.injects() && f.injection.Fault != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonInjectionMissing, f.injection.Message()
	}
	return c
}

// injected is the condition of ServiceAccountsAttached where the policy attaches.
func (f *facts) injected() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionServiceAccountsAttached, Status: metav1.ConditionFalse}
	switch {
	case f.injection.Fault != "":
		c.Reason, c.Message = v1alpha1.ReasonInjectionMissing, f.injection.Message()
	case !f.injection.Known:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "the admission policy that adds the Secret to pods is looked for"
	case f.reachesHub():
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonEndsAnonymousPulls
		c.Message = endsAnonymous(&f.run.object.Spec, "added to all new pods; they no longer pull")
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonAttachedToPods
		c.Message = "the admission policy " + v1alpha1.InjectionPolicy + " adds the Secret to pods as they are created"
	}
	return c
}

// reachesHub reports whether a kubelet shows the credential to Docker Hub.
func (f *facts) reachesHub() bool {
	return slices.ContainsFunc(target.Keys(&f.run.object.Spec), registry.IsHub)
}

// endsAnonymous names the hosts from which nothing is pulled anonymously any more: to a kubelet, each name of Docker Hub is a registry of
// its own.
func endsAnonymous(spec *v1alpha1.RegistryCredentialSpec, whose string) string {
	var hosts []string
	for _, key := range target.Keys(spec) {
		if registry.IsHub(key) {
			hosts = append(hosts, registry.Host(key))
		}
	}
	return fmt.Sprintf("%s from Docker Hub (%s) anonymously: if this credential fails, public images fail, too", whose, strings.Join(hosts, ", "))
}

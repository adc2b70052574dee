package credential

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/rotation"
)

// revokeWithin is after what time people are told that nobody revoked the value before.
const revokeWithin = time.Hour

// previous is the value before, nil where there was none.
func (f *facts) previous() *v1alpha1.PreviousStatus {
	before := f.run.state.Previous
	if before == nil {
		return nil
	}
	return &v1alpha1.PreviousStatus{
		Revision: foreign.Name(before.Revision), ReplacedTime: timeOf(before.ReplacedTime),
		Registry: f.saidOfPrevious(), Namespaces: int32(f.holdingPrevious()),
	}
}

const previousEnded = "Ended"

// saidOfPrevious is what the registry last said of the value before.
func (f *facts) saidOfPrevious() string {
	s := &f.run.state
	switch s.Previous.End {
	case rotation.EndRefused:
		return string(rotation.Rejected)
	case rotation.EndExpired:
		return previousEnded
	}
	verdict, _ := s.OfPrevious(f.run.spec)
	return string(verdict)
}

// holdingPrevious counts the namespaces that have the value before, also under another version of the source: it is the same password.
func (f *facts) holdingPrevious() int {
	before := f.run.state.Previous
	return f.summary.Holds(delivered.Version{Revision: before.Revision, Digest: before.Digest})
}

// rotationComplete answers whether the old password may be revoked, and whether that was done.
func (f *facts) rotationComplete(now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionRotationComplete, Status: metav1.ConditionFalse}
	s := &f.run.state
	switch {
	case !s.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "nothing was published yet"
	case s.Waiting != nil && s.Waiting.Digest != s.Digest:
		c.Reason, c.Message = v1alpha1.ReasonProgressing, "the source has a new value that is not in use yet: see Verified. Do not revoke the old one"
	case f.verdict == rotation.Rejected:
		c.Reason, c.Message = v1alpha1.ReasonNoLongerAccepted, "the registry refuses the value in use: see Verified. Do not revoke an old one"
	case f.outlived():
		c.Reason, c.Message = v1alpha1.ReasonProgressing, "the changed spec has no value in use yet: see CredentialAvailable. Do not revoke the one in use"
	case !f.looked() || f.lacking() > 0 || s.Previous != nil && f.holdingPrevious() > 0:
		c.Reason, c.Message = v1alpha1.ReasonDelivering, f.notEverywhere()
	case s.Previous == nil:
		c.Status, c.Reason, c.Message = f.firstValue()
	default:
		c.Status, c.Reason, c.Message = f.oldValue(now)
	}
	return c
}

// firstValue is for a value that none is known to have been in use before.
func (f *facts) firstValue() (status metav1.ConditionStatus, reason, message string) {
	if f.summary.Selected == 0 {
		return metav1.ConditionFalse, v1alpha1.ReasonNoNamespaces, f.everywhere() + ", so the value in use is in none, and no earlier one is known"
	}
	return metav1.ConditionTrue, v1alpha1.ReasonFirstValue, "the value in use is everywhere, and no earlier one is known"
}

// lacking counts the selected namespaces whose Secret does not have the value in use. A namespace that does not exist has no pods with an old
// one, and gets this one with its first Secret.
func (f *facts) lacking() int {
	s := &f.run.state
	return f.summary.Lacking(delivered.Version{Revision: s.Revision, Digest: s.Digest})
}

func (f *facts) notEverywhere() string {
	old := ""
	if before := f.run.state.Previous; before != nil {
		old = fmt.Sprintf(" No Secret of regcred has revision %s any more. Whether the other namespaces use it is not known.", before.Revision)
		if holding := f.holdingPrevious(); holding > 0 {
			old = fmt.Sprintf(" Do not revoke revision %s yet: it is still in %s.", before.Revision, namespaces(holding))
		}
	}
	return fmt.Sprintf("the value in use is in %d of %d namespaces: see SecretsSynced.%s", f.summary.Selected-f.lacking(), f.summary.Selected, old)
}

// oldValue is for a value that is nowhere in the cluster any more.
func (f *facts) oldValue(now time.Time) (metav1.ConditionStatus, string, string) {
	before, where := f.run.state.Previous, f.everywhere()
	switch said := f.saidOfPrevious(); {
	case said == previousEnded:
		return metav1.ConditionTrue, v1alpha1.ReasonOldEnded, fmt.Sprintf("%s, and revision %s has ended", where, before.Revision)
	case said == string(rotation.Rejected):
		return metav1.ConditionTrue, v1alpha1.ReasonOldRefused, fmt.Sprintf("%s, and the registry refuses revision %s", where, before.Revision)
	case f.run.spec.Mode == v1alpha1.VerifyDisabled:
		return metav1.ConditionUnknown, v1alpha1.ReasonOldUnknown, fmt.Sprintf(
			"%s, and revision %s may be revoked now. Whether it was is not known, because spec.verification.mode is Disabled", where, before.Revision)
	case f.verdict != rotation.Accepted:
		return metav1.ConditionFalse, v1alpha1.ReasonUnproven, fmt.Sprintf(
			"%s, and the registry did not say whether it accepts it: see Verified. Do not revoke revision %s yet, which may be the only one that works", where, before.Revision)
	case said == string(rotation.Accepted) && before.End == rotation.EndNotKept:
		return metav1.ConditionFalse, v1alpha1.ReasonOldAccepted, fmt.Sprintf(
			"nobody revoked revision %s within a day: the registry still accepted it when regcred stopped keeping it. Revoke it", before.Revision)
	case said == string(rotation.Accepted) && now.Sub(before.ReplacedTime) >= revokeWithin:
		return metav1.ConditionFalse, v1alpha1.ReasonOldAccepted, fmt.Sprintf(
			"nobody revoked revision %s: the registry still accepts it, and no namespace has it any more. Revoke it now", before.Revision)
	case said == string(rotation.Accepted):
		return metav1.ConditionFalse, v1alpha1.ReasonOldAccepted, fmt.Sprintf(
			"revision %s may be revoked now: no namespace has it any more, and the registry still accepts it", before.Revision)
	}
	if refused := f.run.state.PreviousRefused(f.run.spec); !refused.IsZero() {
		return metav1.ConditionUnknown, v1alpha1.ReasonOldUnknown, fmt.Sprintf(
			"%s, and revision %s may be revoked now. The registry refused it at %s, and is asked again, because it may have refused every login then",
			where, before.Revision, refused.UTC().Format(time.RFC3339))
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonOldUnknown, fmt.Sprintf(
		"%s, and revision %s may be revoked now. Whether the registry still accepts it is not known yet", where, before.Revision)
}

// everywhere says where the value in use is, once it lacks nowhere.
func (f *facts) everywhere() string {
	switch {
	case f.summary.Selected > 0:
		return "the value in use is everywhere"
	case len(f.missing) > 0:
		return "no namespace that spec.target names exists"
	}
	return "spec.target selects no namespace"
}

// changesAt is when the message changes because of the time alone.
func (f *facts) changesAt(now time.Time) time.Time {
	before := f.run.state.Previous
	if before == nil || before.End != "" {
		return time.Time{}
	}
	if at := before.ReplacedTime.Add(revokeWithin); at.After(now) {
		return at
	}
	return time.Time{}
}

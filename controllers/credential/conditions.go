package credential

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/rotation"
)

func (f *facts) available() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionCredentialAvailable}
	reads := &f.run.state.Reads
	switch problem := reads.Fault; {
	case f.run.spec.Suspended:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonSuspended, "the source is not read while spec.suspend is true"
	case problem != nil:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, problem.Reason, problem.Message
		if f.run.state.Published() {
			c.Message = strings.TrimRight(c.Message, ". ") + ". " + f.staysInUse()
		}
	case f.run.state.Older != nil && f.run.state.Older.Reads > 1 && f.run.state.Older.Digest != f.run.state.Digest:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonStaleAnswer, f.run.olderMessage()
	case reads.Last.IsZero() && !f.run.state.Published():
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "the source was not read yet"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonRead, "the source gives a usable credential"
	}
	return c
}

// staysInUse says what becomes of the value in use while the source gives none.
func (f *facts) staysInUse() string {
	if f.outlived() {
		return fmt.Sprintf("Revision %s of the spec before stays in use.", f.run.state.Revision)
	}
	return "What is published stays in use."
}

// olderMessage tells of a source that answers with what was replaced already.
func (run *run) olderMessage() string {
	return fmt.Sprintf("the source answers with revision %s, which is older than what regcred has: perhaps a standby that is behind, or a restored backup. "+
		"It is used after 10 minutes, or at once with the annotation %s", run.state.Older.Revision, v1alpha1.RefreshRequestedAtAnnotation)
}

func (f *facts) verified(now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionUnknown}
	s, judged := &f.run.state, f.run.judgement
	switch {
	case f.run.spec.Mode == v1alpha1.VerifyDisabled:
		c.Reason, c.Message = v1alpha1.ReasonVerificationOff, "spec.verification.mode is Disabled: what the source gives is published untested"
	case s.Published() && f.verdict == rotation.Rejected:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoLongerAccepted
		c.Message = fmt.Sprintf("the registry refuses the credential in use: %s. %s. New pods cannot pull", f.test.Message, f.evidence(now))
	case s.Waiting != nil && judged.Fate == rotation.Refuse:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonRejected
		c.Message = fmt.Sprintf("revision %s in the source is not published, because the registry refuses it: %s", s.Waiting.Revision, judged.Message)
	case s.Waiting != nil && f.run.unasked(now):
		c.Reason, c.Message = v1alpha1.ReasonProgressing, f.run.testing()
	case s.Waiting != nil && f.run.holds():
		c.Reason, c.Message = v1alpha1.ReasonHeld, f.run.heldMessage(now)
	case !s.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "nothing was published yet"
	default:
		return f.proof(c)
	}
	return c
}

// proof completes Verified for a value in use that no registry refuses.
func (f *facts) proof(c metav1.Condition) metav1.Condition {
	switch {
	case f.verdict == rotation.Accepted && f.run.state.Proof == rotation.ProofPull:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the registry lets the credential pull"
	case f.verdict == rotation.Accepted:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonLoginAccepted, f.onlyLogin()
	default:
		c.Reason, c.Message = v1alpha1.ReasonUnproven, "the credential is in use, and the registry did not say whether it accepts it"
		if said := besideImages(f.test.Said, &f.test); strings.HasPrefix(said, ". ") {
			c.Message += said
		} else if said != "" {
			c.Message += ": " + said
		}
	}
	return c
}

// onlyLogin says that a pull was not proven, and how to have it proven. The API refuses images beside another mode than Pull.
func (f *facts) onlyLogin() string {
	if f.run.spec.Mode != v1alpha1.VerifyPull {
		return "the registry accepts the login; whether the credential may pull is not tested: set spec.verification.mode: Pull to test that, too"
	}
	return "the registry accepts the login; that the credential may pull is not proven: name an image in spec.verification.images to test that, too" + imagesElsewhere(&f.test)
}

// testing says that a new value waits for the first answer about it.
func (run *run) testing() string {
	message := run.askedAbout()
	if run.state.Published() {
		message += fmt.Sprintf("; meanwhile revision %s stays in use", run.state.Revision)
	}
	return message
}

func (run *run) askedAbout() string {
	return fmt.Sprintf("revision %s waits for the first answer of the registry", run.state.Waiting.Revision)
}

// heldMessage says what is in use meanwhile, why a new value is held back, until when, and how to decide otherwise.
func (run *run) heldMessage(now time.Time) string {
	why := run.judgement.Message
	if why == "" {
		why = "the registry was not asked about it yet, or did not answer yet"
	}
	test := run.state.Test(run.spec, run.judgement.Account)
	why = besideImages(why, &test)
	// The cause comes first: tables cut what comes later.
	held := "It is held until the registry accepts it"
	switch until := run.judgement.Until; {
	case run.judgement.Fate == rotation.HoldOn && run.state.RestoredOver == run.state.Waiting.Digest:
		held += ", because it was in use before and the registry refused it"
	case run.judgement.Fate == rotation.HoldOn:
		held += ", because the registry accepts the credential in use and did not decide about the new one"
	case until.After(now):
		held = "It is published without a test at " + until.UTC().Format(time.RFC3339)
	}
	what := fmt.Sprintf("revision %s is not in use yet", run.state.Waiting.Revision)
	if run.state.Published() {
		what = fmt.Sprintf("revision %s stays in use, and revision %s waits", run.state.Revision, run.state.Waiting.Revision)
	}
	return fmt.Sprintf("%s: %s. %s; to publish it now, annotate the RegistryCredential with %s=%s",
		what, why, held, v1alpha1.PublishAnnotation, run.state.Waiting.Revision) +
		mistaken(run.object, v1alpha1.PublishAnnotation, run.state.Waiting.Revision)
}

// evidence tells an end that was known, a rotation and anything else apart, as far as a registry's refusal and the source let it.
func (f *facts) evidence(now time.Time) string {
	s := &f.run.state
	ends := s.ExpireTime
	switch expired := !ends.IsZero() && !now.Before(ends); {
	case expired && s.Minted:
		return fmt.Sprintf("It expired at %s and no new one was obtained: see CredentialAvailable", ends.UTC().Format(time.RFC3339))
	case expired:
		return fmt.Sprintf("It expired at %s: store a new one in the source", ends.UTC().Format(time.RFC3339))
	case s.Waiting != nil:
		return rotatedTo(s.Waiting.Revision, f.run.judgement.Fate)
	case s.Reads.Fault == nil && s.Reads.ReadTime.After(f.test.Since) && s.Lease == nil && s.Older == nil:
		return "The source still has it: it was changed or revoked at the registry alone, or the account is locked or has fewer rights; store a valid one in the source, or correct that at the registry"
	}
	return "Whether the source has another one is not known yet: see CredentialAvailable"
}

// rotatedTo says what becomes of a value that waits while the one in use is refused.
func rotatedTo(revision string, fate rotation.Fate) string {
	switch fate {
	case rotation.PublishProven:
		return fmt.Sprintf("The registry accepts revision %s of the source, which is being put in use", revision)
	case rotation.Refuse:
		return fmt.Sprintf("The source has revision %s, which the registry refuses, too: store a valid one in the source, or unlock the account", revision)
	}
	return fmt.Sprintf("It was rotated: the source has revision %s already, which is not in use yet", revision)
}

func (f *facts) secretsSynced() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSecretsSynced, Status: metav1.ConditionFalse}
	name := f.run.object.Spec.Target.Name()
	switch {
	case f.run.stall != nil:
		c.Reason, c.Message = f.run.stall.reason, f.seeReady("no Secret is written")
	case !f.run.state.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "there is no credential to write yet: see CredentialAvailable and Verified"
	case f.failing(false) > 0:
		c.Reason, c.Message = f.sum(false)
	case f.looked() && f.selected() == 0:
		c.Reason, c.Message = v1alpha1.ReasonNoNamespaces, noNamespaces(&f.run.object.Spec.Target)
	case f.pending() > 0 || !f.looked():
		c.Reason, c.Message = v1alpha1.ReasonProgressing, fmt.Sprintf("Secret %s is being written", name)
	case f.outlived():
		c.Reason, c.Message = v1alpha1.ReasonSpecNotInUse, fmt.Sprintf("Secret %s has revision %s of the spec before, which stays in use until the changed spec has a usable value: %s",
			name, f.run.state.Revision, f.seeWhy())
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonSynced
		c.Message = fmt.Sprintf("Secret %s is right in all selected namespaces", name)
	}
	return c
}

// labelsOf are the labels that a target asks for, in words.
func labelsOf(target *v1alpha1.Target) string {
	if target.NamespaceSelector == nil {
		return ""
	}
	return " (labels " + foreign.Text(metav1.FormatLabelSelector(target.NamespaceSelector), longestSelector) + ")"
}

// noNamespaces names the labels that nothing has: a typo in them is the usual cause.
func noNamespaces(target *v1alpha1.Target) string {
	return "spec.target selects no namespace" + labelsOf(target) + ", so nothing is delivered: correct it, or label namespaces. They are served as soon as they are selected"
}

// seeWhy names the condition that says why the changed spec has no value in use.
func (f *facts) seeWhy() string {
	if f.run.state.Waiting != nil && f.run.state.Waiting.SpecHash == f.run.spec.SpecHash {
		return "see Verified"
	}
	return "see CredentialAvailable"
}

// longestSelector is how much of a selector is shown, in bytes.
const longestSelector = 150

// seeReady refers to Ready for what a person must correct in the spec: one who reads all conditions reads it once. Of an object that is
// suspended Ready says that, and no more.
func (f *facts) seeReady(what string) string {
	if f.run.spec.Suspended {
		return f.run.stall.message
	}
	return what + ": see Ready"
}

func (f *facts) accountsAttached() metav1.Condition {
	if f.injects() {
		return f.injected()
	}
	c := metav1.Condition{Type: v1alpha1.ConditionServiceAccountsAttached, Status: metav1.ConditionFalse}
	switch {
	case f.run.object.Spec.Target.Attachment() == v1alpha1.AttachNone:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonNoServiceAccounts, "spec.target.attach is None: pods must name the Secret themselves"
	case len(f.run.object.Spec.Target.Accounts()) == 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonNoServiceAccounts, "spec.target.serviceAccounts is empty: pods must name the Secret themselves"
	case f.run.stall != nil:
		c.Reason, c.Message = f.run.stall.reason, f.seeReady("nothing is attached")
	case !f.run.state.Published():
		c.Reason, c.Message = v1alpha1.ReasonNothingPublished, "there is no Secret to attach yet"
	default:
		return f.attached(c)
	}
	return c
}

// attached completes ServiceAccountsAttached for a value in use that is to be attached.
func (f *facts) attached(c metav1.Condition) metav1.Condition {
	switch {
	case f.failing(true) > 0:
		c.Reason, c.Message = f.sum(true)
	case f.failing(false) > 0:
		c.Reason, c.Message = v1alpha1.ReasonSecretMissing, fmt.Sprintf("in %s there is no Secret that could be attached: see SecretsSynced", namespaces(f.failing(false)))
	case f.looked() && f.selected() == 0:
		c.Reason, c.Message = v1alpha1.ReasonNoNamespaces, "spec.target selects no namespace: see SecretsSynced"
	case f.pending() > 0 || !f.looked():
		c.Reason, c.Message = v1alpha1.ReasonProgressing, "the Secret is being attached"
	case f.reachesHub():
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonEndsAnonymousPulls
		c.Message = endsAnonymous(&f.run.object.Spec, "attached; pods of these ServiceAccounts no longer pull")
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonAttached, "all ServiceAccounts name the Secret"
	}
	return c
}

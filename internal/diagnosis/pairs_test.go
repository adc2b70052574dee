package diagnosis

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/racedetector"
)

// fact is one thing that is so of a pod, with the verdict where nothing else is.
type fact struct {
	name   string
	make   change
	action Action
	reason Reason
}

// single are the facts that matter for a pod that a restart would cure. Their order is that of docs/stuck-pods.md: what makes the pod none
// of regcred's business, what no credential cures, what is wrong with the credential, with the reference, with the right, with the owner.
var single = []fact{
	{"the pod is being deleted", func(f *Facts) { f.Pod.DeletionTimestamp = &f.Pod.CreationTimestamp }, None, PodGone},
	{"the pod opted out", func(f *Facts) { f.Pod.Annotations = optOut() }, None, OptedOut},
	{"recovery is off", credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryDisabled }), None, RecoveryOff},
	{"the namespace is protected", func(f *Facts) { f.Protected = true }, None, ProtectedNamespace},
	{"the pod is too large", func(f *Facts) {
		f.Pod.Spec.InitContainers = append(f.Pod.Spec.InitContainers, make([]corev1.Container, maxContainers+1)...)
	}, Report, TooLarge},
	{"the image does not exist", because(missing), Report, ImageNotFound},
	{"the registry is not reached", because(noRoute), Wait, RegistryUnreachable},
	{"nothing is published", credential(func(c *Credential) { c.Published = false }), Wait, NotPublished},
	{"the value is refused", credential(func(c *Credential) { c.Entries[0].Rejected = "401" }), Report, CredentialRejected},
	{"the Secret is somebody else's", secret("regcred", func(s *Secret) { s.Owner, s.Sources = pullsecret.Owner{Manager: "Helm"}, nil }), Report, SecretNotOurs},
	{"the registry is taken", func(f *Facts) {
		f.Credentials[0].TakenBy = "older"
		secret("regcred", func(s *Secret) { s.Sources = nil })(f)
	}, Report, RegistryTaken},
	{"the Secret has an older revision", credential(func(c *Credential) { c.Revision = "3" }), Wait, SecretNotSynced},
	{"the change lies ahead", func(f *Facts) {
		f.Account.Attached = map[string]time.Time{"regcred": noon.Add(time.Hour)}
		if source, ok := f.Secrets["regcred"].Sources["shop"]; ok {
			source.Changed = metav1.NewTime(noon.Add(time.Hour))
			f.Secrets["regcred"].Sources["shop"] = source
		}
	}, Report, TimeInFuture},
	{"the pod lacks the reference", withoutReference, Restart, MissingReference},
	{"the pod has a list of its own", ownList("old"), Report, OwnPullSecrets},
	{"the pod is younger than the change", func(f *Facts) { created(time.Minute)(f); now(2 * time.Minute)(f) }, Report, CredentialDidNotHelp},
	{"the registry denies the image", answered(AccessDenied, ""), Report, PullDenied},
	{"a Job owns the pod", ofJob, Wait, KubeletRetries},
	{"another container runs", func(f *Facts) {
		f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: "beside", Image: "quay.io/x:1"})
		f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, running("beside"))
	}, Wait, KubeletRetries},
	{"the pod is static", func(f *Facts) {
		if f.Pod.Annotations == nil {
			f.Pod.Annotations = map[string]string{}
		}
		f.Pod.Annotations[corev1.MirrorPodAnnotationKey] = "x"
	}, Report, StaticPod},
	{"repull is enabled", repullable, Repull, StaleCredential},
	{"the owner is gone", func(f *Facts) { f.Owners[0].Gone = true }, None, OwnerGone},
	{"mode is Report", credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport }), Report, ReportOnly},
}

// pairs say what follows where two facts hold: a row for each fact, with a letter for each that comes after it. "<" is the verdict of the
// row's fact, "^" that of the other one, "." a pair that cannot be. A letter stands for a verdict that neither has alone.
var pairs = []string{
	"<<<<<<<<<<<<<<<<<<<<<<", // being deleted: nothing else matters
	"<<<<<<<<<<<<<<<<<<<<<",  // opted out
	"<<<<<<<<<<<<<<<<<<<.",   // off: not even a report; one mode at a time
	"<<<<<<<<<<<<<<<<<<<",    // protected
	"<<<<<<<<<<<<<<<<<<",     // too large: nothing is concluded from a part
	".<<<<<<<<<<<<<<<<",      // no such image: no credential cures it
	"<<<<<<<<<<<<<<<<",       // the network comes first
	"<<<<<<<<<<<<<<<",        // nothing is published: there is nothing to compare with
	"<<<<<<<<<<<<<<",         // refused: whatever a new pod got, it would not open the image
	"<<<<<<<<<<<<<",          // somebody else's Secret
	"<<<<<<<<<<<<",           // taken
	"<<<<<<<<<<<",            // an older revision: all else is said when the new one is there
	"<<<<<<<<<<",             // a time ahead makes every pod older than the change
	"^m^jr^<^^",              // lacks the reference: with a younger pod (m), a Job (j), a running container (r); no repull can add it
	"<<<<<<<<",               // its own list: a new pod would have the same
	"<<<<<<<",                // younger than the change: a new pod would fare no better, and neither would a new pull
	"<<<<<<",                 // denied: no cure opens the image
	"<^^<<",                  // a Job: the kubelet heals the pod, a repull does at once
	"^^<<",                   // running: the same
	"<<<",                    // static: nothing can be changed through the API
	"<^",                     // a repull needs no owner; mode Report repulls nothing
	"<",                      // the owner is gone: nothing would be done anyway
	"",
}

var combined = map[rune]fact{
	'm': {action: Report, reason: ReferenceNotAdded},
	'j': {action: Report, reason: JobPod},
	'r': {action: Report, reason: ContainerRuns},
}

func TestEachFactAlone(t *testing.T) {
	racedetector.Skip(t)
	for _, one := range single {
		if verdict := Diagnose(stuck(one.make)); verdict.Action != one.action || verdict.Reason != one.reason {
			t.Errorf("%s: %s (%s), want %s (%s): %s", one.name, verdict.Action, verdict.Reason, one.action, one.reason, verdict.Message)
		}
	}
}

// TestTwoFactsAtOnce looks at each pair.
func TestTwoFactsAtOnce(t *testing.T) {
	if len(pairs) != len(single) {
		t.Fatalf("%d rows for %d facts", len(pairs), len(single))
	}
	for i, row := range pairs {
		if len(row) != len(single)-i-1 {
			t.Fatalf("%q has %d letters, want %d", single[i].name, len(row), len(single)-i-1)
		}
		for k, letter := range row {
			one, other := single[i], single[i+1+k]
			want := combined[letter]
			switch letter {
			case '.':
				continue
			case '<':
				want = one
			case '^':
				want = other
			}
			t.Run(strings.Join([]string{one.name, other.name}, ", and "), func(t *testing.T) {
				verdict := Diagnose(stuck(one.make, other.make))
				if verdict.Action != want.action || verdict.Reason != want.reason {
					t.Errorf("%s (%s), want %s (%s): %s", verdict.Action, verdict.Reason, want.action, want.reason, verdict.Text())
				}
			})
		}
	}
}

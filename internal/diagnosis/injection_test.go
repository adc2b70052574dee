package diagnosis

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// injectedSince has the admission policy add the Secret to pods, since some time after noon. It takes the reference from the pod.
func injectedSince(after time.Duration) change {
	return func(f *Facts) {
		withoutReference(f)
		because(anonymous)(f)
		c := &f.Credentials[0]
		c.Attach, c.Accounts, c.InjectedSince = v1alpha1.AttachPods, nil, noon.Add(after)
		f.Account = Account{Name: "any", Unread: true}
	}
}

func servedSince(after time.Duration) change {
	return secret("regcred", func(s *Secret) {
		source := s.Sources["shop"]
		source.Changed = metav1.NewTime(noon.Add(after))
		s.Sources = pullsecret.Sources{"shop": source}
	})
}

func annotated(f *Facts) {
	f.Pod.Annotations = map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
}

func TestPodsThatAnAdmissionPolicyAttaches(t *testing.T) {
	injected := injectedSince(0)
	check(t, []rule{
		{"a pod that was created before is restarted, whatever its ServiceAccount", []change{injected}, Restart, MissingReference},
		{"a pod with a list of its own is, too: its successor keeps the list and gets the name", []change{injected, ownList("old")}, Restart, MissingReference},
		{"one whose namespace was selected later is restarted", []change{injected, servedSince(time.Hour), created(time.Minute), now(2 * time.Hour)}, Restart, MissingReference},
		{"one that was created before the policy came is restarted", []change{injectedSince(time.Hour), created(time.Minute), now(2 * time.Hour)}, Restart, MissingReference},
		{"one that was created in the lag of admission waits", []change{injected, created(2 * time.Second)}, Wait, AdmissionLag},
		{"and is restarted when that is over", []change{injected, created(2 * time.Second), now(12 * time.Second)}, Restart, MissingReference},
		{"one that was created after that is never restarted: it would be for ever", []change{injected, created(11 * time.Second), now(time.Minute)}, Report, ReferenceNotAdded},
		{"before it is known that the policy stands nothing is done", []change{injected, credential(func(c *Credential) { c.InjectedSince = time.Time{} })}, Wait, NotAttached},
		{"without a policy it is said what is missing", []change{injected, credential(func(c *Credential) { c.InjectionProblem = "it is not there" })}, Report, AttachmentFails},
		{"a pod that opted out is left alone", []change{injected, annotated}, Report, ReferenceNotAdded},
		{"and so is a namespace that did", []change{injected, func(f *Facts) {
			f.NamespaceAnnotations = map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
		}}, Report, ReferenceNotAdded},
		{"another value of the annotation opts nothing out", []change{injected, func(f *Facts) {
			f.Pod.Annotations = map[string]string{v1alpha1.AttachAnnotation: "Enabled"}
		}}, Restart, MissingReference},
		{"a pod that has the name fares as with a ServiceAccount", []change{credential(func(c *Credential) { c.Attach, c.InjectedSince = v1alpha1.AttachPods, noon })}, Restart, StaleCredential},
		{"an onlooker who may not read the Secret goes by the policy alone", []change{injected, onlooker, secret("regcred", func(s *Secret) { *s = Secret{Unread: true} }),
			credential(func(c *Credential) { c.ChangeTime = noon })}, Restart, MissingReference},
		{"with attach None a pod must name the Secret itself", []change{withoutReference, credential(func(c *Credential) { c.Attach, c.Accounts = v1alpha1.AttachNone, nil })}, Report, AccountNotServed},
	})
}

func onlooker(f *Facts) { f.Onlooker = true }

func TestWhatIsSaidOfAnAttachmentByPolicy(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes []change
		says    []string
	}{
		{"what is missing", []change{injectedSince(0), credential(func(c *Credential) { c.InjectionProblem = "run: kubectl apply" })}, []string{"Secret regcred is not added to pods", "kubectl apply"}},
		{"who opted out", []change{injectedSince(0), annotated}, []string{"the pod carries the annotation regcred.dev/attach: Disabled", "remove the annotation"}},
		{"what takes the name away", []change{injectedSince(0), created(time.Minute), now(2 * time.Minute)}, []string{"regcred-injection", "kubectl delete pod web-1 -n prod"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := Diagnose(stuck(test.changes...)).Text()
			for _, part := range test.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q lacks %q", text, part)
				}
			}
		})
	}
}

func TestAStatusSaysSinceWhenPodsAreAttached(t *testing.T) {
	object := &v1alpha1.RegistryCredential{}
	object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
	object.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAttachmentUnavailable, Message: "it is not there"}}
	if c := CredentialOf(object); !c.InjectedSince.IsZero() || c.InjectionProblem != "" || c.Attach != v1alpha1.AttachServiceAccounts || len(c.Accounts) != 1 {
		t.Errorf("a status that lags behind the spec counts: %+v", c)
	}
	object.Spec.Target.Attach = v1alpha1.AttachPods
	other := object.DeepCopy()
	other.Status.Conditions[0].Type = v1alpha1.ConditionReady
	if c := CredentialOf(other); c.InjectionProblem != "" {
		t.Errorf("another condition says of the attachment %q", c.InjectionProblem)
	}
	if c := CredentialOf(object); !c.InjectedSince.Equal(noon) || c.InjectionProblem == "" || len(c.Accounts) != 0 {
		t.Errorf("%+v", c)
	}
}

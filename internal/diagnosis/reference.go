package diagnosis

import (
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// missedReference settles why a pod does not refer to the Secret. The list is copied from the ServiceAccount when a pod is
// created, and only where the pod lists none itself.
func missedReference(facts *Facts, c *Credential, _ Entry, f Finding) *Finding {
	if f.Referenced {
		return nil
	}
	account := facts.Account
	switch {
	case c.Attach == v1alpha1.AttachPods:
		return missedInjection(facts, c, f)
	case c.Attach == v1alpha1.AttachNone:
		return f.as(Report, AccountNotServed, "the pod does not name Secret %s, and RegistryCredential %s has spec.target.attach: None", c.SecretName, c.Name).
			advise("add %s to imagePullSecrets of its template, or set attach to Pods or ServiceAccounts there", c.SecretName).again(later)
	case hasOwnList(facts):
		if missing := missingSecrets(facts); len(missing) == len(facts.Pod.Spec.ImagePullSecrets) {
			return f.as(Report, OwnPullSecrets, "no Secret that the pod lists exists (%s), and with a list of its own it inherits none from its ServiceAccount", strings.Join(missing, ", ")).
				advise("add %s to imagePullSecrets of its template, remove the list there, or create what it lists", c.SecretName)
		}
		return f.as(Report, OwnPullSecrets, "the pod lists its own pull secrets (%s), so that it inherits none from its ServiceAccount", strings.Join(referenced(facts), ", ")).
			advise("add %s to imagePullSecrets of its template, or remove the list there", c.SecretName)
	case account.Missing:
		return f.as(Wait, NotAttached, "ServiceAccount %s does not exist", account.Name).again(soon)
	case slices.Contains(account.PullSecrets, c.SecretName):
		return missedAttachment(facts, c, f)
	}
	return notAttached(facts, c, f)
}

// notAttached is for a ServiceAccount that does not name the Secret, or of which that is not known.
func notAttached(facts *Facts, c *Credential, f Finding) *Finding {
	account := facts.Account
	switch {
	case !slices.Contains(c.Accounts, account.Name):
		return f.as(Report, AccountNotServed, "ServiceAccount %s does not name Secret %s, and RegistryCredential %s does not serve it", account.Name, c.SecretName, c.Name).
			advise("add it to spec.target.serviceAccounts there and to the operator's limits%s", orAttach(facts, c)).again(later)
	case account.Unread:
		return f.as(Report, AccountNotServed, "ServiceAccount %s may not be read here", account.Name).again(later)
	case c.Problem != "":
		return f.as(Report, AttachmentFails, "Secret %s is not in ServiceAccount %s: %s", c.SecretName, account.Name, c.Problem).
			advise("add the line \"imagePullSecrets: [{name: %s}]\" where the ServiceAccount is kept", c.SecretName).again(later)
	}
	return f.as(Wait, NotAttached, "Secret %s is not in ServiceAccount %s yet", c.SecretName, account.Name).again(soon)
}

// missedAttachment: the ServiceAccount names the Secret and the pod does not. A pod that was created before is restarted at once, one that
// was created within the lag of admission a moment later, and one that was created after that never: see lag. So is none where regcred did
// not make the attachment, and it has no time.
func missedAttachment(facts *Facts, c *Credential, f Finding) *Finding {
	if facts.Pod.CreationTimestamp.Time.After(f.Change.Add(admissionLag)) {
		return f.as(Report, ReferenceNotAdded, "ServiceAccount %s names Secret %s and the pod was still created without it: something removes it, or the entry was added by hand", facts.Account.Name, c.SecretName).
			advise("to recreate the pod, run: kubectl delete pod %s -n %s", facts.Pod.Name, facts.Pod.Namespace)
	}
	wait := lag(facts, f.Change)
	if wait <= 0 {
		return nil
	}
	return f.as(Wait, AdmissionLag, "the pod was created just as ServiceAccount %s got Secret %s, and missed it", facts.Account.Name, c.SecretName).again(wait)
}

// lag is how long a pod that missed a change of admission waits before it is restarted, zero where it was created before the change. One
// that was created in its second, or in the next, waits for the one after that: by then admission has nearly always caught up. A successor
// that still lacks the reference waits until all lag is over, so that there is an end by construction.
func lag(facts *Facts, change time.Time) time.Duration {
	switch created := facts.Pod.CreationTimestamp.Time; { // times have whole seconds
	case created.Before(change):
		return 0
	case created.Before(change.Add(quickRetry)):
		return change.Add(quickRetry).Sub(facts.Now)
	}
	return change.Add(admissionLag + time.Second).Sub(facts.Now)
}

// hasOwnList reports whether the pod's list is its own: its template has one or, where no template is known, it differs from what
// the ServiceAccount would give.
func hasOwnList(facts *Facts) bool {
	own := referenced(facts)
	if len(own) == 0 {
		return false
	}
	if len(facts.Owners) > 0 && facts.Owners[0].Template != nil {
		return len(facts.Owners[0].Template.PullSecrets) > 0
	}
	for _, name := range own {
		if !slices.Contains(facts.Account.PullSecrets, name) {
			return true
		}
	}
	return false
}

func referenced(facts *Facts) []string {
	var names []string
	for _, ref := range facts.Pod.Spec.ImagePullSecrets {
		names = append(names, ref.Name)
	}
	return names
}

// missingSecrets are the Secrets that the pod lists and that do not exist.
func missingSecrets(facts *Facts) []string {
	return slices.DeleteFunc(referenced(facts), func(name string) bool { return !facts.Secrets[name].Missing })
}

// orAttach is the command that attaches the Secret by hand, where the others in the list are known and their names are plain: whoever
// may write a ServiceAccount lists any text.
func orAttach(facts *Facts, c *Credential) string {
	if facts.Account.Unread {
		return ""
	}
	names := append(slices.Clone(facts.Account.PullSecrets), c.SecretName)
	list := strings.TrimSuffix(strings.Repeat(`{"name":"%s"},`, len(names)), ",")
	return foreign.Command(`, or run: kubectl patch serviceaccount %s -n %s --type merge -p '{"imagePullSecrets":[`+list+`]}'`,
		append([]string{facts.Account.Name, facts.Pod.Namespace}, names...)...)
}

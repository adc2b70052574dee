package diagnosis

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
)

const (
	// kubeletRetry is the longest that a kubelet waits between two attempts: 300 s and up to 15 s of its own rhythm.
	kubeletRetry = 315 * time.Second
	// admissionLag is how long admission may still go by a ServiceAccount from its cache, so that a pod misses an entry that is
	// there already.
	admissionLag = 10 * time.Second
	// quickRetry is after which time of a change a pod is restarted that was created just then, so that it may have missed it. Whole seconds:
	// the successor must be created no earlier than this. One that lacks a reference all the same is given one more restart after admissionLag.
	quickRetry = 2 * time.Second
	// clockSkew is how far the clocks of a cluster may differ.
	clockSkew = time.Minute
	// soon is when something is looked at again that a watch should bring, in case it does not.
	soon = 15 * time.Second
	// judgeTimeout is how long after its creation a pod waits for what the registry says of the value that it was refused with.
	judgeTimeout = 10 * time.Minute
	// later is the same for what takes a person.
	later = 5 * time.Minute
)

// entryFor is the entry with which a kubelet would pull the image.
func (c *Credential) entryFor(image string) (Entry, bool) {
	var keys []string
	for _, entry := range c.Entries {
		keys = append(keys, entry.Key)
	}
	key := matchingKey(keys, image)
	for _, entry := range c.Entries {
		if entry.Key == key && key != "" {
			return entry, true
		}
	}
	return Entry{}, false
}

func matchingKey(keys []string, image string) string {
	if used := registry.MostSpecific(keys, image); len(used) > 0 {
		return used[0]
	}
	return ""
}

func refersTo(pod *corev1.Pod, secret string) bool {
	return slices.ContainsFunc(pod.Spec.ImagePullSecrets, func(ref corev1.LocalObjectReference) bool { return ref.Name == secret })
}

// credentialChecks settle, in this order, whether a credential can pull the image in a new attempt or a new pod.
var credentialChecks = []func(*Facts, *Credential, Entry, Finding) *Finding{
	unpublished, rejected, secretForeign, taken, unsynced, shadowed, fromTheFuture, missedReference, didNotHelp, unproven,
}

// through takes a failing pull through the checks of one credential. What passes them all is cured by a new attempt, or by a
// new pod.
func (f Finding) through(facts *Facts, c *Credential, entry Entry) Finding {
	f.Change = facts.changeFor(c, f.Referenced)
	// A tag moves: where the registry can be asked, what it said at the last test is not good enough to pin an image to.
	f.Digest = facts.Probes[f.question()].Digest
	if !c.Provable {
		f.Digest = entry.digestOf(f.Image)
	}
	for _, check := range credentialChecks {
		if answer := check(facts, c, entry, f); answer != nil {
			return *answer
		}
	}
	if !f.Referenced && c.Attach == v1alpha1.AttachPods {
		return *f.as(Restart, MissingReference, "the pod was created before Secret %s, which can pull %s, was added to new pods here", f.Secret, f.Image)
	}
	if f.Referenced {
		return *f.as(Restart, StaleCredential, "Secret %s changed after the pod was created and can pull %s now", f.Secret, f.Image)
	}
	return *f.as(Restart, MissingReference, "the pod was created before ServiceAccount %s named Secret %s, which can pull %s", facts.Account.Name, f.Secret, f.Image)
}

// changeFor is when what a pod may lack came to be there: the value in the Secret or, without a reference, its attachment. Whole
// seconds.
func (f *Facts) changeFor(c *Credential, referenced bool) time.Time {
	secret := f.Secrets[c.SecretName]
	switch {
	case !referenced && c.Attach == v1alpha1.AttachPods:
		return f.injectedSince(c)
	case !referenced:
		return f.Account.Attached[c.SecretName]
	case secret.Unread:
		return c.ChangeTime
	}
	return secret.Sources[c.Name].Changed.Time
}

func (f Finding) question() Question {
	return Question{Credential: f.Credential, Key: f.Key, Image: f.Image}
}

func unpublished(_ *Facts, c *Credential, _ Entry, f Finding) *Finding {
	if c.Published {
		return nil
	}
	why := ""
	if c.Unready != "" {
		why = ": " + c.Unready
	}
	return f.as(Wait, NotPublished, "RegistryCredential %s has no usable value yet%s", c.Name, why).
		advise("see its conditions: kubectl get registrycredential %s -o yaml", c.Name).again(later)
}

func rejected(_ *Facts, c *Credential, entry Entry, f Finding) *Finding {
	if entry.Rejected == "" {
		return nil
	}
	return f.as(Report, CredentialRejected, "the registry refuses the value of RegistryCredential %s: %s", c.Name, entry.Rejected).
		advise("store a good value at its source").again(time.Minute)
}

func secretForeign(facts *Facts, c *Credential, _ Entry, f Finding) *Finding {
	secret := facts.Secrets[c.SecretName]
	if secret.Missing || secret.Unread || secret.Owner.Ours {
		return nil
	}
	return f.as(Report, SecretNotOurs, "Secret %s belongs to %s, and regcred does not write it", c.SecretName, secret.Owner.Manager).advise("Secret %s: %s", c.SecretName, secret.Owner.Fix).again(later)
}

func taken(facts *Facts, c *Credential, _ Entry, f Finding) *Finding {
	written := facts.Secrets[c.SecretName].Sources[c.Name]
	if c.TakenBy == "" || matchingKey(written.Keys, f.Image) != "" {
		return nil
	}
	return f.as(Report, RegistryTaken, "RegistryCredential %s provides this registry in Secret %s, because it is older than %s", c.TakenBy, c.SecretName, c.Name).
		advise("let one of the two provide it")
}

func unsynced(facts *Facts, c *Credential, _ Entry, f Finding) *Finding {
	secret := facts.Secrets[c.SecretName]
	if written := secret.Sources[c.Name]; written.Revision == c.Revision && secret.Breaks == "" && secret.holds(written, c, f.Key) {
		return nil
	}
	switch {
	case c.Problem != "":
		return f.as(Report, SecretNotSynced, "the value of RegistryCredential %s is not in Secret %s: %s", c.Name, c.SecretName, c.Problem).again(later)
	case secret.Unread && !c.ChangeTime.IsZero():
		return nil // an onlooker goes by what the RegistryCredential says of itself
	case secret.Unread:
		return f.as(Wait, SecretUnread, "Secret %s may not be read here, so that it is not known whether the pod is older than the value in it", c.SecretName).again(later)
	}
	return f.as(Wait, SecretNotSynced, "the value of RegistryCredential %s is on its way to Secret %s", c.Name, c.SecretName).again(soon)
}

// holds reports whether the Secret has the entry that the image needs: after a change of the spec the revision is the same, and the
// Secret may not have the key yet.
func (s Secret) holds(written pullsecret.Source, c *Credential, key string) bool {
	return slices.Contains(written.Keys, key) && slices.Contains(s.Keys, key) && (c.Digest == "" || written.Digest == "" || written.Digest == c.Digest)
}

// shadowed entries are never tried: an entry for docker.io of another Secret hides the one for index.docker.io. Other entries are
// tried one after the other.
func shadowed(facts *Facts, _ *Credential, _ Entry, f Finding) *Finding {
	if !registry.IsDockerHub(f.Key) {
		return nil
	}
	for _, ref := range facts.Pod.Spec.ImagePullSecrets {
		// f.Key is for the image, so that there is one at least.
		used := registry.MostSpecific(append(slices.Clone(facts.Secrets[ref.Name].Keys), f.Key), f.Image)
		if !slices.Contains(used, f.Key) {
			return f.as(Report, Shadowed, "a kubelet uses the entry %q of Secret %s instead of %q in Secret %s", registry.Shown(used[0]), ref.Name, f.Key, f.Secret).advise("remove the former")
		}
	}
	return nil
}

// fromTheFuture: a recorded time that lies ahead makes every pod older than the change, the successors of those that are restarted, too. Where
// clocks can explain it the time is waited for: then a successor is younger.
func fromTheFuture(facts *Facts, _ *Credential, _ Entry, f Finding) *Finding {
	ahead := f.Change.Sub(facts.Now)
	switch {
	case ahead <= 0:
		return nil
	case ahead <= clockSkew:
		return f.as(Wait, TimeInFuture, "the time recorded for Secret %s, %s, has not come yet, by the API server's clock: until then a new pod would seem older than the change, too",
			f.Secret, clock(f.Change)).again(ahead)
	}
	return f.as(Report, TimeInFuture, "the time recorded for Secret %s, %s, lies in the future", f.Secret, f.Change.UTC().Format(time.RFC3339)).
		advise("see whether somebody changed the annotation, or a clock is wrong").again(later)
}

// didNotHelp: a pod that was created after the change and carries the reference had the credential. Another pod would not
// succeed either, and restarting it would never end.
func didNotHelp(facts *Facts, c *Credential, entry Entry, f Finding) *Finding {
	if f.Referenced && !facts.Repulled.IsZero() && !f.Change.After(facts.Repulled) {
		return f.as(Report, CredentialDidNotHelp, "the kubelet pulled again with the value of RegistryCredential %s, and the registry denies pulling %s with it", c.Name, f.Image).advise("%s", f.opens(facts, entry))
	}
	if !f.Referenced || facts.Pod.CreationTimestamp.Time.Before(f.Change) {
		return nil
	}
	if may, wait := mayHaveMissed(facts, f.Change); may {
		if wait <= 0 {
			return nil
		}
		return f.as(Wait, KubeletRetries, "the pod was created just as Secret %s changed, and may have missed it; unless it runs before, it is looked at again two seconds after the change",
			c.SecretName).again(wait)
	}
	if waiting := f.kubeletLate(facts); waiting != nil {
		return waiting
	}
	if waiting := f.judging(facts, c, entry); waiting != nil {
		return waiting
	}
	return f.as(Report, CredentialDidNotHelp, "the pod has had the value of RegistryCredential %s since it was created, and the registry denies pulling %s with it", c.Name, f.Image).advise("%s", f.opens(facts, entry))
}

// judging: a login that failed says nothing about the account's rights before the registry took the value after the pod was created.
// The doubt that the pod raises has it asked.
func (f Finding) judging(facts *Facts, c *Credential, entry Entry) *Finding {
	created := facts.Pod.CreationTimestamp.Time
	switch {
	case c.SecretAlone && f.Class == pullerror.AuthFailed:
		return f.as(Wait, CredentialsUnread, "the registry refused the login of the pod with the value in Secret %s; RegistryCredential %s, which may not be read here, says whether the registry still takes that value", f.Secret, c.Name).
			advise("ask for the ClusterRole regcred-viewer, or see the events of the pod").again(later)
	case !c.Judged, f.Class != pullerror.AuthFailed, !entry.Accepted.Before(created):
		return nil
	case facts.Now.Sub(created) > judgeTimeout:
		return f.as(Report, Unproven, "the registry refused the login of the pod, and could not be asked since whether it takes the value of RegistryCredential %s", c.Name).
			advise("see the conditions of RegistryCredential %s, and whether the registry answers", c.Name).again(later)
	}
	return f.as(Wait, JudgingCredential, "the registry refused the login of the pod; it is asked whether it still takes the value of RegistryCredential %s", c.Name).again(soon)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullerror"
)

// Finding is what is behind one failing pull.
type Finding struct {
	Pull
	// Action is Restart where a new attempt, or a new pod, would have what this one lacks. Else Wait or Report.
	Action Action
	Reason Reason
	// Explain says what happened, Advice what a person can do about it. Advice is empty where nobody need do anything.
	Explain, Advice string
	// Credential is the RegistryCredential that provides the registry here, with its Secret and the key that matches the image.
	Credential string
	Secret     string
	Key        string
	// Digest of the image where the registry gave it to this credential.
	Digest string
	// Change is when the Secret or its attachment changed. Set for Restart.
	Change time.Time
	// Referenced says that the pod refers to the Secret.
	Referenced bool
	// recheck is when it is worth looking again.
	recheck   time.Duration
	questions []Question
	from      *Credential
}

func (f Finding) as(action Action, reason Reason, format string, args ...any) *Finding {
	f.Action, f.Reason, f.Explain = action, reason, foreign.Message(fmt.Sprintf(format, args...))
	return &f
}

func (f *Finding) advise(format string, args ...any) *Finding {
	f.Advice = foreign.Message(fmt.Sprintf(format, args...))
	return f
}

func (f *Finding) again(after time.Duration) *Finding {
	f.recheck = after
	return f
}

// examine says what is behind one failing pull.
func examine(f *Facts, pull Pull) Finding {
	finding := Finding{Pull: pull}.providedBy(f.Credentials)
	if pull.outdated() {
		return *finding.as(Wait, KubeletRetries, "the image was changed, and the kubelet has not said yet whether it can pull that").again(soon)
	}
	if answer := byClass(f, finding); answer != nil {
		return *answer
	}
	var best *Finding
	for i := range f.Credentials {
		c := &f.Credentials[i]
		entry, ok := c.entryFor(pull.Image)
		if !ok || f.givenBySibling(c, entry) {
			continue
		}
		candidate := finding
		candidate.Credential, candidate.Secret, candidate.Key, candidate.from = c.Name, c.SecretName, entry.Key, c
		candidate.Referenced = refersTo(f.Pod, c.SecretName)
		candidate = candidate.through(f, c, entry)
		if best == nil || candidate.promise() > best.promise() {
			best = &candidate
		}
	}
	if best == nil {
		return *withoutCredential(f, finding)
	}
	return *best
}

// providedBy names a RegistryCredential that provides the registry, whatever the pull fails for: it makes the pod regcred's business.
func (f Finding) providedBy(credentials []Credential) Finding {
	for i := range credentials {
		if _, ok := credentials[i].entryFor(f.Image); ok {
			f.Credential, f.from = credentials[i].Name, &credentials[i]
			break
		}
	}
	return f
}

// givenBySibling reports whether the entry of a Secret is another RegistryCredential's: the Secret records from which it came.
func (f *Facts) givenBySibling(c *Credential, entry Entry) bool {
	sources := f.Secrets[c.SecretName].Sources
	if slices.Contains(sources[c.Name].Keys, entry.Key) {
		return false
	}
	return slices.ContainsFunc(f.Credentials, func(other Credential) bool {
		return other.Name != c.Name && other.SecretName == c.SecretName && slices.Contains(sources[other.Name].Keys, entry.Key) &&
			slices.ContainsFunc(other.Entries, func(e Entry) bool { return e.Key == entry.Key })
	})
}

// promise orders what several RegistryCredentials offer for one image.
func (f Finding) promise() int {
	return slices.Index([]Action{Report, Wait, Restart}, f.Action)
}

// byClass settles what no credential cures.
func byClass(f *Facts, p Finding) *Finding {
	if found := notPulled(p); found != nil {
		return found
	}
	if mirror := pullerror.Mirror(p.Message, p.Image); mirror != "" {
		return mirrorRefuses(f, p, mirror)
	}
	if p.Class.CuredByCredential() {
		return nil
	}
	switch p.Class {
	case pullerror.RateLimited:
		return rateLimited(f, p)
	case pullerror.MalformedSecret:
		return malformed(f, p)
	}
	return otherCause(p)
}

// notPulled settles what no registry was asked about.
func notPulled(p Finding) *Finding {
	switch {
	case len(p.Image) > maxImage:
		return p.as(Report, InvalidImageName, "%q is not an image reference: it is longer than %d bytes", foreign.Name(p.Image), maxImage).advise("correct the image in the pod's template")
	case p.Waiting == "InvalidImageName":
		p.Image = foreign.Name(p.Image)
		return p.as(Report, InvalidImageName, "%q is not an image reference: %s", p.Image, cmp.Or(p.Message, "the kubelet does not say why")).advise("correct the image in the pod's template")
	case p.Waiting == "ErrImageNeverPull":
		return p.as(Report, ImageNeverPulled, "the image is not on the node, or not for this pod, and imagePullPolicy is Never").advise("change the policy, or load the image on the node")
	}
	return nil
}

// otherCause is what credentials have nothing to do with.
func otherCause(p Finding) *Finding {
	switch p.Class {
	case pullerror.NotFound:
		return p.as(Report, ImageNotFound, "the registry does not have %s", p.Image).advise("correct the image's name or tag, or push it")
	case pullerror.PlatformManifest:
		return p.as(Report, PlatformMissing, "%s is not there for the node's platform", p.Image).advise("build it for that platform, or choose other nodes")
	case pullerror.TLS:
		return p.as(Report, TLSFailed, "the node does not trust the registry's certificate, or the registry speaks no TLS").advise("set the registry up on the nodes, in the configuration of the container runtime")
	case pullerror.KubeletThrottled:
		return p.as(Wait, KubeletThrottled, "the kubelet limits its own pulls and tries again").again(kubeletRetry)
	case pullerror.Network:
		return p.as(Wait, RegistryUnreachable, "the node does not reach the registry; the kubelet retries automatically").advise("see whether the registry is up, and whether the node resolves and reaches it").again(kubeletRetry)
	case pullerror.Registry5xx:
		return p.as(Wait, RegistryFailing, "the registry fails; the kubelet retries automatically").advise("look at the state of the registry").again(kubeletRetry)
	}
	return p.as(Report, UnknownCause, "the pull fails for a cause that is not known to be a credential").advise("see the kubelet's message")
}

// rateLimited pulls are cured only where the pod pulled anonymously and would now have a credential.
func rateLimited(f *Facts, p Finding) *Finding {
	for _, ref := range f.Pod.Spec.ImagePullSecrets {
		secret := f.Secrets[ref.Name]
		if secret.Unread || matchingKey(secret.Keys, p.Image) != "" {
			return p.as(Report, RateLimited, "the registry limits the pulls of this account").advise("wait, or use an account with a higher limit")
		}
	}
	return nil
}

// malformed finds the Secret that breaks every pull of the pod.
func malformed(f *Facts, p Finding) *Finding {
	var unread []string
	for _, ref := range f.Pod.Spec.ImagePullSecrets {
		secret := f.Secrets[ref.Name]
		p.Secret = ref.Name
		switch {
		case secret.Unread:
			unread = append(unread, ref.Name)
		case secret.Breaks != "" && secret.Owner.Ours:
			return p.as(Wait, OwnSecretBeingRewritten, "Secret %s cannot be read (%s): regcred writes it again, and the kubelet tries again within 15 seconds",
				ref.Name, secret.Breaks).again(soon)
		case secret.Breaks != "":
			return p.as(Report, MalformedSecret, "Secret %s of %s breaks every pull of this pod, whatever the others hold: %s",
				ref.Name, secret.Owner.Manager, secret.Breaks).advise("fix it where it comes from%s", foreign.Command(", or run: kubectl edit secret %s -n %s", ref.Name, f.Pod.Namespace))
		}
	}
	if len(unread) > 0 {
		p.Secret = unread[0]
		return p.as(Report, MalformedSecret, "one of the pull secrets of this pod cannot be read by the kubelet, and breaks every pull").
			advise("look at %s, which may not be read here, and fix it", strings.Join(unread, ", "))
	}
	p.Secret = ""
	return p.as(Wait, KubeletRetries, "a pull secret could not be read by the kubelet and is in order by now; the kubelet tries again within 15 seconds").again(soon)
}

func withoutCredential(f *Facts, p Finding) *Finding {
	switch {
	case f.CredentialsUnread:
		return p.as(Wait, CredentialsUnread, "RegistryCredentials may not be read here, so that it is not known whether regcred provides this registry").
			advise("ask for the ClusterRole regcred-viewer")
	case p.Class == pullerror.RateLimited:
		return p.as(Report, RateLimited, "the registry limits anonymous pulls, and no RegistryCredential provides it in namespace %s", f.Pod.Namespace).
			advise("%s", p.provide())
	}
	if excluded := excludedHere(f, p); excluded != nil {
		return excluded
	}
	if near := nearMiss(f, p); near != nil {
		return near
	}
	if ignored := ignoredSecret(f, p); ignored != nil {
		return ignored
	}
	return p.as(Report, NoCredential, "no RegistryCredential provides the registry of %s in namespace %s", p.Image, f.Pod.Namespace).
		advise("%s", p.provide())
}

// WantsCredential reports whether the pull fails because a credential is missing, as far as the kubelet's message tells. A limit of
// anonymous pulls is one that a restart cures.
func (f Finding) WantsCredential() bool {
	return f.Class.CuredByCredential() || f.Action == Restart
}

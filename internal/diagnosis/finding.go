package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/internal/pullerror"
)

// Finding is what is behind one failing pull.
type Finding struct {
	Pull
	// Action is Restart where a new attempt, or a new pod, would have what this one lacks. Else Wait or Report.
	Action  Action
	Reason  Reason
	Explain string
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

func (f Finding) as(action Action, reason Reason, format string, args ...any) Finding {
	f.Action, f.Reason, f.Explain = action, reason, fmt.Sprintf(format, args...)
	return f
}

func (f Finding) again(after time.Duration) Finding {
	f.recheck = after
	return f
}

// examine says what is behind one failing pull.
func examine(f *Facts, pull Pull) Finding {
	finding := Finding{Pull: pull}
	if pull.outdated() {
		return finding.as(Wait, KubeletRetries, "the image was changed, and the kubelet has not said yet how it fares").again(soon)
	}
	if answer, settled := byClass(f, finding); settled {
		return answer
	}
	var best *Finding
	for i := range f.Credentials {
		c := &f.Credentials[i]
		entry, ok := c.entryFor(pull.Image)
		if !ok {
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
		return withoutCredential(f, finding)
	}
	return *best
}

// promise orders what several RegistryCredentials offer for one image.
func (f Finding) promise() int {
	return slices.Index([]Action{Report, Wait, Restart}, f.Action)
}

// byClass settles what no credential cures.
func byClass(f *Facts, p Finding) (Finding, bool) {
	switch p.Waiting {
	case "InvalidImageName":
		return p.as(Report, InvalidImageName, "%q is not an image reference: correct it in the pod's template", p.Image), true
	case "ErrImageNeverPull":
		return p.as(Report, ImageNeverPulled, "the image is not on the node, or not for this pod, and imagePullPolicy is Never: change the policy or load the image"), true
	}
	if p.Class.CuredByCredential() {
		return p, false
	}
	switch p.Class {
	case pullerror.RateLimited:
		return rateLimited(f, p)
	case pullerror.MalformedSecret:
		return malformed(f, p), true
	case pullerror.NotFound:
		return p.as(Report, ImageNotFound, "the registry does not have %s: correct the image's name or tag, or push it", p.Image), true
	case pullerror.PlatformManifest:
		return p.as(Report, PlatformMissing, "%s is not there for the node's platform: build it for that, or choose other nodes", p.Image), true
	case pullerror.TLS:
		return p.as(Report, TLSFailed, "the node does not trust the registry's certificate, or the registry speaks no TLS: this is set up on the node"), true
	case pullerror.KubeletThrottled:
		return p.as(Wait, KubeletThrottled, "the kubelet limits its own pulls and tries again").again(kubeletRetry), true
	case pullerror.Network:
		return p.as(Wait, RegistryUnreachable, "the node does not reach the registry; the kubelet tries again by itself").again(kubeletRetry), true
	case pullerror.Registry5xx:
		return p.as(Wait, RegistryFailing, "the registry fails; the kubelet tries again by itself").again(kubeletRetry), true
	}
	return p.as(Report, UnknownCause, "the pull fails for a cause that is not a credential: see the message"), true
}

// rateLimited pulls are cured only where the pod pulled anonymously and would now have a credential.
func rateLimited(f *Facts, p Finding) (Finding, bool) {
	if len(f.Pod.Spec.ImagePullSecrets) == 0 {
		return p, false
	}
	for _, ref := range f.Pod.Spec.ImagePullSecrets {
		secret := f.Secrets[ref.Name]
		if secret.Unread || matchingKey(secret.Keys, p.Image) != "" {
			return p.as(Report, RateLimited, "the registry limits the pulls of this account: wait, or use one with a higher limit"), true
		}
	}
	return p, false
}

// malformed finds the Secret that breaks every pull of the pod.
func malformed(f *Facts, p Finding) Finding {
	var unread []string
	for _, ref := range f.Pod.Spec.ImagePullSecrets {
		secret := f.Secrets[ref.Name]
		p.Secret = ref.Name
		switch {
		case secret.Unread:
			unread = append(unread, ref.Name)
		case secret.Breaks != "" && secret.Owner.Ours:
			return p.as(Wait, OwnSecretBeingMended, "Secret %s cannot be read (%s): regcred writes it anew, and the kubelet tries again within 15 seconds",
				ref.Name, secret.Breaks).again(soon)
		case secret.Breaks != "":
			return p.as(Report, MalformedSecret, "Secret %s of %s breaks every pull of this pod, whatever the others hold: %s; mend it: %s",
				ref.Name, secret.Owner.Manager, secret.Breaks, "kubectl edit secret "+ref.Name+" -n "+f.Pod.Namespace)
		}
	}
	if len(unread) > 0 {
		p.Secret = unread[0]
		return p.as(Report, MalformedSecret, "one of the pull secrets of this pod cannot be read by the kubelet and breaks every pull; regcred may not read %s: mend it",
			strings.Join(unread, ", "))
	}
	p.Secret = ""
	return p.as(Wait, KubeletRetries, "a pull secret could not be read by the kubelet and is in order by now; the kubelet tries again within 15 seconds").again(soon)
}

func withoutCredential(f *Facts, p Finding) Finding {
	if p.Class == pullerror.RateLimited {
		return p.as(Report, RateLimited, "the registry limits anonymous pulls, and no RegistryCredential provides it in namespace %s: add one", f.Pod.Namespace)
	}
	return p.as(Report, NoCredential, "no RegistryCredential provides the registry of %s in namespace %s: add one, or select the namespace in one",
		p.Image, f.Pod.Namespace)
}

// WantsCredential reports whether the pull fails for want of a credential, as far as the kubelet's message tells.
func (f Finding) WantsCredential() bool {
	return f.Class.CuredByCredential() || f.Class == pullerror.RateLimited && f.Action == Restart
}

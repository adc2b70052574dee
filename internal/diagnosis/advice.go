package diagnosis

import (
	"regexp"
	"strconv"
	"strings"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/internal/registry"
)

const (
	// grant is the advice where the registry said that the credential does not open the image.
	grant = "give the credential's account the right to pull the image, or correct the image"
	// findOut is the advice where nobody asked it.
	findOut = "see whether the image exists and the credential's account may pull it; if so, look for a mirror or a proxy between node and registry"
	// differs is the advice where the registry opens the image for the operator with the same value.
	differs = "the account has the right to pull it: look at what is between node and registry, such as a mirror, a proxy or a list of allowed addresses"
)

// opens is the advice for a pull that failed with the credential, by what is known of the credential and this image.
func (f Finding) opens(facts *Facts, entry Entry) string {
	probe := facts.Probes[f.question()]
	switch {
	case probe.Access == AccessDenied:
		return grant
	case probe.Access == AccessAllowed, entry.digestOf(f.Image) != "":
		return differs
	default:
		return findOut
	}
}

// nodeLogin is the advice where a mirror refused what the node has for it.
const nodeLogin = "give the mirror's credential to the nodes, in the configuration of the container runtime"

// mirrorRefuses is the finding where a mirror refused the pull. containerd shows the credential that a kubelet gives to the mirror, too, in
// the place of what the node has for it: attaching a Secret can break a mirror that served the image before.
func mirrorRefuses(facts *Facts, p Finding, mirror string) *Finding {
	said := foreign.Name(mirror) + " refused the pull of " + foreign.Name(p.Image) + ". It is a mirror that the node asks first"
	if pullerror.MirrorSeesNoSecret(p.Message, p.Image) {
		return p.as(Report, MirrorRefuses, "%s, and CRI-O shows a mirror what the node has for it, not the pull Secrets of the pod", said).
			advise(nodeLogin+". On OpenShift with a CRIOCredentialProviderConfig, correct the Secret of the namespace that is for %s", foreign.Name(mirror))
	}
	for _, ref := range facts.Pod.Spec.ImagePullSecrets {
		secret := facts.Secrets[ref.Name]
		if matchingKey(secret.Keys, p.Image) == "" && !secret.Unread {
			continue
		}
		p.Secret = ref.Name
		showed := "the runtime showed it"
		if secret.Unread {
			showed = "the runtime shows it, where there is one,"
		}
		return p.as(Report, MirrorRefuses, "%s, and %s the credential of Secret %s, not the one that the node may have for it", said, showed, ref.Name).
			advise("let the mirror accept that credential, or serve this registry without a pull Secret here%s", p.leave())
	}
	warning := ""
	if p.Credential != "" {
		warning = ". With the pull Secret of RegistryCredential " + p.Credential + " it is shown that credential instead of the node's"
	}
	return p.as(Report, MirrorRefuses, "%s, and no pull Secret of the pod is for this image%s", said, warning).advise(nodeLogin)
}

// leave is how the node's own credential comes to be used again.
func (f Finding) leave() string {
	if f.Credential == "" {
		return ""
	}
	return ": take the namespace out of spec.target of RegistryCredential " + f.Credential
}

// provide is the advice where no RegistryCredential provides the registry.
func (f Finding) provide() string {
	if why := unlistable(f.Image); why != "" {
		return why
	}
	const add = "add a RegistryCredential for it, or select the namespace in the one that is there"
	if f.Class == pullerror.NotFoundOrDenied {
		return "correct the image's name if there is no such image; if it is private, " + add
	}
	return add
}

var (
	portOf       = regexp.MustCompile(`:([0-9]+)$`)
	hostOfImages = regexp.MustCompile(`^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::|$)`)
)

// unlistable says what to do with an image whose registry the schema refuses in spec.registries of a RegistryCredential, or nothing. No
// credential can be added for such an image.
func unlistable(image string) string {
	parsed, err := registry.ParseImage(image)
	if err != nil {
		return "correct the image: it is not an image reference"
	}
	host := parsed.Registry
	port := portOf.FindStringSubmatch(host)
	switch {
	case host == "hub.docker.com":
		return "write docker.io in the image: hub.docker.com is the website of Docker Hub, and not a registry"
	case strings.HasSuffix(host, "]"):
		return "write the port in the image, as in [::1]:5000: a kubelet finds no credential for an IPv6 address without one"
	case !hostOfImages.MatchString(host):
		return "use another name for the registry: it is not a host name, and a RegistryCredential cannot list it"
	case port != nil && !isPort(port[1]):
		return "correct the port in the image: it is a number from 1 to 65535 without leading zeros"
	}
	return ""
}

// isPort reports whether digits are a port. Of more digits than fit strconv makes the largest number.
func isPort(digits string) bool {
	number, _ := strconv.Atoi(digits)
	return number <= 65535 && digits[0] != '0'
}

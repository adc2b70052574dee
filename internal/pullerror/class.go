// Package pullerror tells what a message about a failed image pull means: the cause in a container's waiting
// message, or in an event of the kubelet.
//
// The messages are written by kubelets, by container runtimes (containerd, CRI-O, dockerd) and by registries, each
// in its own words, and the name of the image is everywhere in them. [Classify] takes the names out and then tries an
// ordered list of rules. A class is evidence, not proof: registries lie (an expired robot of Harbor reads like a
// missing permission), so what looks like a question of credentials is settled by asking the registry.
package pullerror

// Class is what a pull failed of.
type Class string

const (
	// AuthFailed: a credential was sent, and the registry or its token server refused it as wrong, expired or
	// revoked.
	AuthFailed Class = "auth-failed"
	// NoCredentials: none was sent, and the registry asks for one.
	NoCredentials Class = "no-credentials"
	// Forbidden: the registry says that whoever asks has no right to pull this repository.
	Forbidden Class = "forbidden"
	// NotFoundOrDenied: the registry does not say which of the two. Docker Hub, Quay and ECR hide private
	// repositories in this way.
	NotFoundOrDenied Class = "not-found-or-denied"
	// NotFound: the registry answered that there is no such repository, tag, manifest or blob.
	NotFound Class = "not-found"
	// RateLimited: the registry allows no more pulls for now.
	RateLimited Class = "rate-limited"
	// KubeletThrottled: the kubelet itself held the pull back (registryPullQPS). The registry was not asked.
	KubeletThrottled Class = "kubelet-throttled"
	// Network: the registry, or its token server, was not reached or the connection broke.
	Network Class = "network"
	// TLS: the connection was refused for its certificate or protocol.
	TLS Class = "tls"
	// Registry5xx: the registry, or its token server, failed.
	Registry5xx Class = "registry-5xx"
	// PlatformManifest: the image is there, and not for the node's platform or in a manifest format that the
	// runtime cannot read.
	PlatformManifest Class = "platform-manifest"
	// MalformedSecret: the kubelet cannot read one of the pod's pull Secrets, and so pulls nothing at all.
	MalformedSecret Class = "malformed-secret"
	// Other: something else (the node's disk, a signature policy, an invalid image name), or the message gives no
	// cause.
	Other Class = "other"
)

// classes are all of them, the most telling first: of several causes in one message, the one that comes first here is
// the class of the message. Classify says why.
var classes = []Class{
	MalformedSecret,
	AuthFailed,
	Forbidden,
	NotFoundOrDenied,
	NoCredentials,
	RateLimited,
	PlatformManifest,
	NotFound,
	TLS,
	Registry5xx,
	Network,
	KubeletThrottled,
	Other,
}

// CuredByCredential reports whether another, valid credential can cure the cause. For NotFoundOrDenied and Forbidden
// it can only if that credential may pull the repository, which the registry knows. For a rate limit it can too, but
// only where the pull was anonymous: that is not in the message, so RateLimited is not among them.
func (c Class) CuredByCredential() bool {
	switch c {
	case AuthFailed, NoCredentials, Forbidden, NotFoundOrDenied:
		return true
	}
	return false
}

// Ambiguous reports whether the registry left open if the repository is missing or not allowed.
func (c Class) Ambiguous() bool {
	return c == NotFoundOrDenied
}

// CuredByWaiting reports whether the kubelet's own retries can succeed without anybody's doing.
func (c Class) CuredByWaiting() bool {
	switch c {
	case RateLimited, KubeletThrottled, Network, Registry5xx:
		return true
	}
	return false
}

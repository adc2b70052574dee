package pullerror

import (
	"regexp"
	"strings"
)

var (
	// mirrored is a request of containerd to another host than the image's: it names the image's registry in the query ns
	// (core/remotes/docker/resolver.go, addNamespace). The path begins with /v2/ unless the node's configuration overrides it.
	mirrored = regexp.MustCompile(`https?://([^/\s"?]+)/[^\s"?]*\?(?:[^\s"]*&)?ns=([^\s"&]+?):?(?:[\s"&]|$)`)
	// pullingFrom is how containerd before 2.0 names the host that answered.
	pullingFrom = regexp.MustCompile(`pulling from host (\S+) failed with status code`)
	// pulled is the image of the try, as containerd writes it.
	pulled = regexp.MustCompile(`(?:failed to (?:pull and unpack image|resolve (?:reference|image))) "([^"/]+)/`)
	// registryOf is the registry of an image, where it has one: a name without one is completed by the node.
	registryOf = regexp.MustCompile(`^([^/\s]*[.:][^/\s]*)/`)
	// crioAsked is the host that answered CRI-O.
	crioAsked = regexp.MustCompile(`(?i)\breading manifest \S+ in ([^/\s"]+)/`)
	// tokenAsked is a token server that answered.
	tokenAsked = regexp.MustCompile(`failed to fetch (?:oauth|anonymous) token: unexpected status from \w+ request to https?://([^/\s"?]+)/`)
)

// tokenServers are those of registries that have one and keep it. Another one that is asked for their images is a mirror's.
var tokenServers = map[string]string{
	"docker.io": "auth.docker.io", "quay.io": "quay.io", "ghcr.io": "ghcr.io", "gcr.io": "gcr.io", "registry.gitlab.com": "gitlab.com",
}

// refusal is which hosts refused a pull.
type refusal struct {
	mirror string // the mirror of containerd that did, empty where none did
	// crio are the hosts that refused CRI-O, in the order of their answers. Its causes do not name the image, so that one can be the image's registry.
	crio []string
}

// Mirror is the host of a mirror, or of its token server, that refused the pull of an image. It is empty where the image's own registry did
// or the message names no other host. containerd shows the credential that a kubelet gives for an image to every host that it asks for the image,
// in the place of what the node has for that host (internal/cri/server/images/image_pull.go, PullImage), and a mirror seldom takes that of
// the registry.
//
// The image is that of the pod, and is not looked for in the message: a kubelet names it while it backs off and in events. Its message with
// the reason ErrImagePull is the runtime's alone (pkg/kubelet/images/image_manager.go, evalCRIPullErr).
func Mirror(message, image string) string {
	host, _ := mirrorOf(message, image)
	return host
}

// MirrorSeesNoSecret reports whether the runtime shows that mirror not what the kubelet gives for the image. CRI-O does not: it takes what the
// node has for the mirror (containers/image, docker/docker_image_src.go, newImageSourceAttempt).
func MirrorSeesNoSecret(message, image string) bool {
	_, unshown := mirrorOf(message, image)
	return unshown
}

func mirrorOf(message, image string) (host string, unshown bool) {
	refused := read(message).refusal
	own := registryOf.FindStringSubmatch(image)
	if refused.mirror != "" || own == nil {
		return refused.mirror, false
	}
	for _, host := range refused.crio {
		if !strings.EqualFold(host, own[1]) && (own[1] != "index.docker.io" || host != "docker.io") {
			return host, true
		}
	}
	return "", false
}

// refusedBy is which hosts the causes name that have the class of the whole message.
func refusedBy(all []string, meanings []Class, class Class) refusal {
	if class != AuthFailed && class != Forbidden && class != NoCredentials && class != NotFoundOrDenied {
		return refusal{}
	}
	var crio []string
	for i, cause := range all {
		if meanings[i] != class {
			continue
		}
		if host := containerdMirror(cause); host != "" {
			return refusal{mirror: host}
		}
		if asked := crioAsked.FindStringSubmatch(mirrorsFailed.ReplaceAllString(cause, "")); asked != nil {
			crio = append(crio, asked[1])
		}
	}
	return refusal{crio: crio}
}

// containerdMirror is the mirror of containerd that a cause names. Its causes name the image, too.
func containerdMirror(cause string) string {
	if match := mirrored.FindStringSubmatch(cause); match != nil && !strings.EqualFold(match[1], match[2]) && !hubOf(match[1], match[2]) {
		return match[1]
	}
	image := pulled.FindStringSubmatch(cause)
	if image == nil {
		return ""
	}
	if host := pullingFrom.FindStringSubmatch(cause); host != nil && !strings.EqualFold(host[1], image[1]) && !hubOf(host[1], image[1]) {
		return host[1]
	}
	if server, asked := tokenServers[image[1]], tokenAsked.FindStringSubmatch(cause); server != "" && asked != nil && asked[1] != server {
		return asked[1]
	}
	return ""
}

// hubOf reports whether a host is the one that serves the images of docker.io.
func hubOf(host, registry string) bool {
	return registry == "docker.io" && host == "registry-1.docker.io"
}

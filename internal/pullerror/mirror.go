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
	// crioImage is the image of a kubelet's message, where it has a host: a name without one is completed by the node.
	crioImage = regexp.MustCompile(`(?:[Ff]ailed to pull image|Back-off pulling image) "([^"/\s]*[.:][^"/\s]*)/`)
	// crioAsked is the host that answered CRI-O.
	crioAsked = regexp.MustCompile(`(?i)\breading manifest \S+ in ([^/\s"]+)/`)
	// tokenAsked is a token server that answered.
	tokenAsked = regexp.MustCompile(`failed to fetch (?:oauth|anonymous) token: unexpected status from \w+ request to https?://([^/\s"?]+)/`)
)

// tokenServers are those of registries that have one and keep it. Another one that is asked for their images is a mirror's.
var tokenServers = map[string]string{
	"docker.io": "auth.docker.io", "quay.io": "quay.io", "ghcr.io": "ghcr.io", "gcr.io": "gcr.io", "registry.gitlab.com": "gitlab.com",
}

// mirror is what a message says of the mirror that refused a pull.
type mirror struct {
	host string // empty where none did
	// unshown is true where the runtime shows a mirror no pull Secret.
	unshown bool
}

// Mirror is the host of a mirror, or of its token server, that refused a pull. It is empty where the image's own registry did or the
// message names no other host. containerd shows the credential that a kubelet gives for an image to every host that it asks for the image,
// in the place of what the node has for that host (internal/cri/server/images/image_pull.go, PullImage), and a mirror seldom takes that of
// the registry.
func Mirror(message string) string { return read(message).mirror.host }

// MirrorSeesNoSecret reports whether the runtime shows that mirror no pull Secret. CRI-O never does: it takes what the node has for the
// mirror (containers/image, docker/docker_image_src.go, newImageSourceAttempt).
func MirrorSeesNoSecret(message string) bool { return read(message).mirror.unshown }

// mirrorAmong is the mirror of the first cause that has the class of the whole message.
func mirrorAmong(message string, all []string, meanings []Class, class Class) mirror {
	if class != AuthFailed && class != Forbidden && class != NoCredentials && class != NotFoundOrDenied {
		return mirror{}
	}
	for i, cause := range all {
		if meanings[i] != class {
			continue
		}
		if host := mirrorOf(cause); host != "" {
			return mirror{host: host}
		}
		if host := crioMirrorOf(message, cause); host != "" {
			return mirror{host: host, unshown: true}
		}
	}
	return mirror{}
}

// crioMirrorOf is the mirror that answered CRI-O. Its causes do not name the image, the kubelet's message around them does.
func crioMirrorOf(message, cause string) string {
	image := crioImage.FindStringSubmatch(message)
	asked := crioAsked.FindStringSubmatch(mirrorsFailed.ReplaceAllString(cause, ""))
	if image == nil || asked == nil || strings.EqualFold(image[1], asked[1]) || image[1] == "index.docker.io" && asked[1] == "docker.io" {
		return ""
	}
	return asked[1]
}

func mirrorOf(cause string) string {
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

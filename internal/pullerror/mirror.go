package pullerror

import (
	"regexp"
	"strings"
)

var (
	// mirrored is a request of containerd to another host than the image's: it names the image's registry in the query ns
	// (core/remotes/docker/resolver.go, addNamespace).
	mirrored = regexp.MustCompile(`https?://([^/\s"?]+)/v2/[^\s"?]*\?(?:[^\s"]*&)?ns=([^\s"&]+)`)
	// pullingFrom is how containerd before 2.0 names the host that answered.
	pullingFrom = regexp.MustCompile(`pulling from host (\S+) failed with status code`)
	// pulled is the image of the try, as containerd writes it.
	pulled = regexp.MustCompile(`(?:failed to (?:pull and unpack image|resolve (?:reference|image))) "([^"/]+)/`)
)

// Mirror is the host of a mirror that refused a pull, empty where the image's own registry did or the message names no other host. A
// kubelet's credential is meant for the image's registry: containerd does not show it to a mirror, so none in a pull Secret cures
// this.
func Mirror(message string) string {
	message = message[:min(len(message), maxMessage)]
	class := Classify(message)
	if class != AuthFailed && class != Forbidden && class != NoCredentials && class != NotFoundOrDenied {
		return ""
	}
	for _, cause := range causes(unwrap(message)) {
		if host := mirrorOf(cause); host != "" && classifyCause(cause) == class {
			return host
		}
	}
	return ""
}

func mirrorOf(cause string) string {
	if match := mirrored.FindStringSubmatch(cause); match != nil && !strings.EqualFold(match[1], match[2]) && !hubOf(match[1], match[2]) {
		return match[1]
	}
	host, image := pullingFrom.FindStringSubmatch(cause), pulled.FindStringSubmatch(cause)
	if host == nil || image == nil || strings.EqualFold(host[1], image[1]) || hubOf(host[1], image[1]) {
		return ""
	}
	return host[1]
}

// hubOf reports whether a host is the one that serves the images of docker.io.
func hubOf(host, registry string) bool {
	return registry == "docker.io" && host == "registry-1.docker.io"
}

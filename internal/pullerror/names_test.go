package pullerror

import (
	"strings"
	"testing"

	"regcred.dev/regcred/test/racedetector"
)

// misleading are image references whose names are the words that rules look for.
var misleading = []struct{ host, repository, tag string }{
	{"docker.io", "x/unauthorized", "401"},
	{"registry-429.example.com", "tls/not-found", "500"},
	{"docker.io", "library/denied", "toomanyrequests"},
	{"quay.io", "forbidden/x509", "timeout"},
	{"ghcr.io", "manifest-unknown/name_unknown", "404"},
	{"localhost:5000", "no-such-host/certificate", "eof"},
	{"401.example.com:403", "oauth-token/anonymous-token", "context-deadline-exceeded"},
	{"connection-refused.example.com", "a/insufficient_scope", "503"},
	{"unauthorized", "denied", "forbidden"},
	{"10.0.0.1:5000", "pull-access-denied", "429"},
	{"docker.io", "toomanyrequests", "eof"},
	{"docker.io", "x/permission_denied", "invalid_token"},
	{"harbor.example.com", "team/name_unknown", "client-secret"},
	{"x509.example.com", "certificate", "500"},
	{"429", "status-401", "403"},
	{"untar.example.com", "short-name/rst_stream", "no-match-for-platform"},
	{"example.com", "illegal-base64-data-at-input-byte-0/json", "no-space-left-on-device"},
}

// sentences are what runtimes and kubelets say of an image; {host}, {repository}, {tag} and {image} are its names.
var sentences = []struct {
	class Class
	text  string
}{
	{Other, `Back-off pulling image "{image}"`},
	{Other, `Container image "{image}" is not present with pull policy of Never`},
	{Other, `Failed to apply default image tag "{image}": couldn't parse image name "{image}": invalid reference format`},
	{Other, `image pull failed for {image} because the signature validation failed: Source image rejected: A signature was required, but no signature exists`},
	{Network, `image pull failed for {image} because the registry is unavailable: pinging container registry {host}: Get "http://{host}/v2/": dial tcp [::1]:7439: connect: connection refused`},
	{Registry5xx, `image pull failed for {image} because the registry is unavailable: pinging container registry {host}: received unexpected HTTP status: 502 Bad Gateway`},
	{Network, `image pull failed for {image} because the registry is unavailable`},

	{NotFound, `failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found`},
	{NotFound, `failed to pull and unpack image "{image}": failed to copy: httpReadSeeker: failed open: content at https://{host}/v2/{repository}/manifests/sha256:0f not found: not found`},
	{AuthFailed, `failed to pull and unpack image "{image}": failed to resolve image: unexpected status from HEAD request to https://{host}/v2/{repository}/manifests/{tag}: 401 Unauthorized`},
	{AuthFailed, `failed to resolve reference "{image}": unexpected status code [manifests {tag}]: 401 Unauthorized`},
	{Forbidden, `failed to resolve reference "{image}": pulling from host {host} failed with status code [manifests {tag}]: 403 Forbidden`},
	{NoCredentials, `failed to resolve reference "{image}": failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized`},
	{AuthFailed, `failed to resolve reference "{image}": failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://{host}/token?scope=repository%3A{repository}%3Apull&service={host}: 403 Forbidden`},
	{Registry5xx, `failed to resolve reference "{image}": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://{host}/token: 502 Bad Gateway`},
	{NotFoundOrDenied, `failed to resolve reference "{image}": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`},
	{NoCredentials, `failed to resolve reference "{image}": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`},
	{Network, `failed to resolve reference "{image}": failed to do request: Head "https://{host}/v2/{repository}/manifests/{tag}": dial tcp 10.1.2.3:443: i/o timeout`},
	{Network, `failed to do request: Head "https://{host}/v2/{repository}/manifests/{tag}": dial tcp: lookup {host} on 10.0.0.10:53: no such host`},
	{TLS, `failed to do request: Head "https://{host}/v2/{repository}/manifests/{tag}": tls: failed to verify certificate: x509: certificate signed by unknown authority`},
	{RateLimited, `failed to copy: httpReadSeeker: failed open: unexpected status code https://{host}/v2/{repository}/manifests/sha256:0f: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.`},
	{PlatformManifest, `failed to pull and unpack image "{image}": no match for platform in manifest: not found`},
	{Other, `failed to pull and unpack image "{image}": failed to extract layer sha256:0f: write /var/lib/containerd/x: no space left on device: unknown`},

	{NotFound, `initializing source docker://{image}: reading manifest {tag} in {host}/{repository}: manifest unknown`},
	{NotFoundOrDenied, `initializing source docker://{image}: reading manifest {tag} in {host}/{repository}: requested access to the resource is denied`},
	{NotFoundOrDenied, `reading manifest {tag} in {host}/{repository}: unauthorized: access to the requested resource is not authorized`},
	{AuthFailed, `initializing source docker://{image}: unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password`},
	{NoCredentials, `initializing source docker://{image}: Requesting bearer token: invalid status code from registry 403 (Forbidden)`},
	{Network, `initializing source docker://{image}: pinging container registry {host}: Get "https://{host}/v2/": dial tcp: lookup {host} on 10.0.0.10:53: server misbehaving`},
	{PlatformManifest, `choosing image instance: no image found in image index for architecture "arm64", variant "v8", OS "linux"`},

	{NotFound, `Error response from daemon: manifest for {image} not found: manifest unknown: manifest unknown`},
	{NotFound, `Tag {tag} not found in repository {host}/{repository}`},
	{NotFoundOrDenied, `Error response from daemon: pull access denied for {repository}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`},
	{NotFoundOrDenied, `Error response from daemon: repository {repository} not found: does not exist or no pull access`},
	{NotFoundOrDenied, `Error response from daemon: Head "https://{host}/v2/{repository}/manifests/{tag}": denied`},
	{NoCredentials, `Error response from daemon: Get https://{host}/v2/{repository}/manifests/{tag}: no basic auth credentials`},
	{NoCredentials, `Error response from daemon: Get https://{host}/v2/{repository}/manifests/{tag}: unauthorized`},
	{AuthFailed, `Error response from daemon: Get https://{host}/v2/{repository}/manifests/{tag}: unauthorized: authentication required`},
	{Forbidden, `Error response from daemon: Head "https://{host}/v2/{repository}/manifests/{tag}": denied: access forbidden`},
	{Forbidden, `Error response from daemon: unauthorized: unauthorized to access repository: {repository}, action: pull: unauthorized to access repository: {repository}, action: pull`},
	{Registry5xx, `Error response from daemon: received unexpected HTTP status: 503 Service Unavailable`},
	{Network, `image pull failed for {image} because the registry is unavailable: dial tcp 10.0.0.1:443: connect: permission denied`},
	{Network, `failed to do request: Head "https://{host}/v2/{repository}/manifests/{tag}": Forbidden`},
	{NotFound, `unable to pull image or OCI artifact: pull image err: initializing source docker://{image}: reading manifest {tag} in {host}/{repository}: manifest unknown; artifact err: get manifest: build image source: reading manifest {tag} in {host}/{repository}: manifest unknown`},
	{NotFound, `Error reading manifest {tag} in {host}/{repository}: unknown: Tag {tag} was deleted or has expired. To pull, revive via time machine`},
	{TLS, `Error response from daemon: {"message":"Get https://{host}/v2/{repository}/manifests/{tag}: x509: certificate signed by unknown authority"}`},
	{AuthFailed, `2 errors occurred while pulling:
 * Error initializing source docker://{image}: Error reading manifest {tag} in {host}/{repository}: name unknown
 * Error initializing source docker://{image}: unable to retrieve auth token: invalid username/password`},
	{NotFound, `Error response from daemon: No such image: {repository}:{tag}`},
}

func TestNamesNeverDecide(t *testing.T) {
	racedetector.Skip(t)
	for _, sentence := range sentences {
		seen := map[string]bool{} // what is the same without its names has the same class
		for _, m := range misleading {
			for _, repository := range []string{m.repository, strings.ReplaceAll(m.repository, "/", "-")} {
				message := strings.NewReplacer("{image}", m.host+"/"+repository+":"+m.tag,
					"{host}", m.host, "{repository}", repository, "{tag}", m.tag).Replace(sentence.text)
				for _, message := range []string{message, strings.ReplaceAll(message, m.host+"/"+repository+":"+m.tag, repository+":"+m.tag)} {
					text := withoutNames(unwrap(message))
					if seen[text] {
						continue
					}
					seen[text] = true
					if got := Classify(message); got != sentence.class {
						t.Errorf("%s, want %s:\n\t%s\n\t%s", got, sentence.class, message, text)
					}
				}
			}
		}
	}
}

func TestTheImageOfAWrappingNeverDecides(t *testing.T) {
	for _, c := range allExamples(t) {
		for _, wrapped := range []string{
			`Failed to pull image "x/unauthorized:401": ` + c.message,
			`Back-off pulling image "registry-429.example.com/tls/not-found:500@sha256:0401": ErrImagePull: ` + c.message,
		} {
			sameAsBare(t, c, wrapped)
		}
	}
}

package pullerror

import "testing"

func TestTheMirrorThatRefusedIsNamed(t *testing.T) {
	const resolve = `failed to pull and unpack image "docker.io/library/nginx:1": failed to resolve image: `
	for _, c := range []struct{ shows, message, want string }{
		{"containerd 2: 401 of a mirror", resolve + `unexpected status from HEAD request to https://mirror.local:5000/v2/library/nginx/manifests/1?ns=docker.io: 401 Unauthorized`, "mirror.local:5000"},
		{"containerd 2: 403 of a mirror", resolve + `unexpected status from HEAD request to https://mirror.local/v2/library/nginx/manifests/1?ns=docker.io: 403 Forbidden`, "mirror.local"},
		// https://github.com/bottlerocket-os/bottlerocket/issues/4422
		{"a mirror below a path of its own", resolve + `unexpected status from HEAD request to https://mirror.local/docker-hub/library/nginx/manifests/1?ns=docker.io: 403 Forbidden`, "mirror.local"},
		{"a mirror that refuses a layer", `failed to copy: httpReadSeeker: failed open: unexpected status code https://mirror.local/hub/library/nginx/blobs/sha256:aa?ns=docker.io: 401 Unauthorized`, "mirror.local"},
		{"containerd 1: 401 of a mirror", `failed to resolve reference "quay.io/x/y:1": pulling from host mirror.local failed with status code [manifests 1]: 401 Unauthorized`, "mirror.local"},
		{"the image's own registry", `failed to resolve reference "quay.io/x/y:1": pulling from host quay.io failed with status code [manifests 1]: 401 Unauthorized`, ""},
		{"the registry of Docker Hub", `failed to resolve reference "docker.io/x/y:1": pulling from host registry-1.docker.io failed with status code [manifests 1]: 401 Unauthorized`, ""},
		{"a mirror that fails for another cause", resolve + `unexpected status from HEAD request to https://mirror.local/v2/library/nginx/manifests/1?ns=docker.io: 500 Internal Server Error`, ""},
		{"the registry's refusal counts, beside a broken mirror", `[` + resolve + `failed to do request: Head "https://mirror.local/v2/library/nginx/manifests/1?ns=docker.io": EOF, ` + resolve + `unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1: 401 Unauthorized]`, ""},
		{"the token server of a mirror", `failed to resolve reference "docker.io/library/x:1": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://harbor.local/service/token: 401 Unauthorized`, "harbor.local"},
		{"the token server of Docker Hub", `failed to resolve reference "docker.io/library/x:1": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized`, ""},
		{"a token server of a registry whose own is not known", `failed to resolve reference "r.local/x:1": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://sso.local/token: 401 Unauthorized`, ""},
		{"no host at all", `unauthorized`, ""},
	} {
		t.Run(c.shows, func(t *testing.T) {
			for _, message := range []string{c.message, `Back-off pulling image "nginx:1": ErrImagePull: ` + c.message} {
				if got := Mirror(message, "quay.io/nginx:1"); got != c.want {
					t.Errorf("the mirror is %q, want %q", got, c.want)
				}
				if MirrorSeesNoSecret(message, "quay.io/nginx:1") {
					t.Error("containerd shows a mirror the pull Secret")
				}
			}
		})
	}
}

// CRI-O keeps a pull Secret from mirrors (containers/image, docker/docker_image_src.go; https://github.com/containers/image/issues/2949), so that
// an authenticated one refuses whatever the Secret holds: https://github.com/kubernetes/kubernetes/issues/122821.
func TestTheMirrorThatRefusedCRIOIsNamed(t *testing.T) {
	const app = "private.local/team/app:1"
	for _, c := range []struct{ shows, image, cause, want string }{
		{"a mirror", app, `reading manifest 1 in mirror.local:5000/team/app: unauthorized: authentication required`, "mirror.local:5000"},
		{"CRI-O of today", app, `unable to pull image or OCI artifact: pull image err: initializing source docker://private.local/team/app:1: ` +
			`reading manifest 1 in mirror.local/team/app: unauthorized: authentication required; artifact err: get manifest: x`, "mirror.local"},
		{"the image's own registry", app, `reading manifest 1 in private.local/team/app: unauthorized: authentication required`, ""},
		{"the image's own registry, in other letters", "Private.local/team/app:1", `reading manifest 1 in private.local/team/app: unauthorized: authentication required`, ""},
		{"the image's own registry, after its mirrors", app, `(Mirrors also failed: [mirror.local/team/app:1: reading manifest 1 in mirror.local/team/app: unauthorized: authentication required]): ` +
			`private.local/team/app:1: reading manifest 1 in private.local/team/app: unauthorized: authentication required`, ""},
		{"a mirror beside the image's own registry", app, `[reading manifest 1 in private.local/team/app: unauthorized: authentication required, ` +
			`reading manifest 1 in mirror.local/team/app: unauthorized: authentication required]`, "mirror.local"},
		{"the image's own registry beside a mirror", app, `[reading manifest 1 in mirror.local/team/app: unauthorized: authentication required, ` +
			`reading manifest 1 in private.local/team/app: unauthorized: authentication required]`, "mirror.local"},
		{"a short name, which the node completes", "app:1", `reading manifest 1 in quay.io/app: unauthorized: access to the requested resource is not authorized`, ""},
		{"an image of Docker Hub without its host", "team/app:1", `reading manifest 1 in docker.io/team/app: requested access to the resource is denied`, ""},
		{"another name of Docker Hub", "index.docker.io/team/app:1", `reading manifest 1 in docker.io/team/app: requested access to the resource is denied`, ""},
		{"a mirror of Docker Hub by its other name", "index.docker.io/team/app:1", `reading manifest 1 in mirror.local/team/app: unauthorized: authentication required`, "mirror.local"},
		{"Docker Hub in the place of another registry", app, `reading manifest 1 in docker.io/team/app: requested access to the resource is denied`, "docker.io"},
		{"a mirror that fails for another cause", app, `reading manifest 1 in mirror.local/team/app: received unexpected HTTP status: 500 Internal Server Error`, ""},
		{"a cause that names no host", app, `unauthorized: authentication required`, ""},
	} {
		for says, message := range map[string]string{
			"a kubelet that tries":     c.cause,
			"an earlier CRI-O":         `rpc error: code = Unknown desc = ` + c.cause,
			"a kubelet that backs off": `Back-off pulling image "` + c.image + `": ErrImagePull: ` + c.cause,
			"an event":                 `Failed to pull image "` + c.image + `": rpc error: code = Unknown desc = ` + c.cause,
		} {
			t.Run(c.shows+", said by "+says, func(t *testing.T) {
				if got := Mirror(message, c.image); got != c.want {
					t.Errorf("the mirror is %q, want %q", got, c.want)
				}
				if got := MirrorSeesNoSecret(message, c.image); got != (c.want != "") {
					t.Errorf("it sees no Secret: %t", got)
				}
			})
		}
	}
}

package registry

import "testing"

func TestAnImageIsNormalised(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		shows string
		image string
		want  Image
		text  string
	}{
		{"an official image", "nginx", Image{"docker.io", "library/nginx", "latest", ""}, "docker.io/library/nginx:latest"},
		{"a user's image", "team/app:1", Image{"docker.io", "team/app", "1", ""}, "docker.io/team/app:1"},
		{"the old name of Docker Hub", "index.docker.io/x/y", Image{"docker.io", "x/y", "latest", ""}, "docker.io/x/y:latest"},
		{"a port", "localhost:5000/x", Image{"localhost:5000", "x", "latest", ""}, "localhost:5000/x:latest"},
		{"a host with an underscore", "my_registry.io/x", Image{"my_registry.io", "x", "latest", ""}, "my_registry.io/x:latest"},
		{"a digest has no tag", "quay.io/x@" + digest, Image{"quay.io", "x", "", digest}, "quay.io/x@" + digest},
		{"tag and digest", "quay.io/x:1@" + digest, Image{"quay.io", "x", "1", digest}, "quay.io/x:1@" + digest},
	} {
		t.Run(c.shows, func(t *testing.T) {
			got, err := ParseImage(c.image)
			if err != nil || got != c.want || got.String() != c.text {
				t.Errorf("ParseImage(%q) = %+v (%s), %v", c.image, got, got, err)
			}
		})
	}
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	for _, image := range []string{"", "NGINX", "quay.io/", "https://quay.io/x", "quay.io/x@sha256:12", "None:None", "a b"} {
		if got, err := ParseImage(image); err == nil {
			t.Errorf("ParseImage(%q) = %+v, want an error", image, got)
		}
	}
}

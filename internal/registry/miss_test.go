package registry

import "testing"

func TestAKeyThatNearlyServesAnImage(t *testing.T) {
	for _, c := range []struct {
		key, image string
		want       Miss
	}{
		{"registry.example.com", "registry.example.com:5000/x", MissPort},
		{"registry.example.com:5001", "registry.example.com:5000/x", MissOtherPort},
		{"registry.example.com:5001/team", "registry.example.com:5000/team/x", MissOtherPort},
		{"registry.example.com:5001/team", "registry.example.com:5000/other/x", ""},
		{"registry.example.com:5000", "registry.example.com/x", MissOtherPort},
		{"*.example.com:5001", "registry.example.com:5000/x", MissOtherPort},
		{"registry.example.com:5000", "registry.example.com:5000/x", ""},
		{"registry.example.com:5000", "other.example.com:5001/x", ""},
		{"[::1]:5001", "[::1]:5000/x", MissOtherPort},
		{"Quay.io", "quay.io/x", MissCase},
		{DockerHubKey, "registry-1.docker.io/bitnami/nginx", MissName},
		{"docker.io/bitnami", "registry-1.docker.io/bitnami/nginx", MissName},
		{"docker.io/bitnami", "registry-1.docker.io/library/nginx", ""},
		{"registry-1.docker.io", "nginx", MissName},
		{"registry-1.docker.io", "registry-1.docker.io/x/y", ""},
		{"gcr.io/company", "europe-docker.pkg.dev/company/app", MissName},
		{"europe-docker.pkg.dev", "us-docker.pkg.dev/company/app", MissName},
		{DockerHubKey, "nginx", ""},
		{DockerHubKey, "mirror.gcr.io/library/nginx", ""},
		{DockerHubKey, "quay.io/x/y", ""},
		{"quay.io", "Not An Image", ""},
	} {
		got := Misses(c.key, c.image)
		if got != c.want {
			t.Errorf("Misses(%q, %q) = %q, want %q", c.key, c.image, got, c.want)
		}
		if (got.Rule() == "") != (c.want == "") {
			t.Errorf("%q is explained by %q", got, got.Rule())
		}
	}
}

func TestTheHostOfAKeyIsAKeyToo(t *testing.T) {
	for key, want := range map[string]string{
		"ghcr.io/company": "ghcr.io", DockerHubKey: DockerHubKey, "docker.io/company": DockerHubKey, "r.example:5000/a/b": "r.example:5000", "*.jfrog.io/x": "*.jfrog.io",
		"[::1]:5000/x": "[::1]:5000", "Quay.io/x": "Quay.io",
	} {
		if got := HostKey(key); got != want {
			t.Errorf("HostKey(%q) = %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]bool{
		DockerHubKey: true, "registry-1.docker.io": true, "registry.hub.docker.com": true, "docker.io/company": false, "registry-1.docker.io/company": false, "quay.io": false, "gcr.io": false,
	} {
		if got := IsHub(key); got != want {
			t.Errorf("IsHub(%q) = %v", key, got)
		}
	}
}

func TestOneServiceUnderTwoNamesIsRecognised(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"docker.io", "registry-1.docker.io"}: true, {"registry.hub.docker.com", "docker.io"}: true, {"Registry-1.docker.io", "docker.io"}: true,
		{"gcr.io", "europe-docker.pkg.dev"}: true, {"eu.gcr.io", "gcr.io"}: true, {"us-docker.pkg.dev", "europe-docker.pkg.dev"}: true,
		{"docker.io", "docker.io"}: false, {"Docker.io", "docker.io"}: false, {"docker.io", "Docker.io"}: false, {"docker.io", "mirror.gcr.io"}: false, {"gcr.io", "ghcr.io"}: false, {"docker.pkg.dev", "gcr.io"}: false, {"", "docker.io"}: false,
	} {
		if got := SameService(pair[0], pair[1]); got != want {
			t.Errorf("SameService(%q, %q) = %v", pair[0], pair[1], got)
		}
	}
}

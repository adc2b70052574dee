package registry

import (
	"errors"
	"strings"
	"testing"
)

func TestARegistryHasOneCanonicalKey(t *testing.T) {
	for _, c := range []struct{ registry, want string }{
		{"docker.io", DockerHubKey},
		{"index.docker.io", DockerHubKey},
		{"https://index.docker.io/v1/", DockerHubKey},
		{"https://index.docker.io/v1", DockerHubKey},
		{"registry-1.docker.io", "registry-1.docker.io"},
		{"https://registry-1.docker.io/v2/", "registry-1.docker.io"},
		{"registry-1.docker.io/bitnami", "registry-1.docker.io/bitnami"},
		{"registry.hub.docker.com", "registry.hub.docker.com"},
		{"mirror.gcr.io", "mirror.gcr.io"},
		{"public.ecr.aws", "public.ecr.aws"},
		{"europe-docker.pkg.dev/project", "europe-docker.pkg.dev/project"},
		{"Registry.Company.io:5000/team", "Registry.Company.io:5000/team"},
		{"NEXUS", "NEXUS"},
		{"[2001:DB8::1]:5000/team", "[2001:DB8::1]:5000/team"},
		{"hub.docker.com", DockerHubKey},
		{"docker.io/team", "docker.io/team"},
		{"index.docker.io/team", "docker.io/team"},
		{"registry.company.io", "registry.company.io"},
		{"https://registry.company.io", "registry.company.io"},
		{"http://registry.company.io/v2/", "registry.company.io"},
		{"https://registry.company.io/v2", "registry.company.io"},
		{"registry.company.io:5000", "registry.company.io:5000"},
		{"registry.company.io/", "registry.company.io"},
		{"registry.company.io/team", "registry.company.io/team"},
		{"registry.company.io/team/", "registry.company.io/team/"},
		{"registry.company.io/v1/team", "registry.company.io/team"},
		{"registry.company.io/v1x", "registry.company.io/v1x"},
		{"localhost", "localhost"},
		{"nexus:8082", "nexus:8082"},
		{"[::1]:5000", "[::1]:5000"},
		{"*.dkr.ecr.*.amazonaws.com", "*.dkr.ecr.*.amazonaws.com"},
	} {
		got, err := CanonicalKey(c.registry)
		if err != nil || got != c.want {
			t.Errorf("CanonicalKey(%q) = %q, %v, want %q", c.registry, got, err, c.want)
		}
	}
}

func TestARegistryThatNoImageCanNameIsRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		registry string
		want     error
	}{
		{"", ErrEmpty},
		{"https://", ErrEmpty},
		{"/team", ErrEmpty},
		{"registry.company.io:0", ErrPort},
		{"registry.company.io:70000", ErrPort},
		{"registry.company.io:https", ErrPort},
		{"registry", ErrUnmatchable},
		{"[::1]", ErrUnmatchable},
		{"*", ErrUnmatchable},
		{"registry.company.io/*", ErrUnmatchable},
		{"registry.company.io/Team", ErrUnmatchable},
		{"registry.company.io//team", ErrUnmatchable},
		{"user@registry.company.io", ErrUnmatchable},
		{"registry.company.io?x", ErrUnmatchable},
		{"oci://registry.company.io", ErrUnmatchable},
		{"registry.company.io ", ErrUnmatchable},
		{"registry.%65xample.io", ErrUnmatchable},
		{"hub.docker.com/r/library/nginx", ErrHubWebsite},
	} {
		if got, err := CanonicalKey(c.registry); !errors.Is(err, c.want) || got != "" {
			t.Errorf("CanonicalKey(%q) = %q, %v, want %v", c.registry, got, err, c.want)
		}
	}
}

// A kubelet passes over a part of some keys. What is under them opens the same images, so they are the same registry.
func TestAStoredKeyIsOfTheRegistryForWhichAKubeletUsesIt(t *testing.T) {
	for key, want := range map[string]string{
		"quay.io": "quay.io", "https://quay.io/v2/team": "quay.io/team", "https://index.docker.io/v1/": DockerHubKey,
		"https://robot:pw@quay.io": "quay.io", "robot:pw@quay.io/team": "quay.io/team", "robot@quay.io:5000": "quay.io:5000", "robot:70000@quay.io": "quay.io",
		"http://robot:pw@quay.io/v2/": "quay.io", "https://robot:pw@index.docker.io/v1/": DockerHubKey, "robot:p%40w@quay.io": "quay.io",
		"quay.io?x": "quay.io", "quay.io/team#x": "quay.io/team", "https://robot:pw@quay.io/team/?x=1": "quay.io/team/", "quay.io/%74eam": "quay.io/team",
		"quay.io:": "quay.io", "https://quay.io:/v1/": "quay.io", "quay.io:/team": "quay.io/team", "robot:pw@quay.io:": "quay.io", "docker.io:": DockerHubKey, "*.io:": "*.io",
	} {
		got, err := CanonicalStored(key)
		if err != nil || got != want {
			t.Errorf("CanonicalStored(%q) = %q, %v, want %q", key, got, err, want)
		}
		for _, image := range []string{"quay.io/team/app", "quay.io/other/app", "quay.io:5000/team/app", "nginx", "ghcr.io/x/y"} {
			if Matches(key, image) != Matches(got, image) {
				t.Errorf("%q opens %s: %t, and %q does not do the same", key, image, Matches(key, image), got)
			}
		}
	}
	for key, want := range map[string]error{"": ErrEmpty, "https://": ErrEmpty, "robot:pw@": ErrEmpty, "quay.io:0": ErrPort, "robot:pw@quay.io:70000": ErrPort, "quay.io:https": ErrPort,
		"oci://quay.io": ErrUnmatchable, "robot:pw@registry": ErrUnmatchable, "robot:pw@quay.io/Team": ErrUnmatchable, "quay.io" + " ": ErrUnmatchable,
		"robot@https://quay.io": ErrUnmatchable, "quay.io::": ErrUnmatchable, "[::1]:": ErrUnmatchable} {
		if got, err := CanonicalStored(key); !errors.Is(err, want) || got != "" {
			t.Errorf("CanonicalStored(%q) = %q, %v, want %v", key, got, err, want)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	if got, err := CanonicalStored("robot:pw@quay.io/%zz"); err == nil {
		t.Errorf("what a kubelet cannot read is said to be of %s", got)
	}
}

func TestDockerHubIsRecognisedInEveryForm(t *testing.T) {
	for registry, want := range map[string]bool{
		"docker.io": true, "https://index.docker.io/v1/": true, "index.docker.io": true, "http://index.docker.io/v1": true,
		"registry-1.docker.io": false, "registry.hub.docker.com": false, "https://hub.docker.com/": true,
		"docker.io/team": false, "mydocker.io": false, "docker.io:443": false, "quay.io": false, "": false,
		"Docker.io": false, "https://INDEX.docker.io/v1/": false, // a kubelet compares letter by letter
	} {
		if got := IsDockerHub(registry); got != want {
			t.Errorf("IsDockerHub(%q) = %v", registry, got)
		}
	}
}

func TestTheTokensOfDockerLoginAreNoRegistry(t *testing.T) {
	for key, want := range map[string]bool{
		"https://index.docker.io/v1/access-token": true, "https://index.docker.io/v1/refresh-token": true, "http://index.docker.io/v1/access-token": true, "index.docker.io/v1/refresh-token": true,
		"https://index.docker.io/v1/": false, "docker.io/access-token": false, "quay.io/v1/access-token": false, "": false,
	} {
		if got := IsHubSession(key); got != want || got && (CanMatch(key) || Matches(key, "docker.io/access-token/x")) {
			t.Errorf("%q is said to be one: %t", key, got)
		}
	}
}

func TestTheHostOfAKeyIsSpeltAsInImages(t *testing.T) {
	for key, want := range map[string]string{
		"https://index.docker.io/v1/": "docker.io", "https://registry-1.docker.io/v2/": "registry-1.docker.io", "Quay.IO/team": "Quay.IO", "quay.io:443": "quay.io:443", "https://quay.io:443/v2/": "quay.io:443", "docker.io/team": "docker.io",
		"https://quay.io/v2/team": "quay.io", "registry.company.io:5000/team": "registry.company.io:5000",
		"*.company.io": "*.company.io", "[::1]:5000": "[::1]:5000", "registry.company.io:/team": "registry.company.io", "docker.io:": "docker.io", "": "", "%": "", "https://": "",
	} {
		if got := Host(key); got != want {
			t.Errorf("Host(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestAWildcardIsSeenInTheHostAlone(t *testing.T) {
	for key, want := range map[string]bool{"*.company.io": true, "https://a.*.io/v1/": true, "company.io/*": false, "[::1]:5000": false} {
		if got := HasWildcard(key); got != want {
			t.Errorf("HasWildcard(%q) = %v", key, got)
		}
	}
}

func TestSomeKeysServeNoImageAtAll(t *testing.T) {
	for key, want := range map[string]bool{
		"quay.io": true, "quay.io/": true, "quay.io:": true, "quay.io/a_": true, "docker.io/nginx": true, "https://index.docker.io/v1/": true,
		"*.io": true, "*": true, "*:5000": true, "https://quay.io/v1/": true, "localhost": true, "[::1]:5000": true,
		"registry-1.docker.io": true, "Quay.io": true, "hub.docker.com": false, "https://index.docker.io/v1": false, "index.docker.io/team": false,
		"docker.io/v1": false, "docker.io/v2": false, "index.docker.io/v1": false,
		"registry": false, "[::1]": false, "quay.io/*": false, "quay.io/Team": false, "": false, "%": false,
	} {
		if got := CanMatch(key); got != want {
			t.Errorf("CanMatch(%q) = %v", key, got)
		}
	}
}

// A kubelet takes one version off a key: what follows it is a path.
func TestOfAKeyOneVersionOfTheAPIGoes(t *testing.T) {
	for key, want := range map[string]string{"quay.io/v1/v2": "quay.io/v2", "quay.io/v2/v1": "quay.io/v1", "https://quay.io/v1/": "quay.io", "quay.io/v2/team": "quay.io/team"} {
		if got, err := CanonicalKey(key); got != want || err != nil {
			t.Errorf("CanonicalKey(%q) = %q, %v, want %q", key, got, err, want)
		}
	}
}

func TestAKeyAndAnImageThatDifferByCaseAlone(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"Quay.io", "quay.io/x"}: true, {"quay.io/team", "QUAY.io/team/x"}: true, {"r.io:5000", "R.io:5000/x"}: true, {"*.Example.com", "a.example.com/x"}: true,
		{"quay.io", "quay.io/x"}: false, {"Quay.io/other", "quay.io/team/x"}: false, {"Quay.io:5000", "quay.io/x"}: false, {"quay.io", "Nothing"}: false,
	} {
		if got := MissesByCase(pair[0], pair[1]); got != want {
			t.Errorf("MissesByCase(%q, %q) = %v", pair[0], pair[1], got)
		}
	}
	if got := Address("Quay.IO:5000"); got != "quay.io:5000" {
		t.Errorf("the address is %q", got)
	}
}

func TestAKeyIsShownWithoutAPassword(t *testing.T) {
	for key, want := range map[string]string{
		"quay.io": "quay.io", "https://quay.io/v2/": "https://quay.io/v2/", "https://robot:s3cr3t@quay.io/team": "https://[redacted]@quay.io/team", "robot:s3cr3t@quay.io": "[redacted]@quay.io",
		"robot:s3/cr@3t@quay.io": "[redacted]@quay.io", "robot:s3://cr3t@quay.io": "[redacted]@quay.io", "robot:s3cr3t@quay.io/x@sha256:0f": "[redacted]@quay.io/x@sha256:0f",
		"quay.io/x@sha256:0f": "quay.io/x@sha256:0f", "quay.io/x@sha512:0f": "quay.io/x@sha512:0f", "": "", "@": "[redacted]@",
	} {
		if got := Shown(key); got != want {
			t.Errorf("Shown(%q) = %q, want %q", key, got, want)
		}
	}
}

// Whoever writes a docker config may have put the password before the host, and errors are shown in statuses.
func TestNoErrorOfAKeyShowsAPassword(t *testing.T) {
	for _, key := range []string{
		"robot:s3cr3t@quay.io", "https://robot:s3cr3t@quay.io/v2/", "robot:s3cr3t@", "robot:s3cr3t@quay.io:70000", "robot:s3cr3t@quay.io/%zz", "https://robot:s3cr3t@quay.io/Team",
		"robot:s3cr3t@registry", "robot:s3cr3t@hub.docker.com", "robot:s3cr3t@[::1]", "robot:s3cr3t@quay.io/x@sha256:0f", "oci://robot:s3cr3t@quay.io",
	} {
		if _, err := CanonicalKey(key); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("of one that is listed: %v", err)
		}
		if _, err := CanonicalStored(key); err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("of one that is stored: %v", err)
		}
	}
}

func FuzzMatches(f *testing.F) {
	for _, seed := range [][2]string{
		{"quay.io", "quay.io/x"}, {DockerHubKey, "nginx"}, {"*.io/%25", "[::1]:5000/x"}, {"[a-", "a:1@sha256:0"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, image string) {
		matched := Matches(key, image)
		parsed, err := ParseImage(image)
		if err != nil {
			if matched {
				t.Errorf("Matches(%q, %q), and the image is invalid: %v", key, image, err)
			}
			return
		}
		again, err := ParseImage(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("%q is %+v, and parsed again %+v, %v", image, parsed, again, err)
		}
		if Matches(key, parsed.Name()) != matched {
			t.Errorf("%q matches %q differently without tag and digest", key, image)
		}
		if matched && !CanMatch(key) && Host(key) != DockerHub {
			t.Errorf("%q matches %q, yet it is said to match nothing", key, image)
		}
	})
}

func FuzzCanonicalKey(f *testing.F) {
	for _, seed := range []string{"quay.io", "docker.io/team", "[::1]:5000", "*.example.com:5000/a/", "https://index.docker.io/v1", "a%2eb.io", "xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, registry string) {
		key, err := CanonicalKey(registry)
		if err != nil {
			return
		}
		image := strings.TrimSuffix(strings.ReplaceAll(key, "*", "x"), "/") + "/x/x"
		if key == DockerHubKey {
			image = "docker.io/x/x"
		}
		if !Matches(key, image) {
			t.Errorf("the canonical key %q of %q does not match %q", key, registry, image)
		}
		if again, err := CanonicalKey(key); err != nil || again != key {
			t.Errorf("CanonicalKey(%q) = %q, %v: not stable", key, again, err)
		}
		if Host(key) != Host(registry) {
			t.Errorf("Host(%q) = %q, Host(%q) = %q", key, Host(key), registry, Host(registry))
		}
	})
}

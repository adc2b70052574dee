package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The cases of the kubelet's own table (pkg/credentialprovider/keyring_test.go), by what they show.
func TestAnIndexKeyCoversANameAsInTheKubeletsTable(t *testing.T) {
	for _, c := range []struct {
		shows       string
		index, name string
		want        bool
	}{
		{"rule 12: a wildcard stands for the first label", "*.kubernetes.io", "prefix.kubernetes.io", true},
		{"a wildcard stands for a label in the middle", "prefix.*.io", "prefix.kubernetes.io", true},
		{"a wildcard stands for the last label", "prefix.kubernetes.*", "prefix.kubernetes.io", true},
		{"a wildcard stands for a part of a label", "*-good.kubernetes.io", "prefix-good.kubernetes.io", true},
		{"the path is equal", "*.kubernetes.io/blah", "prefix.kubernetes.io/blah", true},
		{"the path is a prefix", "prefix.*.io/foo", "prefix.kubernetes.io/foo/bar", true},
		{"port and path are equal", "*.kubernetes.io:1111/blah", "prefix.kubernetes.io:1111/blah", true},
		{"the port is equal and the path a prefix", "prefix.*.io:1111/foo", "prefix.kubernetes.io:1111/foo/bar", true},
		{"rule 12: a wildcard does not stand for no label", "*.kubernetes.io", "kubernetes.io", false},
		{"two wildcards do not stand for one label", "*.*.kubernetes.io", "prefix.kubernetes.io", false},
		{"two wildcards do not stand for no label", "*.*.kubernetes.io", "kubernetes.io", false},
		{"a wildcard does not stand for a label and its dot", "*kubernetes.io", "a.kubernetes.io", false},
		{"a wildcard stands for nothing within a label", "*kubernetes.io", "kubernetes.io", true},
		{"three wildcards stand for three labels", "*.*.*.kubernetes.io", "a.b.c.kubernetes.io", true},
		{"another last label", "kubernetes.io", "kubernetes.com", false},
		{"the fixed part of a label differs", "k*.io", "quay.io", false},
		{"another port", "*.kubernetes.io:1234/blah", "prefix.kubernetes.io:1111/blah", false},
		{"a port on one side alone", "prefix.*.io/foo", "prefix.kubernetes.io:1111/foo/bar", false},
	} {
		t.Run(c.shows, func(t *testing.T) {
			if got := covers(c.index, c.name); got != c.want {
				t.Errorf("covers(%q, %q) = %v, want %v", c.index, c.name, got, c.want)
			}
		})
	}
}

func TestAKeyMatchesAnImageAsInTheKubeletsTable(t *testing.T) {
	for _, c := range []struct {
		shows      string
		key, image string
		want       bool
	}{
		{"a key with scheme", "https://hello.kubernetes.io", "hello.kubernetes.io/foo/bar", true},
		{"scheme and wildcard first", "https://*.docker.io", "prefix.docker.io/foo/bar", true},
		{"scheme and wildcard in the middle", "https://prefix.*.io", "prefix.docker.io/foo/bar", true},
		{"scheme and wildcard last", "https://prefix.docker.*", "prefix.docker.io/foo/bar", true},
		{"scheme, wildcard and path", "https://*.docker.io/path", "prefix.docker.io/path/foo/bar", true},
		{"scheme, wildcard and path prefix", "https://prefix.*.io/path", "prefix.docker.io/path/subpath/foo/bar", true},
		{"scheme, wildcard and port", "https://*.docker.io:8888", "prefix.docker.io:8888/foo/bar", true},
		{"rule 12: v1 with a slash is dropped", "https://*.docker.io/v1/", "prefix.docker.io/path/foo/bar", true},
		{"rule 12: v2 with a slash is dropped", "https://*.docker.io/v2/", "prefix.docker.io/path/foo/bar", true},
		{"a port without scheme", "prefix.docker.io:1111", "prefix.docker.io:1111/path/foo/bar", true},
		{"a port and a wildcard without scheme", "*.docker.io:1111", "prefix.docker.io:1111/path/foo/bar", true},
		{"another host", "https://hello.kubernetes.io", "world.mesos.org/foo/bar", false},
		{"another last label", "https://*.docker.com", "prefix.docker.io/foo/bar", false},
		{"another first label", "https://suffix.*.io", "prefix.docker.io/foo/bar", false},
		{"a wildcard after another letter", "https://prefix.docker.c*", "prefix.docker.io/foo/bar", false},
		{"something like a port in the path", "https://prefix.*.io/path:1111", "prefix.docker.io/path/subpath/foo/bar", false},
		{"another first label without scheme", "suffix.*.io", "prefix.docker.io/foo/bar", false},
		{"Docker Hub's key and another registry", DockerHubKey, "world.mesos.org/foo/bar", false},
		{"Docker Hub's key and a user's image", DockerHubKey, "google/docker-registry", true},
		{"Docker Hub's key and an official image", DockerHubKey, "jenkins", true},
		{"Docker Hub's key and its own host", DockerHubKey, "index.docker.io/google/docker-registry", true},
		{"Docker Hub's key and docker.io", DockerHubKey, "docker.io/foo/bar", true},
		{"Docker Hub's key and a host with a port", DockerHubKey, "registry:5000/foo/bar", false},
		{"Docker Hub's key and a host that ends alike", DockerHubKey, "myhostdocker.io/foo/bar", false},
		{"Docker Hub's key and no image", DockerHubKey, "", false},
		{"a v1 key and any path", "https://quay.io/v1/", "quay.io/foo/bar", true},
	} {
		t.Run(c.shows, func(t *testing.T) {
			if got := Matches(c.key, c.image); got != c.want {
				t.Errorf("Matches(%q, %q) = %v, want %v", c.key, c.image, got, c.want)
			}
		})
	}
}

func TestTheRulesThatPeopleTripOver(t *testing.T) {
	for _, c := range []struct {
		shows      string
		key, image string
		want       bool
	}{
		{"rule 12: a path is a string prefix, not a folder", "quay.io/core", "quay.io/coreos/x", true},
		{"a path with a slash at the end is a folder", "quay.io/core/", "quay.io/coreos/x", false},
		{"rule 11: index.docker.io in the image is docker.io", "docker.io", "index.docker.io/x/y", true},
		{"rule 13: registry-1.docker.io serves no image of docker.io", "registry-1.docker.io", "nginx", false},
		{"rule 13: registry-1.docker.io serves the images that are written with it", "registry-1.docker.io", "registry-1.docker.io/bitnami/nginx", true},
		{"rule 13: no key of docker.io serves images of registry-1.docker.io", DockerHubKey, "registry-1.docker.io/bitnami/nginx", false},
		{"rule 13: hub.docker.com serves no image of Docker Hub", "hub.docker.com", "nginx", false},
		{"rule 13: Docker Hub's key without the last slash serves nothing", "https://index.docker.io/v1", "nginx", false},
		{"rule 12: a key without the image's port", "registry.example.com", "registry.example.com:5000/x", false},
		{"a key with a port that the image lacks", "registry.example.com:443", "registry.example.com/x", false},
		{"tag and digest do not matter", "quay.io/x",
			"quay.io/x:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
		{"an upper case repository is no image", "quay.io", "quay.io/CoreOS/etcd", false},
		{"an upper case host is another host", "quay.io", "Quay.io/coreos/etcd", false},
		{"an unreadable key", "quay.io/%zz", "quay.io/zz", false},
		{"a key that is unreadable once the scheme is off", "quay.io/%25", "quay.io/x", false},
		{"an unfinished character class", "qu[ay.io", "quay.io/x", false},
		{"IPv6 with a port", "[::1]:5000", "[::1]:5000/x", true},
		{"IPv6 without a port is read as a glob", "[::1]", "[::1]/x", false},
		{"an empty key", "", "quay.io/x", false},
		{"Docker Hub's key serves localhost, too", DockerHubKey, "localhost/x", true},
	} {
		t.Run(c.shows, func(t *testing.T) {
			if got := Matches(c.key, c.image); got != c.want {
				t.Errorf("Matches(%q, %q) = %v, want %v", c.key, c.image, got, c.want)
			}
		})
	}
}

func TestAKeyThatLacksOnlyThePortOfAnImage(t *testing.T) {
	for _, c := range []struct {
		key, image string
		want       bool
	}{
		{"registry.example.com", "registry.example.com:5000/x", true},
		{"https://registry.example.com/v2/", "registry.example.com:5000/x:1", true},
		{"registry.example.com:", "registry.example.com:5000/x", true},
		{"*.example.com/team", "registry.example.com:5000/team/x", true},
		{"registry.example.com/team", "registry.example.com:5000/x", false},
		{"registry.example.com", "registry.example.com/x", false},
		{"registry.example.com:443", "registry.example.com:5000/x", false},
		{"registry.example.com:5000", "registry.example.com/x", false},
		{"quay.io", "registry.example.com:5000/x", false},
		{DockerHubKey, "registry.example.com:5000/x", false},
		{"registry.example.com", "Not An Image", false},
		{"%", "registry.example.com:5000/x", false},
	} {
		if got := MissesByPort(c.key, c.image); got != c.want {
			t.Errorf("MissesByPort(%q, %q) = %v", c.key, c.image, got)
		}
	}
}

func TestAKubeletTriesAllMatchingKeysMostSpecificFirst(t *testing.T) {
	for _, c := range []struct {
		shows string
		keys  []string
		image string
		want  []string
	}{
		{"rule 12: a longer path goes first", []string{"bar.example.com", "bar.example.com/pong"}, "bar.example.com/pongz/x",
			[]string{"bar.example.com/pong", "bar.example.com"}},
		{"a path that does not match is left out", []string{"bar.example.com", "bar.example.com/pong"}, "bar.example.com/ping/x",
			[]string{"bar.example.com"}},
		{"rule 13: docker.io shadows Docker Hub's key", []string{DockerHubKey, "docker.io"}, "nginx", []string{"docker.io"}},
		{"Docker Hub's key serves what docker.io/library does not", []string{DockerHubKey, "docker.io/library"}, "x/y", []string{DockerHubKey}},
		{"an unreadable key does not disturb", []string{"%", "quay.io"}, "quay.io/x", []string{"quay.io"}},
		{"keys that mean the same are sorted", []string{"quay.io", "https://quay.io/v1/"}, "quay.io/x", []string{"https://quay.io/v1/", "quay.io"}},
		{"no key matches", []string{"quay.io"}, "ghcr.io/x", nil},
		{"no image", []string{"quay.io"}, "quay.io/X", nil},
	} {
		t.Run(c.shows, func(t *testing.T) {
			if diff := cmp.Diff(c.want, MostSpecific(c.keys, c.image)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

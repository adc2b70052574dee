package keyring

import (
	"slices"
	"strings"
)

// keys are docker config keys: a cross product of spellings, and forms that are odd in one way each.
func keys() []string {
	var all []string
	hosts := []string{
		"docker.io", "index.docker.io", "registry-1.docker.io", "quay.io", "registry.example.com", "registry.example.com:5000",
		"*.example.com", "*.*.example.com", "*.example.com:5000", "localhost", "localhost:5000", "10.0.0.1:5000", "[::1]:5000",
	}
	for _, host := range hosts {
		all = append(all, host)
		for _, scheme := range []string{"https://", "http://"} {
			for _, path := range []string{"/v1/", "/v2/", "/v1", "/team", "/team/"} {
				if scheme == "http://" && path != "/v1/" {
					continue
				}
				all = append(all, scheme+host+path)
			}
		}
		all = append(all, host+"/", host+"/team", host+"/v2/team")
	}
	all = append(all,
		"", " ", "/", "//", "https://", "http://", "https:///", "://", "https", ":", ":5000", "*", "**", "*.*", "*.*.*", "*:5000",
		"*.io", "**.io", "d*.io", "*docker.io", "docker.*", "*.docker.io", "docker.io/", "docker.io/library", "docker.io/library/",
		"docker.io/library/nginx", "docker.io/lib", "docker.io/nginx", "index.docker.io/library", "https://index.docker.io",
		"https://index.docker.io/", "https://index.docker.io/v1/library", "https://index.docker.io/v1/v1/", "https://index.docker.io//v1/",
		"https://index.docker.io/v3/", "https://index.docker.io:443/v1/", "http://index.docker.io/v2/", "HTTPS://index.docker.io/v1/",
		"https://Index.docker.io/v1/", "https://user@index.docker.io/v1/", "https://index.docker.io/v1/?x=y", "https://index.docker.io/v1/#x",
		"https://index.docker.io/%76%31/", "hub.docker.com", "https://hub.docker.com/", "registry.hub.docker.com", "Docker.io", "docker.io.",
		".docker.io", "docker.io:443", "docker.io:80", "docker.io:", "quay.io:", "quay.io:443", "quay.io:x", "quay.io:*", "quay.io:-1",
		"quay.io/core", "quay.io/coreos", "quay.io/coreos/", "quay.io/coreos/etcd", "quay.io/coreos/etcd:3", "quay.io/*", "quay.io/core*",
		"quay.io/coreos/*", "quay.io//coreos", "quay.io/./coreos", "quay.io/../coreos", "quay.io/CoreOS", "quay.io/core%6fs", "quay.io/%25",
		"quay.io/%", "quay.io/%zz", "quay.io%2fcoreos", "%71uay.io", "qu%61y.io", "quay%2eio", "quay.io?", "quay.io?x", "quay.io#x", "quay.io@x",
		"x@quay.io", "x:y@quay.io", "quay.io\\", `quay\.io`, "quay .io", "quay.io ", " quay.io", "quay.io\n", "quay.io\t", "quay.io\x00", "quay.io/\x7f",
		"qu?y.io", "qu[a]y.io", "qu[ay.io", "qua].io", "[q]uay.io", "quay.i[o]", "quay.io[", "[", "]", "[]", "[*]", "[a-z]*.io", "[::1]", "[::1]/team",
		"[::1]:", "[::1]:5001", "[::*]:5000", "[::1", "::1", "::1:5000", "[2001:db8::1]:5000", "[2001:db8::1]", "[fe80::1%25eth0]:5000", "[::ffff:10.0.0.1]:5000",
		"QUAY.io", "Quay.IO", "REGISTRY.EXAMPLE.COM", "quay.io/v1", "quay.io/v2", "quay.io/v1/", "quay.io/v1/coreos", "quay.io/v2/coreos/etcd", "quay.io/v1x/",
		"ftp://quay.io", "oci://quay.io", "docker://quay.io", "https://https://quay.io", "http://https://quay.io", "https:quay.io", "https:/quay.io", "//quay.io",
		"a.b.example.com", "a.b.*.com", "*.b.example.com", "a.*.example.com", "a.b", "*.b", "a*.b", "a.*", "example.com", "*.com", "registry*.example.com",
		"r*y.example.com", "*-east.example.com", "us-*.example.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "*.dkr.ecr.*.amazonaws.com",
		"*.dkr.ecr.us-east-1.amazonaws.com", "*.amazonaws.com", "gcr.io", "*.gcr.io", "eu.gcr.io", "europe-docker.pkg.dev/project", "*.pkg.dev", "*-docker.pkg.dev",
		"ghcr.io", "ghcr.io/owner", "https://ghcr.io", "myacr.azurecr.io", "*.azurecr.io", "registry.gitlab.com/group", "nexus:8082", "nexus", "harbor.local/library",
		"münchen.example.com", "xn--mnchen-3ya.example.com", "quay.io/ü", "10.0.0.*:5000", "10.*.*.*:5000", "*:*", "Foo", "foo", "*oo", "localhost/team", "localhos*",
		"hTTps://quay.io", "HTTP://quay.io", "https://quay.io//", "https://quay.io/./", "quay.io//", "quay.io/v1/v2/coreos", "quay.io/v2/v1/", "quay.io/v1//coreos",
		"https://quay.io/v2/?x", "https://user:pw@quay.io/coreos", "user@quay.io:443", "quay.io%00", "quay.io%20", "quay.io%2Fcoreos", "quay.io/coreos%2Fetcd", "quay.io/%63oreos",
		"\ufeffquay.io", "quay.io\u00a0", "\uff51uay.io", "quay.io/coreos\\", "quay.io/coreos?", "quay.io/[c]oreos", "quay.io/coreos/etcd@sha256", "quay.io:0443", "quay.io:443/coreos",
		"docker.io/library/nginx:latest", "docker.io/v1/", "docker.io/v2/library", "http://docker.io", "http://docker.io/v2/", "index.docker.io/v1/", "index.docker.io/v1", "index.docker.io:443",
		"https://index.docker.io/v2", "https://index.docker.io/v1/#", "https://index.docker.io/v1/?", "https://index.docker.io?", "index.*.io", "*.docker.io/v1/", "https://*.docker.io/v1/",
		"*.*.*.*", "*.*.*.*:5000", "10.0.0.1", "10.0.0.[1]:5000", "10.0.0.?:5000", "r[a-z]gistry.example.com", "[r]egistry.example.com", "r[^x]gistry.example.com", "*.EXAMPLE.com",
		"registry.example.com.", "registry.example.com:", "registry.example.com:05000", "registry.example.com:5000/", "registry.example.com:5000//team", "registry.example.com:5000/v2/team/",
		"[::1%25lo]:5000", "[0:0:0:0:0:0:0:1]:5000", "[::1]:05000", "[*:*]:5000", "::1]:5000", "localhost.", "LOCALHOST", "localhost:", "local*", "*host", "l?calhost", "localhost/v2/team",
		"my_registry.io:5000", "my_registry:5000", strings.Repeat("a", 300)+".example.com", "quay.io/"+strings.Repeat("a", 300), strings.Repeat("*.", 40)+"io", strings.Repeat("*", 200),
		"registry.hub.docker.com/library", "mirror.gcr.io", "public.ecr.aws", "public.ecr.aws/docker", "[2001:DB8::1]:5000", "Registry-1.Docker.io", "NEXUS",
		"my_registry.io", "my_registry.io/team", "my_*.io", "https://my_registry.io/v2/", "my_registry", "a__b.io",
	)
	return unique(all)
}

// images are image references: a cross product of registries, repositories, tags and digests, and odd ones.
func images() []string {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	var all []string
	registries := []string{
		"", "docker.io/", "index.docker.io/", "registry-1.docker.io/", "quay.io/", "registry.example.com/", "registry.example.com:5000/", "localhost/",
		"localhost:5000/", "10.0.0.1:5000/", "[::1]:5000/", "a.b.example.com/",
	}
	for _, registry := range registries {
		for _, repository := range []string{"nginx", "library/nginx", "team/app", "teams/app", "team/app/sub", "v1/app"} {
			all = append(all, registry+repository)
		}
		all = append(all, registry+"team/app:1.2", registry+"team/app"+digest, registry+"team/app:1.2"+digest)
	}
	all = append(all,
		"", " ", "/", "nginx:", "nginx:latest", ":latest", "nginx@", "nginx"+digest, "nginx@sha256:123", "NGINX", "Nginx/app", "nginx/App", "quay.io/CoreOS/etcd",
		"quay.io", "quay.io/", "quay.io:443/coreos/etcd", "quay.io/coreos/etcd:v3.5", "quay.io/core", "quay.io/coreos", "quay.io/coreos/etcd", "quay.io//coreos/etcd",
		"quay.io/coreos/etcd:", "quay.io/coreos/etcd/", "https://quay.io/coreos/etcd", "QUAY.io/coreos/etcd", "Quay.IO/coreos/etcd", "Foo/bar", "foo/bar", "Docker.io/library/nginx",
		"docker.io/nginx/nginx-ingress:3", "docker.io", "docker.io/", "index.docker.io/nginx:1"+digest, "index.docker.io/v1/nginx", "hub.docker.com/library/nginx",
		"registry.hub.docker.com/library/nginx", "docker.io:443/library/nginx", "docker.io:80/library/nginx", "example.com/x", "us-east.example.com/x", "us-west.example.com/x:1",
		"b.example.com/x", "a.b/x", "c.b/x/y", "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", "gcr.io/project/app",
		"eu.gcr.io/project/app:1", "europe-docker.pkg.dev/project/repository/app", "europe-docker.pkg.dev/projects/app", "ghcr.io/owner/app", "ghcr.io/owners/app:1", "myacr.azurecr.io/app",
		"registry.gitlab.com/group/project/app:main", "nexus:8082/app", "nexus/app", "harbor.local/library/app", "[::1]/team/app", "[::1]:5001/team/app", "[2001:db8::1]:5000/x",
		"[2001:db8::1]/x", "[::1:5000/x", "::1/x", "[fe80::1%25eth0]:5000/x", "10.0.0.2:5000/x", "10.0.0.1/x", "münchen.example.com/x", "xn--mnchen-3ya.example.com/x",
		"quay.io/coreos/etcd latest", "quay.io/coreos/%6f", "quay.io/a__b/c", "quay.io/a--b/c.d_e", "quay.io/a___b", "quay.io/-a", "quay.io/a-", "quay.io/..", "quay.io/./x",
		"quay.io/x?y", "quay.io/x#y", "user@quay.io/x", "*.io/x", "quay.io/*", "quay.io:/x", "quay.io:0/x", "quay.io:99999/x", "quay.io:x/y", "-quay.io/x", "quay-.io/x", ".quay.io/x", "quay.io./x",
		"None:None", "<none>", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "quay.io/x:"+strings.Repeat("t", 128), "quay.io/x:"+strings.Repeat("t", 129),
		"quay.io/"+strings.Repeat("a", 255), "quay.io/"+strings.Repeat("a", 256), "quay.io/x@sha512:"+strings.Repeat("a", 128), "quay.io/x@sha384:"+strings.Repeat("a", 96),
		"quay.io/x@md5:"+strings.Repeat("a", 32), "quay.io/x@sha256:"+strings.Repeat("A", 64), "quay.io/x\n", "quay.io/\x00", "localhost:5000/x:1", "localhost/x",
		"docker.io/v1/app", "DOCKER.IO/library/nginx", "localhost./x", "localhost:/x", "LOCALHOST/x", "quay.io:0443/coreos/etcd", "REGISTRY.example.com/x", "registry.example.com:05000/team/app",
		"registry.example.com./team/app", "[0:0:0:0:0:0:0:1]:5000/team/app", "[::1]:05000/team/app", "docker.io/library/library/nginx", "index.docker.io:443/library/nginx", "a/b/c/d", "a.b.c.d/x",
		"quay.io/x"+digest+":1", "docker.io//nginx", "docker.io/./nginx", "oci://quay.io/x", "docker://quay.io/x", "quay.io/x%20y", "quay.io/x/../y", "\uff51uay.io/x", "\ufeffquay.io/x", " quay.io/x",
		"localhost/library/nginx", digest, "team/app:1@", "team/app:1:2", "team/app:1.2_3-4", "team/app:-1", strings.Repeat("a.", 60)+"io/x", strings.Repeat("a", 300)+".example.com/x", "*host/x", "l?calhost/x",
		"my_registry.io/team/app:1", "my_registry.io:5000/x", "my_registry/x", "a__b.io/x", "a..b/x", "a--b.io/x", "xn--a.io/x", "0.0/x", "a.0/x", "x/a.b/c",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/x",
		"REGISTRY.EXAMPLE.COM/x", "a.EXAMPLE.com/x", "Index.docker.io/library/nginx", "Registry-1.Docker.io/team/app", "registry-1.docker.io/bitnami/nginx:1", "mirror.gcr.io/library/nginx",
		"public.ecr.aws/docker/library/nginx", "[2001:DB8::1]:5000/team/app", "NEXUS/team/app",
	)
	return unique(all)
}

func unique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

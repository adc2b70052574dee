package integration

import "strings"

func connectionCases() []specCase {
	const address, tls = "spec.address", "spec.tls"
	secret := object{"name": "a", "key": "b"}
	return []specCase{
		{"an address without a scheme", address, "vault.company.io", "address is a URL"},
		{"an address of another scheme", address, "ftp://vault.company.io", "address is a URL"},
		{"an address with a path", address, "https://vault.company.io/v1", "scheme, host and port only"},
		{"an address with a user", address, "https://a@vault.company.io", "scheme, host and port only"},
		{"an address without TLS", address, "http://vault:8200", ""},
		{"an address without TLS, and how TLS is done", "spec", object{"address": "http://vault:8200", "auth": object{"kubernetes": object{"role": "a"}}, "tls": object{"serverName": "vault"}}, "an http:// address has no TLS"},
		{"the same in upper case", "spec", object{"address": "HTTP://vault:8200", "auth": object{"kubernetes": object{"role": "a"}}, "tls": object{}}, "an http:// address has no TLS"},
		{"two certificate authorities", tls, object{"caBundle": "x", "caConfigMap": secret}, "not both"},
		{"a certificate's name", tls, object{"serverName": "vault.company.io"}, ""},
		{"a certificate's name that cannot be", tls, object{"serverName": "https://vault"}, "host name or address in the certificate"},
		{"a ConfigMap that cannot be", tls, object{"caConfigMap": object{"name": "../a", "key": "b"}}, isADNSName},
		{"a key that cannot be", tls, object{"caConfigMap": object{"name": "a", "key": "a/b"}}, "a key is made of"},
		{"a namespace in a namespace", "spec.vaultNamespace", "platform/eu", ""},
		{"a namespace that climbs", "spec.vaultNamespace", "a/..", "no empty, '.' or '..' segment"},
		{"a namespace with a line break", "spec.vaultNamespace", "a\nb", "no control character"},
		{"a namespace with an escape", "spec.vaultNamespace", "a%2fb", "holds none of"},

		{"a proxy", "spec.proxy", object{"url": "http://proxy.company.io:3128", "secretName": "proxy-login"}, ""},
		{"a proxy without a scheme", "spec.proxy", object{"url": "proxy.company.io:3128"}, "the proxy's url is a URL"},
		{"a proxy of another scheme", "spec.proxy", object{"url": "socks5://proxy.company.io:1080"}, "the proxy's url is a URL"},
		{"a proxy with its login", "spec.proxy", object{"url": "http://a:b@proxy.company.io:3128"}, "kept in the Secret"},
		{"a proxy with a path", "spec.proxy", object{"url": "http://proxy.company.io:3128/x"}, "scheme, host and port only"},
		{"a proxy that is nowhere", "spec.proxy", object{"secretName": "proxy-login"}, "url"},
		{"a proxy whose Secret cannot be", "spec.proxy", object{"url": "http://proxy.company.io:3128", "secretName": "a_b"}, "name of a Secret"},

		{"path prefixes", "spec.pathPrefixes", list{"secret/", "kv/team a/b.c/"}, ""},
		{"an empty list of path prefixes", "spec.pathPrefixes", list{}, "pathPrefixes is empty"},
		{"a path prefix that could end within a name", "spec.pathPrefixes", list{"secret/platform"}, "ends in /"},
		{"a path prefix with a slash in front", "spec.pathPrefixes", list{"/secret/"}, "nothing lies below"},
		{"a path prefix with an empty segment", "spec.pathPrefixes", list{"secret//a/"}, "nothing lies below"},
		{"a path prefix that climbs", "spec.pathPrefixes", list{"secret/../"}, "nothing lies below"},
		{"as many path prefixes as may be", "spec.pathPrefixes", numbered("s%d/"+strings.Repeat("a/", 380), 100), ""},

		{"no way to log in", "spec.auth", object{}, "exactly one of"},
		{"two ways to log in", "spec.auth.token", object{"secret": secret}, "exactly one of"},
		{"audiences", "spec.auth.kubernetes.audiences", list{"vault", "https://vault.company.io"}, ""},
		{"an empty list of audiences", "spec.auth.kubernetes.audiences", list{}, "audiences is empty"},
		{"a ServiceAccount that cannot be", "spec.auth.kubernetes.serviceAccountName", "a/b", isADNSName},
		{"a token in a Secret that cannot be", "spec.auth", object{"token": object{"secret": object{"name": "A", "key": "b"}}}, isADNSName},
		{"a certificate in a Secret", "spec.auth", object{"cert": object{"secretName": "vault-client"}}, ""},
		{"a certificate in a Secret that cannot be", "spec.auth", object{"cert": object{"secretName": "a_b"}}, isADNSName},
		{"a login with AWS", "spec.auth", object{"aws": object{"role": "regcred", "region": "eu-west-1", "serverID": "vault.company.io"}}, ""},
		{"a login with AWS in a place that is no region", "spec.auth", object{"aws": object{"role": "regcred", "region": "evil.example/"}}, "us-east-1"},
		{"a login with Google Cloud", "spec.auth", object{"gcp": object{"role": "regcred", "serviceAccountEmail": "regcred@project.iam.gserviceaccount.com"}}, ""},
		{"a login with Google Cloud as another resource", "spec.auth", object{"gcp": object{"role": "regcred", "serviceAccountEmail": "a@b/../c"}}, "serviceAccountEmail"},
		{"a login with Azure", "spec.auth", object{"azure": object{"role": "regcred", "resource": "api://vault"}}, ""},
		{"a login with Azure for nothing", "spec.auth", object{"azure": object{"role": "regcred"}}, "resource"},
		{"a login with AWS and one with Azure", "spec.auth", object{"aws": object{"role": "a"}, "azure": object{"role": "a", "resource": "b"}}, "exactly one of"},
	}
}

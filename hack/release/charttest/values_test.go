package charttest

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestWrongValuesAreRefused: what cannot work is refused before anything is sent to a cluster, and the message names the value.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, values, message string }{
		{"no image", "image: {repository: ''}", "set image.repository to where you pushed the image"},
		{"an image with its tag in the repository", "image: {repository: 'registry.company.io/regcred:v1'}", "/image/repository"},
		{"an image with a scheme", "image: {repository: 'https://registry.company.io/regcred'}", "/image/repository"},
		{"an image with a capital in its path", "image: {repository: 'registry.company.io/Platform/regcred'}", "/image/repository"},
		{"an image with an empty folder", "image: {repository: 'registry.company.io//regcred'}", "/image/repository"},
		{"a digest that is none", "image: {digest: 'sha256:abc'}", "/image/digest"},
		{"an unknown pull policy", "image: {pullPolicy: Sometimes}", "/image/pullPolicy"},
		{"a misspelt value", "replicas: 3", "replicas"},
		{"a misspelt value further down", "vault: {address: 'https://vault.company.io'}", "address"},
		{"no replica", "replicaCount: 0", "/replicaCount"},
		{"no Secret name, which is every name to RBAC", "secretNames: []", "/secretNames"},
		{"no ServiceAccount name", "serviceAccountNames: []", "/serviceAccountNames"},
		{"a Secret name with capitals", "secretNames: [Regcred]", "/secretNames/0"},
		{"two Secret names in one string", "secretNames: ['a,b']", "/secretNames/0"},
		{"a Secret name that ends the text in a policy", `secretNames: ["a'"]`, "/secretNames/0"},
		{"every name beside a name", "secretNames: ['*', regcred]", `"*" is every name and stands alone`},
		{"no protected namespace", "protectedNamespaces: []", "/protectedNamespaces"},
		{"an address of Vault without scheme", "vault: {addresses: ['vault.company.io:8200']}", "/vault/addresses/0"},
		{"an address of Vault with a path", "vault: {addresses: ['https://vault.company.io/v1']}", "/vault/addresses/0"},
		{"no audience", "vault: {audiences: []}", "/vault/audiences"},
		{"the API server's audience", "vault: {audiences: ['https://kubernetes.default.svc']}", "/vault/audiences/0"},
		{"the operator's own ServiceAccount for Vault", "vault: {serviceAccountNames: [regcred]}", "whose token opens the API server"},
		{"a pull secret that regcred itself writes", "imagePullSecrets: [{name: regcred}]", "the operator cannot wait for itself"},
		{"a CA without a source", "registries: {cas: {registry.company.io: {key: ca.crt}}}", "registry.company.io"},
		{"a CA with two sources", "registries: {cas: {registry.company.io: {configMap: a, secret: b}}}", "registry.company.io"},
		{"an insecure registry with a scheme", "registries: {insecure: ['http://registry:5000']}", "/registries/insecure/0"},
		{"a proxy without hosts", "registries: {proxies: [{url: 'http://proxy:3128'}]}", "/registries/proxies/0"},
		{"a login in the address of a proxy", "registries: {proxies: [{url: 'http://user:pass@proxy:3128', hosts: ['*']}]}", "/registries/proxies/0/url"},
		{"a budget that stops every drain", "podDisruptionBudget: {maxUnavailable: 0}", "/podDisruptionBudget/maxUnavailable"},
		{"no pulls on a node", "podRecovery: {nodePullsPerSecond: 0}", "/podRecovery/nodePullsPerSecond"},
		{"an owner's kind with its version", "podRecovery: {ownerKinds: [{group: core.strimzi.io/v1, kind: StrimziPodSet, resource: strimzipodsets}]}", "/podRecovery/ownerKinds/0/group"},
		{"an owner's kind of Kubernetes", "podRecovery: {ownerKinds: [{group: batch, kind: Job, resource: jobs}]}", "/podRecovery/ownerKinds/0/group"},
		{"an owner's kind without its resource", "podRecovery: {ownerKinds: [{group: core.strimzi.io, kind: StrimziPodSet}]}", "/podRecovery/ownerKinds/0"},
		{"an owner's kind that ends the text in a policy", `podRecovery: {ownerKinds: [{group: core.strimzi.io, kind: "A'", resource: a}]}`, "/podRecovery/ownerKinds/0/kind"},
		{"owners' kinds by another way", "extraArgs: ['--recovery-owner-kinds=core.strimzi.io/StrimziPodSet']", "/extraArgs/0"},
		{"a label of the dashboard that is no text", "metrics: {dashboard: {labels: {grafana_dashboard: 1}}}", "/metrics/dashboard/labels/grafana_dashboard"},
		{"a token for scrapes without its Secret", "metrics: {serviceMonitor: {tokenSecret: {key: token}}}", "/metrics/serviceMonitor/tokenSecret"},
		{"a collector of traces without a scheme", "traces: {endpoint: 'collector:4318'}", "/traces/endpoint"},
		{"a login in the address of a collector", "traces: {endpoint: 'http://user:pass@collector:4318'}", "/traces/endpoint"},
		{"an unknown log level", "logLevel: verbose", "/logLevel"},
		{"a port that is none", "networkPolicy: {egress: {ports: [70000]}}", "/networkPolicy/egress/ports/0"},
		{"a limit by another way", "extraArgs: ['--secret-names=other']", "/extraArgs/0"},
		{"a label that selects the pods", "podLabels: {app.kubernetes.io/name: other}", "/podLabels"},
		{"a connection to a Vault that is not allowed",
			"vault: {addresses: ['https://a:8200']}\nvaultConnections: {default: {address: 'https://b:8200', auth: {}}}", "vault.addresses does not list https://b:8200"},
		{"a credential whose Secret may not be written",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {secretName: pull}}}", `secretNames does not list "pull"`},
		{"a credential that waits at its deletion for the operator, which is deleted first",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {namespaces: [shop]}, deletionPolicy: Delete}}", "helm uninstall deletes the operator first"},
		{"a credential for a ServiceAccount that may not be changed",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {serviceAccounts: [builder]}}}", `serviceAccountNames does not list "builder"`},
		{"a credential that is attached to pods without the policy",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {attach: Pods}}}", "set injection.enabled"},
		{"a connection through a proxy that is not allowed",
			"vault: {addresses: ['https://a:8200']}\nvaultConnections: {default: {address: 'https://a:8200', auth: {}, proxy: {url: 'http://proxy:3128'}}}", "vault.addresses does not list http://proxy:3128"},
		{"a login with a ServiceAccount whose token may not be requested",
			"vaultConnections: {default: {address: 'https://a', auth: {jwt: {role: a, serviceAccountName: other}}}}", `vault.serviceAccountNames does not list "other"`},
		{"a login with the default ServiceAccount where others are named",
			"vault: {serviceAccountNames: [other]}\nvaultConnections: {default: {address: 'https://a', auth: {kubernetes: {role: a}}}}", `vault.serviceAccountNames does not list "regcred-vault"`},
		{"a login with an audience for which no token may be requested",
			"vaultConnections: {default: {address: 'https://a', auth: {kubernetes: {role: a, audiences: [other]}}}}", `vault.audiences does not list "other"`},
		{"a connection whose address is no text", "vaultConnections: {default: {address: 1, auth: {}}}", "/vaultConnections/default/address"},
		{"a connection whose address has a path", "vaultConnections: {default: {address: 'https://a/v1', auth: {}}}", "/vaultConnections/default/address"},
		{"a credential whose target is no object", "registryCredentials: {a: {registries: [r.io], source: {}, target: shop}}", "/registryCredentials/a/target"},
		{"a credential without a target", "registryCredentials: {a: {registries: [r.io], source: {}, target: null}}", "/registryCredentials/a/target"},
		{"a credential whose ServiceAccounts are no list",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {serviceAccounts: default}}}", "/registryCredentials/a/target/serviceAccounts"},
		{"a credential whose Secret's name is a number",
			"registryCredentials: {a: {registries: [r.io], source: {}, target: {secretName: 789}}}", "/registryCredentials/a/target/secretName"},
		{"a variable whose name is a number", "extraEnv: [{name: 1}]", "/extraEnv/0/name"},
		{"traces by another way", "extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: 'http://collector:4318'}]", "set that one, which the NetworkPolicy follows"},
		{"the ServiceAccount that every pod has", "serviceAccount: {create: false, name: default}", "each would have the rights of the operator"},
		{"labels that each new namespace has", "namespaceLabels: {enabled: true, prefix: kubernetes.io/}", "nobody but namespaceLabels.groups could create one"},
		{"a peer that is nobody", "networkPolicy: {metricsFrom: [{}]}", "/networkPolicy/metricsFrom/0"},
		{"more pods than an int32 holds", "podDisruptionBudget: {maxUnavailable: 1e10}", "/podDisruptionBudget/maxUnavailable"},
		{"more pulls than an int holds", "podRecovery: {nodeBurst: 1e30}", "/podRecovery/nodeBurst"},
		{"a key of a CA that is a folder", "registries: {cas: {a.io: {secret: a, key: ..}}}", "/registries/cas/a.io/key"},
		{"a credential whose name is longer than its kind takes", "registryCredentials: {" + strings.Repeat("a", 64) + ": {registries: [r.io], source: {}, target: {}}}", "maxLength: got 64, want 63"},
		{"a label of the pods with a space", "podLabels: {team: a b}", "/podLabels/team"},
		{"a label of the pods that is too long", "podLabels: {team: " + strings.Repeat("a", 64) + "}", "/podLabels/team"},
		{"a label whose name is none", "podLabels: {'a b': a}", "invalid propertyName 'a b'"},
		{"an annotation whose name has two domains", "podAnnotations: {a/b/c: a}", "invalid propertyName 'a/b/c'"},
		{"an annotation of a ServiceAccount whose name is none", "serviceAccount: {annotations: {'a=b': a}}", "invalid propertyName 'a=b'"},
		{"an annotation of Vault's ServiceAccounts whose name is none", "vault: {serviceAccountAnnotations: {'-a': a}}", "invalid propertyName '-a'"},
		{"a node's label that is none", "nodeSelector: {disk: 'a,b'}", "/nodeSelector/disk"},
		{"a label of the scrape that is none", "metrics: {serviceMonitor: {labels: {release: 'a b'}}}", "/metrics/serviceMonitor/labels/release"},
		{"a label of the alerts that is none", "metrics: {prometheusRule: {labels: {release: 'a-'}}}", "/metrics/prometheusRule/labels/release"},
		{"a label of the dashboard that is none", "metrics: {dashboard: {labels: {grafana: 'a/b'}}}", "/metrics/dashboard/labels/grafana"},
		{"an injection that is misspelt", "injection: {enable: true}", "enable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values, arguments := test.values, []string{"--set", "image.repository=registry.company.io/regcred"}
			if strings.HasPrefix(values, "image: {repository") {
				arguments = nil
			}
			_, err := template(t, values, arguments...)
			if err == nil {
				t.Fatal("it was rendered")
			}
			if !strings.Contains(strings.ReplaceAll(err.Error(), "'", "/"), test.message) && !strings.Contains(err.Error(), test.message) {
				t.Errorf("the message lacks %q: %v", test.message, err)
			}
		})
	}
}

// TestEveryServerCanBeReached: each of these is in a flag, which the program reads at its start, and its port in the NetworkPolicy, which the API server
// refuses in the middle of an installation.
func TestEveryServerCanBeReached(t *testing.T) {
	t.Parallel()
	var want []string
	addresses, insecure, proxies, collector, connections := []any{}, []any{}, []any{}, "", object{}
	for i, server := range []string{"a.io:b", "a.io:", "::1", "[::1", "%zz:80", "a,b:80", `a"b:80`, "a b:80", "a.io:80,", "a;b:80", ":80", "a.io:123456", ""} {
		addresses, insecure, collector = append(addresses, "https://"+server), append(insecure, server), "http://::1"
		proxies = append(proxies, object{"url": "http://" + server, "hosts": []any{server}})
		name := fmt.Sprintf("c%d", i)
		connections[name] = object{"address": "https://" + server, "auth": object{}, "proxy": object{"url": "http://" + server}}
		want = append(want, fmt.Sprintf("/vault/addresses/%d'", i), fmt.Sprintf("/registries/insecure/%d'", i), fmt.Sprintf("/registries/proxies/%d/url'", i),
			fmt.Sprintf("/registries/proxies/%d/hosts/0'", i), "/vaultConnections/"+name+"/address'", "/vaultConnections/"+name+"/proxy/url'")
	}
	values, err := yaml.Marshal(object{
		"vault": object{"addresses": addresses}, "vaultConnections": connections, "traces": object{"endpoint": collector},
		"registries": object{"insecure": insecure, "proxies": proxies, "cas": object{"a.io:b": object{"secret": "a"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = template(t, image+string(values))
	if err == nil {
		t.Fatal("all is taken")
	}
	for _, place := range append(want, "/traces/endpoint'", "invalid propertyName 'a.io:b'") {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%s is not refused: %v", place, err)
		}
	}
	for _, values := range []string{
		"vault: {addresses: ['https://SERVER']}", "traces: {endpoint: 'http://SERVER'}", "registries: {insecure: ['SERVER']}", "registries: {cas: {'SERVER': {secret: a}}}",
		"registries: {proxies: [{url: 'http://SERVER', hosts: [a.io]}]}", "vaultConnections: {default: {address: 'https://SERVER', auth: {}}}",
		"vaultConnections: {default: {address: 'https://a', auth: {}, proxy: {url: 'http://SERVER'}}}", "registryCredentials: {a: {registries: ['SERVER'], source: {}, target: {}}}",
	} {
		t.Run(values, func(t *testing.T) {
			t.Parallel()
			for server, taken := range map[string]bool{"a.io:0": false, "a.io:65536": false, "A.io:65535": true, "[::1]:1": true} {
				_, err := template(t, image+strings.ReplaceAll(values, "SERVER", server))
				if taken != (err == nil) || !taken && !strings.Contains(err.Error(), "is no port") {
					t.Errorf("%s: %v", server, err)
				}
			}
		})
	}
}

package charttest

import (
	"strings"
	"testing"
)

// TestWrongValuesAreRefused: what cannot work is refused before anything is sent to a cluster, and the message names the value.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, values, message string }{
		{"no image", "image: {repository: ''}", "set image.repository to where you pushed the image"},
		{"an image with its tag in the repository", "image: {repository: 'registry.company.io/regcred:v1'}", "/image/repository"},
		{"an image with a scheme", "image: {repository: 'https://registry.company.io/regcred'}", "/image/repository"},
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

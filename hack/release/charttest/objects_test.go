package charttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const image = "image: {repository: registry.company.io/platform/regcred}\n"

// TestValuesReachTheObjects looks at what config/ has no counterpart for.
func TestValuesReachTheObjects(t *testing.T) {
	t.Run("another ServiceAccount is in bindings, Deployment and every policy", func(t *testing.T) {
		found := mustTemplate(t, image+"serviceAccount: {name: operator}\npodRecovery: {repull: true}\nsecretNames: ['*']\n", "--namespace", "platform")
		policies := 0
		for key, o := range found {
			switch o["kind"] {
			case "ClusterRoleBinding", "RoleBinding":
				if text := fmt.Sprint(o["subjects"]); text != "[map[kind:ServiceAccount name:operator namespace:platform]]" {
					t.Errorf("%s binds %s", key, text)
				}
			case "ValidatingAdmissionPolicy":
				policies++
				if text := fmt.Sprint(at(o, "spec", "matchConditions")); !strings.Contains(text, "== 'system:serviceaccount:platform:operator'") {
					t.Errorf("%s looks at %s", key, text)
				}
			}
			if text := fmt.Sprint(o["spec"]); strings.Contains(text, "regcred-system") {
				t.Errorf("%s names the namespace of the default installation", key)
			}
		}
		if policies != 9 || found["ServiceAccount platform/operator"] == nil || found["ServiceAccount platform/regcred"] != nil {
			t.Errorf("%d policies; ServiceAccounts: %v", policies, found["ServiceAccount platform/regcred"])
		}
		if name := at(found["Deployment platform/regcred"], "spec", "template", "spec", "serviceAccountName"); name != "operator" {
			t.Errorf("the pods run as %v", name)
		}
	})
	t.Run("the user is that of the image, so that a platform may give each namespace users of its own", func(t *testing.T) {
		pod := at(mustTemplate(t, image)["Deployment regcred-system/regcred"], "spec", "template", "spec")
		security := at(pod, "securityContext")
		if at(security, "runAsNonRoot") != true || at(security, "runAsUser") != nil || at(security, "runAsGroup") != nil || at(security, "fsGroup") != nil {
			t.Errorf("%v, want runAsNonRoot alone to say who runs it", security)
		}
	})
	t.Run("every Secret name is granted for Secrets alone", func(t *testing.T) {
		rules := at(mustTemplate(t, image+"secretNames: ['*']\n")["ClusterRole <nil>/regcred-wide"], "rules").([]any)
		if len(rules) != 1 || fmt.Sprint(at(rules[0], "resources")) != "[secrets]" {
			t.Errorf("granted: %v", rules)
		}
	})
	t.Run("the way out is open to the ports that are named anywhere", func(t *testing.T) {
		found := mustTemplate(t, image+`
vault: {addresses: ["https://vault.company.io", "http://vault.local", "https://vault.company.io:18200", "https://[::1]:18201", "http://proxy:3129"]}
vaultConnections: {a: {address: "https://VAULT.company.io:443/", auth: {}, proxy: {url: "http://proxy:3129"}}}
registryCredentials: {a: {registries: ["registry.company.io:5001/team", "docker.io/team"], source: {}, target: {secretName: null}}}
registries: {insecure: ["registry.local:5000"], cas: {"registry.company.io:8443": {configMap: ca}}, proxies: [{url: "http://proxy:3128", hosts: [a]}]}
traces: {endpoint: "http://collector.observability:4318"}
networkPolicy: {egress: {ports: [443, 6443], extra: [{to: [{ipBlock: {cidr: 169.254.169.254/32}}]}]}}
`)
		rules := at(found["NetworkPolicy regcred-system/regcred"], "spec", "egress").([]any)
		var ports []string
		for _, port := range at(rules[1], "ports").([]any) {
			ports = append(ports, fmt.Sprint(at(port, "port")))
		}
		slices.Sort(ports)
		if diff := cmp.Diff([]string{"18200", "18201", "3128", "3129", "4318", "443", "5000", "5001", "6443", "80", "8443"}, ports); diff != "" {
			t.Errorf("ports (-want +got):\n%s", diff)
		}
		if len(rules) != 3 {
			t.Errorf("%d rules, want DNS, ports and the extra one", len(rules))
		}
	})
	t.Run("a private CA is mounted and named by a flag", func(t *testing.T) {
		found := mustTemplate(t, image+"registries: {cas: {\"registry.company.io:8443\": {secret: ca, key: root.pem}}}\n")
		pod := at(found["Deployment regcred-system/regcred"], "spec", "template", "spec")
		container := at(pod, "containers").([]any)[0]
		mount := at(container, "volumeMounts").([]any)[0]
		flag := fmt.Sprintf("--registry-ca=registry.company.io:8443=%v/root.pem", at(mount, "mountPath"))
		if !slices.Contains(at(container, "args").([]any), any(flag)) {
			t.Errorf("no argument %s in %v", flag, at(container, "args"))
		}
		volume := at(pod, "volumes").([]any)[0]
		if at(volume, "name") != at(mount, "name") || at(volume, "secret", "secretName") != "ca" {
			t.Errorf("volume %v, mount %v", volume, mount)
		}
	})
	t.Run("flags follow the values", func(t *testing.T) {
		found := mustTemplate(t, image+"podRecovery: {nodePullsPerSecond: 0.5, podsPerMinute: 1000000}\nadmissionPolicies: {require: false}\nregistries: {proxies: [{url: 'http://proxy:3128', hosts: [ghcr.io, '*.docker.io'], secret: proxy-login}, {url: 'http://other:1', hosts: [a.io]}]}\nlogLevel: debug\nextraArgs: [--log-development]\ntraces: {endpoint: 'http://collector.observability:4318'}\n")
		args := fmt.Sprint(at(at(found["Deployment regcred-system/regcred"], "spec", "template", "spec", "containers").([]any)[0], "args"))
		want := "--registry-proxy=url=http://proxy:3128;hosts=ghcr.io,*.docker.io;secret=proxy-login --registry-proxy=url=http://other:1;hosts=a.io --recovery-node-pulls-per-second=0.5 --recovery-pods-per-minute=1000000 --require-fence=false --otlp-endpoint=http://collector.observability:4318 --log-level=debug --log-development]"
		if !strings.HasSuffix(args, want) {
			t.Errorf("arguments %s, want at their end %s", args, want)
		}
	})
	t.Run("connections, credentials, monitors, alerts and more objects are rendered", func(t *testing.T) {
		found := mustTemplate(t, image+`
vaultConnections: {default: {address: "https://vault.company.io:8200", auth: {kubernetes: {role: regcred}}}}
registryCredentials: {company: {registries: [registry.company.io], source: {vault: {mount: secret, path: a}}, target: {namespaces: [shop]}}}
metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}, prometheusRule: {enabled: true}, reader: {namespace: monitoring, name: prometheus}}
extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: "of-{{ .Release.Name }}"}}]
`)
		for _, key := range []string{"VaultConnection <nil>/default", "RegistryCredential <nil>/company", "ServiceMonitor regcred-system/regcred",
			"PrometheusRule regcred-system/regcred", "ClusterRoleBinding <nil>/regcred-metrics-reader", "ConfigMap <nil>/of-regcred"} {
			if found[key] == nil {
				t.Errorf("%s is not there", key)
			}
		}
		groups, _ := at(found["PrometheusRule regcred-system/regcred"], "spec", "groups").([]any)
		if len(groups) == 0 {
			t.Error("the PrometheusRule holds no group")
		}
	})
	t.Run("Prometheus reads a token of its own pod, or of a Secret where that is refused", func(t *testing.T) {
		for values, want := range map[string]string{
			"":                                  "map[] /var/run/secrets/kubernetes.io/serviceaccount/token",
			", tokenSecret: {name: a}":          "map[credentials:map[key:token name:a]] <nil>",
			", tokenSecret: {name: a, key: tk}": "map[credentials:map[key:tk name:a]] <nil>",
		} {
			found := mustTemplate(t, image+"metrics: {serviceMonitor: {enabled: true"+values+"}}\n")
			endpoint := at(found["ServiceMonitor regcred-system/regcred"], "spec", "endpoints").([]any)[0]
			authorization, _ := at(endpoint, "authorization").(map[string]any)
			if got := fmt.Sprint(authorization, " ", at(endpoint, "bearerTokenFile")); got != want {
				t.Errorf("with %q it is %s, want %s", values, got, want)
			}
		}
	})
	t.Run("what is turned off is not rendered", func(t *testing.T) {
		found := mustTemplate(t, image+"crds: {enabled: false}\nadmissionPolicies: {enabled: false}\nrbac: {create: false}\nserviceAccount: {create: false}\nvault: {createServiceAccounts: false}\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\n")
		var keys []string
		for key := range found {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if diff := cmp.Diff([]string{"Deployment regcred-system/regcred", "Service regcred-system/regcred-metrics"}, keys); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
	})
	t.Run("without keep the CRDs go with the release", func(t *testing.T) {
		found := mustTemplate(t, image+"crds: {keep: false}\n")
		annotations := at(found["CustomResourceDefinition <nil>/registrycredentials.regcred.dev"], "metadata", "annotations").(object)
		if _, kept := annotations["helm.sh/resource-policy"]; kept {
			t.Error("a CRD is kept")
		}
	})
}

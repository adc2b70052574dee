package integration

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// canaries are passwords whose characters each escape in another way. One is right, one is wrong, one is in a secret that cannot be read,
// and one in a pull Secret that somebody made by hand.
var canaries = map[string]string{
	"right":     `r1ght-"canary"&<one>/+%é`,
	"wrong":     `wr0ng-"canary"&<two>/+%é`,
	"malformed": `malf0rmed-"canary"&<three>/+%é`,
	"by hand":   `byh4nd-"canary"&<four>/+%é`,
}

// formsOf a text are those in which a program may print it: as it is, escaped as JSON and in URLs, and of each base64 at every offset,
// so that it is also found within the base64 of something that holds it.
func formsOf(text string) map[string]string {
	escaped, _ := json.Marshal(text) // of a string never fails
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // nor does this
	texts := map[string]string{
		"as it is": text, "as JSON": strings.Trim(string(escaped), `"`), "as JSON without HTML": strings.Trim(strings.TrimSpace(plain.String()), `"`),
		"a login": base64.RawStdEncoding.EncodeToString([]byte("robot:" + text)), "in a query": url.QueryEscape(text), "in a path": url.PathEscape(text), "quoted by Go": strings.Trim(fmt.Sprintf("%q", text), `"`),
	}
	forms := map[string]string{}
	for name, one := range texts {
		forms[name] = one
		for offset, skipped := range []int{0, 2, 3} {
			bytes := []byte(strings.Repeat("x", offset) + one)
			for encoding, encoded := range map[string]string{
				"base64": base64.RawStdEncoding.EncodeToString(bytes), "base64 for URLs": base64.RawURLEncoding.EncodeToString(bytes),
			} {
				forms[fmt.Sprintf("%s, %s at %d", name, encoding, offset)] = encoded[skipped : len(encoded)-2] // the ends depend on what is around
			}
		}
	}
	return forms
}

// found are the forms of canaries in a text.
func foundIn(text string) []string {
	var found []string
	for canary, password := range canaries {
		for form, look := range formsOf(password) {
			if strings.Contains(text, look) {
				found = append(found, canary+" "+form)
			}
		}
	}
	return found
}

// TestACanaryIsFoundWhereItIs: the search finds what it must, in the forms in which Secrets hold it.
func TestACanaryIsFoundWhereItIs(t *testing.T) {
	password := canaries["right"]
	quoted, err := json.Marshal(map[string]any{"auths": map[string]any{"r.io": map[string]string{"password": password}}})
	vaultMust(t, err)
	for name, text := range map[string]string{
		"a log": "login failed with " + password, "a docker config": string(quoted),
		"a basic login":                  base64.StdEncoding.EncodeToString([]byte("robot:" + password)),
		"a Secret":                       base64.StdEncoding.EncodeToString(quoted),
		"a URL":                          "https://robot:" + url.QueryEscape(password) + "@r.io/",
		"a login in a docker config":     base64.StdEncoding.EncodeToString([]byte(`{"auth":"` + base64.StdEncoding.EncodeToString([]byte("robot:"+password)) + `"}`)),
		"a value that a message quotes":  fmt.Sprintf("invalid value %q", password),
		"JSON in a message that is JSON": fmt.Sprintf(`{"error":%q}`, fmt.Sprintf("bad: %s", password)),
	} {
		if len(foundIn(text)) == 0 {
			t.Errorf("in %s it is not found", name)
		}
	}
	if found := foundIn("all is well"); len(found) > 0 {
		t.Errorf("found %q where nothing is", found)
	}
}

// TestTheCanaryIsFoundNowhere: while a credential is delivered, refused by a namespace whose policy quotes it, refused by the registry,
// unreadable in the source, and while Vault is sealed, no password gets into a log at debug, an event, a status, a metric or what the
// plugin prints.
func TestTheCanaryIsFoundNowhere(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	address := freeAddress(t)
	r.flags = []string{"--metrics-bind-address=" + address, "--metrics-insecure", "--log-level=debug"}
	namespaces := r.makeNamespaces(t, 3)
	r.rotate(t, canaries["right"])
	r.refuseAndQuote(t, namespaces[1])
	_, err := r.vault.WriteKV2(t.Context(), "secret", "platform/malformed", map[string]any{"config": `{"auths":{"r.io":{"auth":"` + canaries["malformed"]})
	vaultMust(t, err)
	r.stuckPod(t, namespaces[2])
	r.applyCredential(t)
	r.applyMalformed(t)
	r.start(t)
	r.awaits(t, "company", v1alpha1.ConditionVerified, v1alpha1.ReasonLoginAccepted, v1alpha1.ReasonAccepted)
	r.awaits(t, "company", v1alpha1.ConditionSecretsSynced, v1alpha1.ReasonForbidden, v1alpha1.ReasonWriteFailed, v1alpha1.ReasonWriteRefused)
	r.awaits(t, "malformed", v1alpha1.ConditionReady, v1alpha1.ReasonMalformed)
	if held := r.kubectl(t, "get", "secret", "regcred", "-n", namespaces[0], "-o", "json"); len(foundIn(held)) == 0 {
		t.Fatal("it is not even found in the pull Secret")
	}
	_, err = r.vault.WriteKV2(t.Context(), "secret", operatorPath, map[string]any{"username": "robot", "password": canaries["wrong"]})
	vaultMust(t, err)
	r.awaits(t, "company", v1alpha1.ConditionVerified, v1alpha1.ReasonRejected)
	said := map[string]string{"plugin": r.explains(t, namespaces), "metrics": scrape(t, address)}
	vaultMust(t, r.vault.Seal(t.Context()))
	r.awaits(t, "company", v1alpha1.ConditionCredentialAvailable, v1alpha1.ReasonSealed, v1alpha1.ReasonUnavailable)
	said["events"] = r.kubectl(t, "get", "events", "--all-namespaces", "-o", "json")
	said["kinds"] = r.kubectl(t, "get", "registrycredentials,vaultconnections", "-o", "json")
	said["metrics at the end"] = scrape(t, address)
	log, err := os.ReadFile(r.logs)
	vaultMust(t, err)
	said["log"] = string(log)
	for what, text := range said {
		if len(text) < 200 {
			t.Errorf("%s say nothing: %q", what, text)
		}
		for _, found := range foundIn(text) {
			t.Errorf("%s hold a password: %s", what, found)
		}
	}
	if !strings.Contains(said["log"], `"level":"debug"`) {
		t.Error("the log is not at debug")
	}
}

// refuseAndQuote installs a policy in a namespace that refuses its Secrets, and quotes them.
func (r *operatorRun) refuseAndQuote(t *testing.T, namespace string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	vaultMust(t, os.WriteFile(file, fmt.Appendf(nil, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: quotes}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  validations:
  - expression: "false"
    messageExpression: "'this namespace takes no Secret such as ' + string(object.data['.dockerconfigjson'])"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: quotes}
spec: {policyName: quotes, validationActions: [Deny]}
`, namespace), 0o600))
	r.kubectl(t, "apply", "-f", file)
	awaitAPI(t, "the policy quotes what it refuses", func() error {
		quoted := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "try"}, Type: corev1.SecretTypeDockerConfigJson,
			StringData: map[string]string{corev1.DockerConfigJsonKey: `{"auths":{"r.io":{"username":"a","password":"quoted"}}}`}}
		err := r.admin.Create(t.Context(), quoted, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte(`{"auths":{"r.io"`))[:16]) && !strings.Contains(err.Error(), "quoted") {
			return fmt.Errorf("it says %v", err)
		}
		return nil
	})
}

// stuckPod makes a pod that waits for an image, with a pull Secret that nobody can read.
func (r *operatorRun) stuckPod(t *testing.T, namespace string) {
	t.Helper()
	hand := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "by-hand"}, Type: corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, r.registry.Basic, canaries["by hand"])}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "stuck"}, Spec: corev1.PodSpec{
		Containers:       []corev1.Container{{Name: "app", Image: r.registry.Basic + "/shop/app:v1"}},
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "by-hand"}, {Name: "regcred"}}, NodeName: "node",
	}}
	vaultMust(t, r.admin.Create(t.Context(), hand))
	vaultMust(t, r.admin.Create(t.Context(), pod))
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "app", Image: pod.Spec.Containers[0].Image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "ImagePullBackOff", Message: `Back-off pulling image: ErrImagePull: failed to resolve image: unexpected status from HEAD request: 401 Unauthorized`,
		}},
	}}}
	vaultMust(t, r.admin.Status().Update(t.Context(), pod))
}

func (r *operatorRun) applyMalformed(t *testing.T) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "malformed"}, Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"r.io"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/malformed", Keys: &v1alpha1.VaultKeys{DockerConfig: "config"}}},
		Target:     v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"team-00"}},
	}}))
}

// awaits a condition with one of some reasons.
func (r *operatorRun) awaits(t *testing.T, name, kind string, reasons ...string) {
	t.Helper()
	awaitAPI(t, fmt.Sprintf("%s of %s is one of %q", kind, name, reasons), func() error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(t.Context(), client.ObjectKey{Name: name}, &object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(object.Status.Conditions, kind)
		if c == nil {
			return errors.New("there is no such condition yet")
		}
		for _, reason := range reasons {
			if c.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("it is %s: %s", c.Reason, c.Message)
	})
}

// explains is all that the plugin says of the pods, with the rights of an administrator.
func (r *operatorRun) explains(t *testing.T, namespaces []string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kubectl-regcred")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "regcred.dev/regcred/cmd/kubectl-regcred")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v: %s", err, out)
	}
	var said strings.Builder
	for _, arguments := range [][]string{
		{"explain", "pod", "stuck", "-n", namespaces[2]}, {"explain", "pod", "stuck", "-n", namespaces[2], "-o", "json"},
		{"explain", "pods", "-A"}, {"explain", "pod", "nobody", "-n", namespaces[2]},
	} {
		out, err := exec.CommandContext(t.Context(), program, append([]string{"--kubeconfig", r.installation.kubeconfig}, arguments...)...).CombinedOutput()
		if err != nil && arguments[2] != "nobody" {
			t.Fatalf("%q: %v: %s", arguments, err, out)
		}
		said.Write(out)
	}
	return said.String()
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	vaultMust(t, err)
	response, err := http.DefaultClient.Do(request)
	vaultMust(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	vaultMust(t, err)
	return string(body)
}

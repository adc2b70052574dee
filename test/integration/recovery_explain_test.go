package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// plugin is kubectl-regcred, as a person has it.
type plugin struct {
	path       string
	kubeconfig string
}

func pluginOfRig(t *testing.T, rig *recoveryRig) *plugin {
	t.Helper()
	p := newPlugin(t, filepath.Join(t.TempDir(), "kubeconfig"))
	rig.must(t, os.WriteFile(p.kubeconfig, rig.kubeconfig, 0o600))
	return p
}

func newPlugin(t *testing.T, kubeconfig string) *plugin {
	t.Helper()
	path, err := pluginProgram()
	if err != nil {
		t.Fatal(err)
	}
	return &plugin{path: path, kubeconfig: kubeconfig}
}

func (p *plugin) run(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.path, append([]string{"--kubeconfig", p.kubeconfig}, arguments...)...)
	var complaints strings.Builder
	command.Stderr = &complaints
	start := time.Now()
	out, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl regcred %s: %v: %s", strings.Join(arguments, " "), err, complaints.String())
	}
	t.Logf("kubectl regcred %s took %s:\n%s", strings.Join(arguments, " "), time.Since(start).Round(time.Millisecond), out)
	return string(out)
}

// explained is what the plugin says as JSON.
type explained struct {
	Pods []struct {
		Name, Action, Reason string
		Containers           []struct{ Cause, RegistryCredential string }
	}
	Notes []string
}

func (p *plugin) json(t *testing.T, arguments ...string) explained {
	t.Helper()
	var read explained
	if err := json.Unmarshal([]byte(p.run(t, append(arguments, "-o", "json")...)), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestExplain: the plugin comes to the same verdicts as the controller, with a person's own rights.
func TestExplain(t *testing.T) {
	t.Parallel()
	rig := startRecovery(t)
	p := pluginOfRig(t, rig)
	shop := rig.place(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.PodRecovery = &v1alpha1.PodRecovery{Mode: v1alpha1.RecoveryReport}
	})
	set, job := shop.owner(t, "ReplicaSet"), shop.owner(t, "Job", func(object client.Object) { object.(*batchv1.Job).Spec.BackoffLimit = new(int32) })
	want := map[string]string{}
	hangs := func(reason, cause string, owner *metav1.OwnerReference, adjust ...func(*corev1.Pod)) *corev1.Pod {
		pod := shop.pod(t, owner, adjust...)
		rig.hangs(t, pod, cause)
		want[pod.Name] = reason
		return pod
	}
	stale := hangs("ReportOnly", authFailed, set)
	hangs("JobPod", authFailed, job)
	hangs("BarePod", authFailed, nil)
	hangs("ImageNotFound", notFound, set)
	hangs("RegistryUnreachable", incurable[1], set)
	hangs("OwnPullSecrets", authFailed, nil, func(pod *corev1.Pod) { pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "old"}} })
	hangs("NoCredential", authFailed, set, ofImage("elsewhere.example.com/x:1"))
	rig.create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.name, Name: "broken"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"x.example.com":{"auth":"!"}}}`)}})
	malformed := hangs("MalformedSecret", authFailed, set, func(pod *corev1.Pod) { pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "broken"}} })
	rig.setStatus(t, malformed, func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses[0].State = waitsFor("illegal base64 data at input byte 0", "")
	})
	awaitNextSecond(t)
	shop.deliver(t, "1")
	shop.say(t, "1")

	t.Run("every pod of a namespace by cause", func(t *testing.T) {
		read := p.json(t, "explain", "pods", "-n", shop.name)
		for _, pod := range read.Pods {
			if pod.Reason != want[pod.Name] {
				t.Errorf("pod %s: %s (%s), want %s", pod.Name, pod.Action, pod.Reason, want[pod.Name])
			}
		}
		if len(read.Pods) != len(want) || len(read.Notes) > 0 {
			t.Errorf("%d pods are explained, want %d; notes: %v", len(read.Pods), len(want), read.Notes)
		}
		if text := p.run(t, "explain", "-A"); !strings.Contains(text, "1 pod: Report (JobPod)") {
			t.Error("the text has no group for the Job's pod")
		}
	})
	t.Run("one pod within two seconds", func(t *testing.T) {
		start := time.Now()
		text := p.run(t, "explain", "pod", malformed.Name, "-n", shop.name)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, word := range []string{"malformed-secret", "broken (belongs to", "a kubelet cannot read it", "kubectl edit secret broken"} {
			if !strings.Contains(text, word) {
				t.Errorf("%q is missing", word)
			}
		}
	})
	t.Run("who may read pods alone is told less, and told so", func(t *testing.T) {
		rig.mayRead(t, "novice", "pods")
		read := p.json(t, "explain", "pod", stale.Name, "-n", shop.name, "--as", "novice")
		if read.Pods[0].Reason != "CredentialsUnread" || len(read.Notes) == 0 || read.Pods[0].Containers[0].Cause != "auth-failed" {
			t.Errorf("%+v", read)
		}
	})
	t.Run("who may read all but Secrets learns what does not rest on them", func(t *testing.T) {
		rig.mayRead(t, "viewer", "pods", "serviceaccounts", "namespaces", "events", "replicasets", "jobs", "registrycredentials")
		read := p.json(t, "explain", "-n", shop.name, "--as", "viewer")
		for _, pod := range read.Pods {
			if pod.Reason != want[pod.Name] {
				t.Errorf("pod %s: %s, want %s", pod.Name, pod.Reason, want[pod.Name])
			}
		}
		if len(read.Notes) != 1 {
			t.Errorf("notes: %v", read.Notes)
		}
	})
}

// say writes into the status of the RegistryCredential what the controller of credentials would.
func (p *place) say(t *testing.T, revision string) {
	t.Helper()
	await(t, "a write of the status", func() bool {
		var current v1alpha1.RegistryCredential
		p.rig.must(t, p.rig.admin.Get(t.Context(), client.ObjectKeyFromObject(p.credential), &current))
		current.Status.Credential = &v1alpha1.CredentialStatus{Revision: revision, ChangeTime: ptr.To(metav1.Now())}
		return p.rig.admin.Status().Update(t.Context(), &current) == nil
	})
}

// mayRead lets a user read some resources, whatever their group.
func (rig *recoveryRig) mayRead(t *testing.T, user string, resources ...string) {
	t.Helper()
	rig.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: resources, Verbs: []string{"get", "list"}}}})
	rig.create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}})
}

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// says runs the plugin and returns what it prints, what it complains of, and its exit code. Neither text may hold a password.
func (p *plugin) says(t *testing.T, arguments ...string) (out, complaint string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.path, arguments...)
	var printed, complaints strings.Builder
	command.Stdout, command.Stderr = &printed, &complaints
	begun := time.Now()
	err := command.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	t.Logf("kubectl regcred %s took %s and exits with %d:\n%s%s", strings.Join(arguments, " "), time.Since(begun).Round(time.Millisecond),
		command.ProcessState.ExitCode(), printed.String(), complaints.String())
	if strings.Contains(printed.String()+complaints.String(), canary) {
		t.Errorf("kubectl regcred %s shows a password", strings.Join(arguments, " "))
	}
	return printed.String(), complaints.String(), command.ProcessState.ExitCode()
}

// answers decodes what a command says as JSON.
func (p *plugin) answers(t *testing.T, into any, code int, arguments ...string) {
	t.Helper()
	out, complaint, got := p.says(t, append(arguments, "-o", "json")...)
	if got != code {
		t.Fatalf("kubectl regcred %s exits with %d, want %d: %s%s", strings.Join(arguments, " "), got, code, out, complaint)
	}
	must(t, json.Unmarshal([]byte(out), into))
}

// ends wants an exit code and some words of what is printed.
func (p *plugin) ends(t *testing.T, code int, words []string, arguments ...string) {
	t.Helper()
	out, complaint, got := p.says(t, arguments...)
	missing := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return strings.Contains(out+complaint, word) })
	if got != code || len(missing) > 0 {
		t.Errorf("kubectl regcred %s exits with %d, want %d, and lacks %q:\n%s%s", strings.Join(arguments, " "), got, code, missing, out, complaint)
	}
}

// verify asks the registry from the node, where its address is the one that images have: of images in use, and of one that may not be pulled.
func (q *questions) verify(t *testing.T) {
	q.pushPlugin(t)
	q.inAPod(t, "verify-accepted", 0, []string{"PullAllowed", q.image(asked, "web:2"), q.image(askedStuck, "api:1"), "Asked by the operator, from the cluster, last accepted"},
		"verify", asked, "--insecure-registries", s.Registry)
	q.inAPod(t, "verify-refused", 2, []string{"Rejected", "the value of RegistryCredential asked may not pull 1 of 1 image"},
		"verify", asked, "--insecure-registries", s.Registry, "--image", q.image(asked, "closed:1"))
	q.plugin.ends(t, 1, []string{"there is no RegistryCredential nobody"}, "verify", "nobody")
}

// pushPlugin makes an image of the plugin, and lets its pods ask as an administrator.
func (q *questions) pushPlugin(t *testing.T) {
	t.Helper()
	image, err := box.Image(q.plugin.path, box.ImageOptions{})
	must(t, err)
	must(t, s.Box.Registry.Push(t.Context(), "regcred/plugin:1", image))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: asked, Name: "asks"}}
	must(t, s.Client.Create(t.Context(), account))
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "asks"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: asked, Name: account.Name}},
	}
	must(t, s.Client.Create(t.Context(), binding))
	t.Cleanup(func() {
		if err := s.Client.Delete(context.Background(), binding); err != nil {
			t.Error(err)
		}
	})
}

// inAPod runs a command of the plugin in a pod, and wants an exit code and some words of its log.
func (q *questions) inAPod(t *testing.T, name string, code int32, words []string, arguments ...string) {
	t.Helper()
	template := scenario.Template(name, s.Registry+"/regcred/plugin:1")
	template.Spec.RestartPolicy, template.Spec.ServiceAccountName, template.Spec.AutomountServiceAccountToken = corev1.RestartPolicyNever, "asks", ptr.To(true)
	template.Spec.Containers[0].Args = arguments
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: asked, Name: name, Labels: template.Labels}, Spec: template.Spec}
	must(t, s.Client.Create(t.Context(), pod))
	await(t, 30*time.Second, func(ctx context.Context) error {
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("pod %s has not ended: %s", name, describe([]corev1.Pod{*pod}))
		}
		return nil
	})
	log, err := kubernetes.NewForConfigOrDie(s.Config).CoreV1().Pods(asked).GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	must(t, err)
	t.Logf("kubectl regcred %s, in a pod: %s", strings.Join(arguments, " "), log)
	ended := pod.Status.ContainerStatuses[0].State.Terminated
	missing := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return bytes.Contains(log, []byte(word)) })
	if ended == nil || ended.ExitCode != code || len(missing) > 0 {
		t.Errorf("it ends as %+v, want exit code %d, and its log lacks %q", ended, code, missing)
	}
	if bytes.Contains(log, []byte(canary)) {
		t.Error("its log holds a password")
	}
}

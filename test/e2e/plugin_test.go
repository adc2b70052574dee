package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// Namespaces in which the plugin is asked: one where a pod runs, one where a pod is stuck, and one with a pull Secret that was made by hand.
const (
	asked, askedStuck, askedByHand = "asked", "asked-stuck", "asked-by-hand"
	askedPath                      = "platform/registries/asked"
	// canary begins each password: nothing that the plugin says may hold it.
	canary = "canary-"
)

// TestPluginOnTheNode runs each command of the plugin beside a real kubelet: its pods pull with what the operator delivers. What the commands print
// in full is compared with the documentation elsewhere, so this looks at exit codes and at the facts.
func TestPluginOnTheNode(t *testing.T) {
	q := openQuestions(t)
	t.Run("refresh", q.refresh) // which waits for pods that are stuck, where there are any
	q.hang(t)
	t.Run("status", q.status)
	t.Run("explain", q.explain)
	t.Run("audit", q.audit)
	t.Run("verify", q.verify)
	t.Run("adopt", q.adopt)
	t.Run("plan", q.plan)
	t.Run("doctor", q.doctor)
	t.Run("doctor --support-bundle", q.bundle)
	t.Run("doctor, of registries that the operator does not reach", q.unreachable)
}

// questions are asked about one RegistryCredential.
type questions struct{ plugin *plugin }

// openQuestions has a pod run with the credential.
func openQuestions(t *testing.T) *questions {
	t.Helper()
	q := &questions{newPlugin(t)}
	for _, namespace := range []string{asked, askedStuck, askedByHand} {
		makeNamespace(t, namespace)
	}
	q.setRegistry(t, "first")
	q.setVault(t, "first")
	q.push(t, asked+"/web:1", asked+"/web:2", asked+"/closed:1", askedStuck+"/api:1")
	createCredential(t, credential(asked, askedPath, func(spec *v1alpha1.RegistryCredentialSpec) {
		spec.RefreshPeriodSeconds = new(int32(3600)) // the commands have it read
	}, asked, askedStuck))
	await(t, 30*time.Second, q.hold("first"))
	must(t, s.Client.Create(t.Context(), scenario.Deployment(asked, "web", scenario.Template("web", q.image(asked, "web:1")))))
	await(t, 30*time.Second, s.Running("web", q.image(asked, "web:1"), asked))
	await(t, 30*time.Second, func(ctx context.Context) error { // a status is written a moment later, and a refresh compares with it
		var object v1alpha1.RegistryCredential
		if err := s.Client.Get(ctx, client.ObjectKey{Name: asked}, &object); err != nil {
			return err
		}
		if object.Status.Credential == nil {
			return errors.New("the status says nothing of the value in use")
		}
		return nil
	})
	return q
}

// hang has a pod be stuck that lists another pull Secret.
func (q *questions) hang(t *testing.T) {
	t.Helper()
	must(t, s.Client.Create(t.Context(), pullSecret(t, askedStuck, "theirs", "registry.elsewhere.example", "first"), client.FieldOwner("kubectl-create")))
	must(t, s.Client.Create(t.Context(), scenario.Deployment(askedStuck, "api", scenario.Template("api", q.image(askedStuck, "api:1"), "theirs"))))
	await(t, 30*time.Second, s.Stuck("api", "no basic auth credentials", askedStuck))
}

func (q *questions) image(namespace, name string) string {
	return s.Registry + "/" + namespace + "/" + name
}

func (q *questions) push(t *testing.T, references ...string) {
	t.Helper()
	for _, reference := range references {
		image, err := box.Image(s.Pause, box.ImageOptions{Salt: reference})
		must(t, err)
		must(t, s.Box.Registry.Push(t.Context(), reference, image))
	}
}

func (q *questions) setRegistry(t *testing.T, password string) {
	t.Helper()
	must(t, s.Box.Registry.SetUser(t.Context(), box.User{Name: asked, Password: canary + password, Pull: []string{asked + "/web", askedStuck + "/"}}))
}

func (q *questions) setVault(t *testing.T, password string) {
	t.Helper()
	_, err := s.Box.Vault.WriteKV2(t.Context(), "secret", askedPath, map[string]any{"username": asked, "password": canary + password})
	must(t, err)
}

// hold reports whether both namespaces have a password.
func (q *questions) hold(password string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, namespace := range []string{asked, askedStuck} {
			if err := holdsPassword(namespace, s.Registry+"/"+namespace, canary+password)(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// pullSecret is one that somebody made by hand.
func pullSecret(t *testing.T, namespace, name, registry, password string) *corev1.Secret {
	t.Helper()
	login, err := dockerconfig.NewCredential(asked, canary+password)
	must(t, err)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: dockerconfig.Config{registry: login}.Render()},
	}
}

// status counts the stuck pod, which its kubelet reports a moment before the operator does.
func (q *questions) status(t *testing.T) {
	var said struct {
		Ready            metav1.ConditionStatus
		Synced, Selected int
		Revision         string
		StuckPods        int
		Source           struct{ Usable metav1.ConditionStatus }
		Revisions        []struct{ Secrets int }
		Events           []struct{ Reason string }
	}
	await(t, 20*time.Second, func(context.Context) error {
		q.plugin.answers(t, &said, 0, "status", asked)
		if said.Ready != metav1.ConditionTrue || said.StuckPods != 1 {
			return fmt.Errorf("status says %+v", said)
		}
		return nil
	})
	if said.Synced != 2 || said.Selected != 2 || said.Revision == "" || said.Source.Usable != metav1.ConditionTrue || len(said.Revisions) != 1 || said.Revisions[0].Secrets != 2 {
		t.Errorf("status says %+v", said)
	}
	if !slices.ContainsFunc(said.Events, func(e struct{ Reason string }) bool { return e.Reason == "Published" }) {
		t.Errorf("status shows the events %+v", said.Events)
	}
	q.plugin.ends(t, 0, []string{"NAME ", " READY ", asked + " ", "2 of 2", "CONNECTION ", "default "}, "status")
	q.plugin.ends(t, 0, []string{"RegistryCredential asked: ready", "2 of 2 have the value", "1 stuck", "Conditions", "Revisions in the pull Secrets", said.Revision}, "status", asked)
	q.plugin.ends(t, 1, []string{"there is no RegistryCredential nobody"}, "status", "nobody")
}

func (q *questions) explain(t *testing.T) {
	pod := onlyPod(t, askedStuck, "api")
	q.plugin.explain(t, askedStuck)[pod.Name].agrees(t, stuckCase{namespace: askedStuck, name: "api", cause: pullerror.NoCredentials}, "Report OwnPullSecrets")
	q.plugin.ends(t, 0, []string{pod.Name, "OwnPullSecrets", "theirs"}, "explain", "pod", pod.Name, "-n", askedStuck)
}

// audit says of the pod that runs that another one would, and of the one that is stuck why.
func (q *questions) audit(t *testing.T) {
	for namespace, want := range map[string]struct {
		code           int
		result, reason string
		pods           int
	}{
		asked:      {0, "Accepted", "", 1},
		askedStuck: {2, "Fails", "NotReferenced", 1},
	} {
		var said struct {
			Images []struct {
				Workload, Image, Result, Reason string
				Pods                            int
			}
		}
		q.plugin.answers(t, &said, want.code, "audit", "-n", namespace, "--exit-code")
		if len(said.Images) != 1 || said.Images[0].Result != want.result || want.reason != "" && said.Images[0].Reason != want.reason || said.Images[0].Pods != want.pods {
			t.Errorf("audit says of %s: %+v, want %+v", namespace, said.Images, want)
		}
	}
	q.plugin.ends(t, 2, []string{"RESULT ", "Fails ", "NotReferenced", "Deployment/api", "error: some pulls would fail, those with the result Fails: 1 Fails"}, "audit", "-n", askedStuck, "--exit-code")
	q.plugin.ends(t, 0, []string{"Accepted ", "ServiceAccount default"}, "audit", "-n", asked)
}

// refresh follows a rotation whose old password the registry refuses already, and one whose new password is wrong.
func (q *questions) refresh(t *testing.T) {
	q.setRegistry(t, "second")
	q.setVault(t, "second")
	q.plugin.ends(t, 0, []string{"Delivered", "Done: revision ", " took the place of "}, "refresh", asked, "--wait", "--timeout", "1m")
	if err := q.hold("second")(t.Context()); err != nil {
		t.Errorf("when refresh has ended, %v", err)
	}
	must(t, s.SetImage(t.Context(), asked, "web", q.image(asked, "web:2")))
	await(t, 30*time.Second, s.Running("web", q.image(asked, "web:2"), asked))

	q.setVault(t, "wrong")
	q.plugin.ends(t, 2, []string{"does not go on: Rejected: ", "refuses the login"}, "refresh", asked, "--wait", "--timeout", "1m")
	q.plugin.ends(t, 0, []string{"Rejected"}, "status", asked)
	if err := q.hold("second")(t.Context()); err != nil {
		t.Errorf("after a wrong password was written to Vault, %v", err)
	}
	q.setVault(t, "second")
	var ended struct {
		Stage  string
		Failed bool
	}
	q.plugin.answers(t, &ended, 0, "refresh", asked, "--wait", "--timeout", "1m")
	if ended.Stage != "Delivered" || ended.Failed {
		t.Errorf("after the password was corrected, refresh says %+v", ended)
	}
}

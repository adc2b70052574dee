package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/pullsecret"
)

const image = "registry.example.com/shop/web:1"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// facts are those of a pod that lists a Helm chart's Secret and lacks ours.
func facts() diagnosis.Facts {
	return diagnosis.Facts{
		Now: noon.Add(time.Minute), Onlooker: true,
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "web-1", CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
			Spec:       corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "theirs"}}, Containers: []corev1.Container{{Name: "web", Image: image}}},
			Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "web",
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized"}}}}},
		},
		Account: diagnosis.Account{Name: "default", PullSecrets: []string{"regcred"}, Attached: map[string]time.Time{"regcred": noon}},
		Secrets: map[string]diagnosis.Secret{
			"theirs": {Owner: pullsecret.Owner{Manager: "Helm release shop/web"}, Keys: []string{"quay.io"}},
			"regcred": {Owner: pullsecret.Owner{Ours: true}, Keys: []string{"registry.example.com"},
				Sources: pullsecret.Sources{"shop": {Revision: "7", Keys: []string{"registry.example.com"}, Changed: metav1.NewTime(noon)}}},
		},
		Credentials: []diagnosis.Credential{{Name: "shop", SecretName: "regcred", Mode: v1alpha1.RecoveryRestart, Published: true, Revision: "7",
			Entries: []diagnosis.Entry{{Key: "registry.example.com"}}}},
	}
}

func reportOf(single bool, changes ...func(*diagnosis.Facts)) report {
	r := report{single: single}
	for _, change := range append([]func(*diagnosis.Facts){func(*diagnosis.Facts) {}}, changes...) {
		f := facts()
		change(&f)
		r.Pods = append(r.Pods, newPodReport(f, diagnosis.Diagnose(f)))
	}
	return r
}

func TestTheTextOfOnePod(t *testing.T) {
	var out bytes.Buffer
	if err := printText(&out, reportOf(true)); err != nil {
		t.Fatal(err)
	}
	want := `Pod web-1 in namespace prod: Report (OwnPullSecrets)

Container web
  Image:       registry.example.com/shop/web:1
  Cause:       auth-failed: a credential was sent, and the registry refused it
  State:       ErrImagePull
  Message:     unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized
  Secrets:     theirs (belongs to Helm release shop/web; no key matches the image)
               regcred (belongs to regcred; key "registry.example.com" matches the image; changed 2026-03-01T12:00:00Z; the pod does not refer to it)
  Provided by: RegistryCredential shop
  Finding:     the pod lists its own pull secrets (theirs), so that it inherits none from its ServiceAccount

  Verdict:     container web: the pod lists its own pull secrets (theirs), so that it inherits none from its ServiceAccount
  regcred:     regcred leaves the pod to you
  You can:     add regcred to imagePullSecrets of its template, or remove the list there
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestASecretThatAKubeletIgnoresIsSaidToBeOne(t *testing.T) {
	var out bytes.Buffer
	opaque := func(f *diagnosis.Facts) { f.Secrets["theirs"] = diagnosis.Secret{Ignored: "Opaque"} }
	r := reportOf(true, opaque)
	r.Pods = r.Pods[1:]
	if err := printText(&out, r); err != nil {
		t.Fatal(err)
	}
	if want := "theirs (belongs to nobody known; no key matches the image; a kubelet ignores it, for it is of type Opaque)"; !strings.Contains(out.String(), want) {
		t.Errorf("it lacks %q:\n%s", want, out.String())
	}
}

func TestPodsAreGroupedByCause(t *testing.T) {
	second := func(f *diagnosis.Facts) { f.Pod.Name = "web-2" }
	missing := func(f *diagnosis.Facts) {
		f.Pod.Name = "typo-1"
		f.Pod.Status.ContainerStatuses[0].State.Waiting.Message = "registry.example.com/shop/web:1: not found"
	}
	var out bytes.Buffer
	r := reportOf(false, missing, second)
	r.Notes = []string{"You may not read Secrets."}
	if err := printText(&out, r); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	own, typo := strings.Index(text, "2 pods: Report (OwnPullSecrets)"), strings.Index(text, "1 pod: Report (ImageNotFound)")
	if own < 0 || typo < own || !strings.Contains(text, "prod/web-2") || !strings.Contains(text, "Note: You may not read Secrets.") {
		t.Errorf("the groups are wrong:\n%s", text)
	}
}

func TestJSONHasEveryFinding(t *testing.T) {
	var out bytes.Buffer
	if err := printObject(&out, "json", reportOf(true)); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Pods []struct {
			Action, Reason, Advice string
			Containers             []struct {
				Cause, RegistryCredential string
				Secrets                   []struct{ Name, Owner, Key string }
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	pod := read.Pods[0]
	if pod.Action != "Report" || pod.Reason != "OwnPullSecrets" || pod.Advice == "" || pod.Containers[0].Cause != "auth-failed" ||
		pod.Containers[0].RegistryCredential != "shop" || pod.Containers[0].Secrets[1].Key != "registry.example.com" {
		t.Errorf("got %s", out.String())
	}
}

func TestNothingStuckIsSaid(t *testing.T) {
	var out bytes.Buffer
	if err := printText(&out, report{}); err != nil || out.String() != "No pod waits for an image.\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := printObject(&out, "json", report{Pods: []podReport{}}); err != nil || !strings.Contains(out.String(), `"pods": []`) {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// full is a disk on which nothing more fits.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatFailsIsAnError(t *testing.T) {
	if printText(full{}, reportOf(true)) == nil || printText(full{}, reportOf(false)) == nil || printObject(full{}, "json", reportOf(true)) == nil {
		t.Error("a failed write is no error")
	}
}

func TestACredentialTellsOfItself(t *testing.T) {
	object := &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec:       v1alpha1.RegistryCredentialSpec{Registries: []v1alpha1.Registry{"docker.io"}},
		Status: v1alpha1.RegistryCredentialStatus{
			Credential: &v1alpha1.CredentialStatus{Revision: "7"},
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoLongerAccepted, Message: "refused"}},
			Namespaces: &v1alpha1.NamespacesStatus{Failures: []v1alpha1.NamespaceFailure{{Namespace: "prod", Message: "belongs to Helm"}}},
		},
	}
	want := diagnosis.Credential{Name: "shop", SecretName: "regcred", Accounts: []string{"default"}, Attach: v1alpha1.AttachServiceAccounts, Mode: v1alpha1.RecoveryRestart,
		Judged: true, Published: true, Revision: "7", Problem: "belongs to Helm", Entries: []diagnosis.Entry{{Key: "https://index.docker.io/v1/", Rejected: "refused"}}}
	if diff := cmp.Diff(want, credentialFacts(object, "prod", noon)); diff != "" {
		t.Error(diff)
	}
}

func TestPodsThatMayNotBeListedAreSaidWithTheNextStep(t *testing.T) {
	for name, test := range map[string]struct{ namespace, want string }{
		"in a namespace":    {"shop", "you may not list pods in namespace shop: name one of yours with -n, or ask for the ClusterRole view there"},
		"in all namespaces": {"", "you may not list pods in all namespaces: name one of yours with -n"},
	} {
		t.Run(name, func(t *testing.T) {
			counting := recorded{forbids: []string{"PodList"}}
			l := &look{reader: counting.client(), now: atNoon}
			if _, err := l.stuck(t.Context(), test.namespace); err == nil || err.Error() != test.want {
				t.Errorf("it says %v, want %q", err, test.want)
			}
		})
	}
}

func TestANamespaceThatMayNotBeReadIsNotedByItsName(t *testing.T) {
	counting := recorded{forbids: []string{"Namespace"}}
	s := &survey{reader: counting.client(), namespace: "shop", now: atNoon}
	if err := s.readNamespaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	if notes := s.sorted(); len(notes) != 1 || !strings.HasPrefix(notes[0], "You may not get namespace shop: ") {
		t.Errorf("it notes %q", notes)
	}
}

func TestWhoNamesAPodIsNotAnsweredForAnotherNamespace(t *testing.T) {
	for _, args := range [][]string{{"pod", "web-1"}, {"deployment", "web"}, {"deploy/web"}} {
		e := &explain{access: (&apiServer{}).start(t), output: "text", allNamespaces: true}
		if err := e.run(t.Context(), &bytes.Buffer{}, args); err == nil || !strings.Contains(err.Error(), "with -n instead") {
			t.Errorf("%q with -A: %v", args, err)
		}
	}
}

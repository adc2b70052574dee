package diagnosis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestASecretLeavesItsValuesBehind(t *testing.T) {
	const password = "c3VwZXI6c2VjcmV0" // base64 of super:secret
	s := NewSecret(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "regcred", Labels: map[string]string{"app.kubernetes.io/managed-by": "regcred"},
			Annotations: map[string]string{"regcred.dev/sources": `{"shop":{"revision":"2","keys":["registry.example.com"],"changed":"2026-03-01T12:00:00Z"}}`}},
		Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"registry.example.com":{"auth":"` + password + `"}}}`)},
	})
	if !s.Owner.Ours || !s.Sources["shop"].Changed.Time.Equal(noon) || !cmp.Equal(s.Keys, []string{host}) || s.Breaks != "" {
		t.Errorf("the facts are not those of the Secret: %+v", s)
	}
	broken := NewSecret(&corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"registry.example.com":{"auth":"` + password + `!"}}}`)}})
	if broken.Breaks == "" || strings.Contains(broken.Breaks, password) {
		t.Errorf("what breaks pulls must be said without the value, it is %q", broken.Breaks)
	}
}

func TestTheTypeOfASecretSaysWhatAKubeletReads(t *testing.T) {
	const entries = `{"registry.example.com":{"auth":"dTpw"}}`
	both := map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"quay.io":{"auth":"dTpw"}}}`), ".dockercfg": []byte(entries)}
	for _, test := range []struct {
		name    string
		kind    corev1.SecretType
		data    map[string][]byte
		keys    []string
		ignored string
		breaks  bool
	}{
		{"the new form", corev1.SecretTypeDockerConfigJson, both, []string{"quay.io"}, "", false},
		{"the old form", corev1.SecretTypeDockercfg, both, []string{host}, "", false},
		{"the new form without content", corev1.SecretTypeDockerConfigJson, map[string][]byte{".dockercfg": []byte(entries)}, nil, "", false},
		{"the old form without content", corev1.SecretTypeDockercfg, map[string][]byte{}, nil, "", false},
		{"a broken one", corev1.SecretTypeDockerConfigJson, map[string][]byte{".dockerconfigjson": []byte("{")}, nil, "", true},
		// https://github.com/config-syncer/config-syncer/issues/233
		{"a copy of another type", corev1.SecretTypeOpaque, both, nil, "Opaque", false},
		{"a broken one of another type, which breaks nothing", corev1.SecretTypeOpaque, map[string][]byte{".dockerconfigjson": []byte("{")}, nil, "Opaque", false},
	} {
		s := NewSecret(&corev1.Secret{Type: test.kind, Data: test.data})
		if !cmp.Equal(s.Keys, test.keys) || s.Ignored != test.ignored || (s.Breaks != "") != test.breaks {
			t.Errorf("%s: %+v", test.name, s)
		}
	}
}

func TestAServiceAccountTellsWhatWasAttachedWhen(t *testing.T) {
	account := func(annotation string) Account {
		return NewAccount(&corev1.ServiceAccount{
			ObjectMeta:       metav1.ObjectMeta{Name: "default", Annotations: map[string]string{"regcred.dev/attached": annotation}},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "old"}, {Name: "regcred"}},
		})
	}
	want := Account{Name: "default", PullSecrets: []string{"old", "regcred"}, Attached: map[string]time.Time{"regcred": noon}}
	if diff := cmp.Diff(want, account(`{"regcred":"2026-03-01T12:00:00Z"}`)); diff != "" {
		t.Error(diff)
	}
	want.Attached = map[string]time.Time{}
	if diff := cmp.Diff(want, account(`{"regcred":5`)); diff != "" {
		t.Errorf("an annotation that somebody broke: %s", diff)
	}
}

func TestARepullPinsEveryFailingContainer(t *testing.T) {
	facts := stuck(repullable, initHangs)
	facts.Pod.Spec.InitContainers[0].Image = "registry.example.com/shop/web:1"
	facts.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("web", "ErrImagePull", refused)}
	want := []Pin{{Container: "migrate", Image: image, Pinned: image + "@" + sum}, {Container: "web", Image: image, Pinned: image + "@" + sum}}
	verdict := Diagnose(facts)
	if diff := cmp.Diff(want, verdict.Pins); verdict.Action != Repull || diff != "" {
		t.Errorf("%s %s", verdict.Action, diff)
	}
}

func TestADigestIsFoundHoweverTheImageIsSpelled(t *testing.T) {
	entry := Entry{Digests: map[string]string{"docker.io/library/nginx:latest": sum}}
	for _, spelled := range []string{"nginx", "nginx:latest", "index.docker.io/library/nginx"} {
		if entry.digestOf(spelled) != sum {
			t.Errorf("%s has no digest", spelled)
		}
	}
	for _, other := range []string{"nginx:1", "library/nginx:2", "Not An Image"} {
		if entry.digestOf(other) != "" {
			t.Errorf("%s has the digest of another image", other)
		}
	}
}

func TestMessagesSayWhatToDo(t *testing.T) {
	tests := []struct {
		name    string
		changes []change
		want    []string
	}{
		{"the pod lists its own pull secrets", []change{ownList("old")}, []string{"container web", "(old)", "add regcred", "template"}},
		{"a Job is suspended and resumed", []change{ofJob, withoutReference}, []string{"kubectl patch job it -n prod", `{"spec":{"suspend":true}}`, `{"spec":{"suspend":false}}`}},
		{"a foreign Secret is named with its owner", []change{waits("illegal base64 data at input byte 0", ""), foreignBreaks}, []string{"Secret theirs of Helm release shop/web"}},
		{"a ServiceAccount is attached by a command that keeps the others", []change{withoutReference,
			account(func(a *Account) { *a = Account{Name: "builder", PullSecrets: []string{"old"}} })},
			[]string{`kubectl patch serviceaccount builder -n prod --type merge -p '{"imagePullSecrets":[{"name":"old"},{"name":"regcred"}]}'`}},
		{"the kubelet's retry has a time", []change{ofJob}, []string{"12:05:15 UTC"}},
		{"a repull that is forbidden is said", []change{repullable, func(f *Facts) { f.RepullForbidden = true }}, []string{"podRecovery.repull is not available"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			message := Diagnose(stuck(test.changes...)).Text()
			for _, want := range test.want {
				if !strings.Contains(message, want) {
					t.Errorf("%q lacks %q", message, want)
				}
			}
		})
	}
}

func TestTheCredentialsOfAVerdict(t *testing.T) {
	facts := stuck()
	facts.Pod.Spec.Containers = append(facts.Pod.Spec.Containers, corev1.Container{Name: "second", Image: image})
	facts.Pod.Status.ContainerStatuses = append(facts.Pod.Status.ContainerStatuses, waiting("second", "ErrImagePull", refused))
	if got := Diagnose(facts).Credentials(); !cmp.Equal(got, []string{"shop"}) {
		t.Errorf("got %v", got)
	}
}

func TestWhoProvidesTheRegistryIsToldOfWhatNoCredentialCures(t *testing.T) {
	if got := Diagnose(stuck(because(missing))).Credentials(); !cmp.Equal(got, []string{"shop"}) {
		t.Errorf("an image that does not exist in a registry that shop provides concerns %v", got)
	}
	elsewhere := func(f *Facts) { f.Pod.Spec.Containers[0].Image = "quay.io/x:1" }
	if got := Diagnose(stuck(elsewhere, because(missing))).Credentials(); len(got) > 0 {
		t.Errorf("an image of another registry concerns %v", got)
	}
	off := credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryDisabled })
	if verdict := Diagnose(stuck(because(missing), off)); verdict.Reason != RecoveryOff {
		t.Errorf("mode Disabled does not look, and still says %s", verdict.Reason)
	}
}

func TestARefusedRepullIsMissedOnlyWhereItWouldCure(t *testing.T) {
	forbidden := func(f *Facts) { f.RepullForbidden = true }
	for _, test := range []struct {
		name    string
		changes []change
		want    bool
	}{
		{"a pod of a Job that would be repulled", []change{repullable, ofJob, forbidden}, true},
		{"a pod that is restarted instead", []change{repullable, forbidden}, true},
		{"a pod that lacks the reference", []change{repullable, withoutReference, forbidden}, false},
		{"a pod whose image does not exist", []change{repullable, because(missing), forbidden}, false},
		{"where repull is not enabled", []change{ofJob, forbidden}, false},
	} {
		if verdict := Diagnose(stuck(test.changes...)); verdict.RepullRefused != test.want {
			t.Errorf("%s: refused is %t", test.name, verdict.RepullRefused)
		}
	}
}

func TestOfTwoCredentialsTheOneThatCuresIsTaken(t *testing.T) {
	facts := stuck()
	second := facts.Credentials[0]
	second.Name, second.SecretName = "other", "other"
	facts.Credentials = []Credential{second, facts.Credentials[0]}
	facts.Secrets["other"] = Secret{Missing: true}
	if verdict := Diagnose(facts); verdict.Action != Restart || verdict.Findings[0].Credential != "shop" {
		t.Errorf("%s for %s", verdict.Action, verdict.Findings[0].Credential)
	}
}

package audit_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/pullsecret"
)

const image = "registry.company.io/shop/web:1"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is one Deployment whose image a RegistryCredential can pull through the ServiceAccount.
type world struct {
	object    *v1alpha1.RegistryCredential
	workload  audit.Workload
	namespace *audit.Namespace
	// also makes a second RegistryCredential of the first. Nil: there is none.
	also func(*v1alpha1.RegistryCredential)
	// protected are the namespaces that are served by name alone.
	protected []string
}

func sound() *world {
	w := &world{
		object: &v1alpha1.RegistryCredential{
			ObjectMeta: metav1.ObjectMeta{Name: "company"},
			Spec: v1alpha1.RegistryCredentialSpec{
				Registries: []v1alpha1.Registry{"registry.company.io"},
				Target:     v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}},
			},
			Status: v1alpha1.RegistryCredentialStatus{
				Credential: &v1alpha1.CredentialStatus{Revision: "7", ProvenBy: "Pull"},
				Previous:   &v1alpha1.PreviousStatus{Revision: "6", Registry: "Accepted"},
			},
		},
		workload: audit.Workload{Namespace: "shop", Kind: "Deployment", Name: "web", Pods: 2, Images: []string{image}, Template: true},
		namespace: &audit.Namespace{
			Secrets: map[string]diagnosis.Secret{"regcred": {Owner: pullsecret.Owner{Ours: true}, Keys: []string{"registry.company.io"},
				Sources: pullsecret.Sources{"company": {Revision: "7", Keys: []string{"registry.company.io"}}}}},
			Accounts: map[string]diagnosis.Account{"default": {Name: "default", PullSecrets: []string{"regcred"}}},
		},
	}
	return w
}

// others adds a Secret of somebody else.
func (w *world) others(name string, keys ...string) {
	w.namespace.Secrets[name] = diagnosis.Secret{Owner: pullsecret.Owner{Manager: "Helm release x"}, Keys: keys}
}

// lists gives the template a list of its own.
func (w *world) lists(names ...string) { w.workload.PullSecrets = names }

func (w *world) rows() []audit.Row {
	credentials := []audit.Credential{audit.CredentialOf(w.object, w.protected, noon)}
	if w.also != nil {
		second := w.object.DeepCopy()
		w.also(second)
		credentials = append(credentials, audit.CredentialOf(second, w.protected, noon))
	}
	return audit.Rows(&audit.Facts{Now: noon, Workloads: []audit.Workload{w.workload}, Namespaces: map[string]*audit.Namespace{"shop": w.namespace}, Credentials: credentials})
}

func TestWhatANewPodWouldPullWith(t *testing.T) {
	written := func(w *world, revision string) {
		w.namespace.Secrets["regcred"].Sources["company"] = pullsecret.Source{Revision: revision, Keys: []string{"registry.company.io"}}
	}
	injects := func(w *world) {
		w.object.Spec.Target.Attach = v1alpha1.AttachPods
		w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
		w.namespace.Accounts["default"] = diagnosis.Account{Name: "default"}
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		result audit.Result
		reason audit.Reason
		from   string
		says   string
	}{
		{"the ServiceAccount names the Secret, and the registry accepts the value", func(*world) {}, audit.Accepted, audit.PullAccepted, "ServiceAccount default", ""},
		{"the registry was asked for a login alone", func(w *world) { w.object.Status.Credential.ProvenBy = "Login" }, audit.Accepted, audit.LoginAccepted, "ServiceAccount default", ""},
		{"the template names the Secret itself", func(w *world) { w.lists("regcred") }, audit.Accepted, audit.PullAccepted, "pod", ""},
		{"the policy adds it", injects, audit.Accepted, audit.PullAccepted, "policy", ""},
		{"the policy adds it beside a list of the template", func(w *world) { injects(w); w.lists("other") }, audit.Accepted, audit.PullAccepted, "policy", ""},
		{"the namespace opted out of the policy", func(w *world) {
			injects(w)
			w.namespace.Annotations = map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
		}, audit.Fails, audit.NotReferenced, "", "would not name Secret regcred"},
		{"the policy does not stand", func(w *world) { injects(w); w.object.Status.Attachment = nil }, audit.Fails, audit.NotReferenced, "", "regcred"},
		{"the operator may not look whether it stands", func(w *world) {
			injects(w)
			w.object.Status.Conditions = append(w.object.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAttachmentUnavailable, Message: "it may not be read"})
		}, audit.Fails, audit.NotReferenced, "", "regcred"},
		{"the template lists another Secret", func(w *world) { w.lists("other"); w.others("other", "quay.io") }, audit.Fails, audit.NotReferenced, "", "lists its own pull Secrets"},
		{"the ServiceAccount does not name it", func(w *world) { w.namespace.Accounts["default"] = diagnosis.Account{} }, audit.Fails, audit.NotReferenced, "", "ServiceAccount default"},
		{"the workload has another ServiceAccount", func(w *world) { w.workload.Account = "app" }, audit.Fails, audit.NotReferenced, "", "ServiceAccount app"},
		{"the Secret has no entry for the image", func(w *world) {
			w.namespace.Secrets["regcred"] = diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}
		}, audit.Fails, audit.NotDelivered, "ServiceAccount default", "kubectl regcred status company"},
		{"the Secret is gone", func(w *world) { delete(w.namespace.Secrets, "regcred") }, audit.Fails, audit.NotDelivered, "ServiceAccount default", ""},
		{"the registry refuses the value", func(w *world) {
			w.object.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoLongerAccepted, Message: "status 401"}}
		}, audit.Fails, audit.CredentialRejected, "ServiceAccount default", "status 401"},
		{"the value ended", func(w *world) {
			w.object.Status.Credential.ExpireTime = &metav1.Time{Time: noon}
		}, audit.Fails, audit.CredentialEnded, "ServiceAccount default", "2026-03-01T12:00:00Z"},
		{"nobody tested the value", func(w *world) { w.object.Status.Credential.ProvenBy = "" }, audit.Unproven, audit.NotTested, "ServiceAccount default", "kubectl regcred verify company"},
		{"the Secret has the value before", func(w *world) { written(w, "6") }, audit.Unproven, audit.OlderValue, "ServiceAccount default", "revision 6"},
		{"the Secret has the value before, which is refused", func(w *world) { written(w, "6"); w.object.Status.Previous.Registry = "Rejected" }, audit.Fails, audit.OlderValue, "ServiceAccount default", "no longer works"},
		{"the Secret has a value that nobody remembers", func(w *world) { written(w, "2") }, audit.Unproven, audit.OlderValue, "ServiceAccount default", "revision 2"},
		{"the Secret of somebody else matches", func(w *world) { w.lists("other"); w.others("other", "registry.company.io") }, audit.Unproven, audit.NotTested, "pod", "Helm release x"},
		{"a bad and a good entry match, and a kubelet tries both", func(w *world) { w.lists("other", "regcred"); w.others("other", "registry.company.io") }, audit.Accepted, audit.PullAccepted, "pod", ""},
		{"a kubelet cannot read one of the Secrets", func(w *world) {
			w.lists("regcred", "broken")
			w.namespace.Secrets["broken"] = diagnosis.Secret{Breaks: "no JSON"}
		}, audit.Fails, audit.MalformedSecret, "", "no JSON"},
		{"nothing serves the registry", func(w *world) { w.workload.Images = []string{"quay.io/x/y:1"} }, audit.Anonymous, audit.NoCredential, "", ""},
		{"nothing serves the registry, and a Secret is missing", func(w *world) {
			w.workload.Images = []string{"quay.io/x/y:1"}
			w.lists("gone")
		}, audit.Anonymous, audit.SecretMissing, "", "Secret gone"},
		{"the RegistryCredential does not select the namespace", func(w *world) {
			w.object.Spec.Target.Namespaces = []v1alpha1.NamespaceName{"other"}
			w.namespace.Accounts["default"] = diagnosis.Account{}
		}, audit.Anonymous, audit.NoCredential, "", ""},
		{"Secrets may not be read, and the RegistryCredential tells", func(w *world) { w.namespace.Secrets, w.namespace.SecretsUnread = nil, true }, audit.Accepted, audit.PullAccepted, "ServiceAccount default", ""},
		{"Secrets may not be read, and nothing tells", func(w *world) {
			w.namespace.Secrets, w.namespace.SecretsUnread = nil, true
			w.workload.Images = []string{"quay.io/x/y:1"}
		}, audit.Unknown, audit.SecretsUnread, "", "you may not read"},
		{"neither Secrets nor ServiceAccounts may be read", func(w *world) {
			w.namespace.Secrets, w.namespace.SecretsUnread, w.namespace.Accounts, w.namespace.AccountsUnread = nil, true, nil, true
		}, audit.Unknown, audit.NotReferenced, "", "you may not read ServiceAccounts"},
		{"a Secret is too large", func(w *world) {
			w.namespace.Secrets["regcred"] = diagnosis.Secret{TooLarge: true}
		}, audit.Unknown, audit.SecretTooLarge, "", "larger"},
		{"nobody can parse the image", func(w *world) { w.workload.Images = []string{"Shop/Web"} }, audit.Fails, audit.InvalidImage, "", "cannot be parsed"},
		{"the image is never pulled", func(w *world) { w.workload.Never = []string{image} }, audit.NotPulled, audit.PolicyNever, "", ""},
		{"nobody can parse the image, which is never pulled", func(w *world) {
			w.workload.Images, w.workload.Never = []string{"Shop/Web"}, []string{"Shop/Web"}
		}, audit.Fails, audit.InvalidImage, "", "cannot be parsed"},
		{"a pod without template has what its ServiceAccount and the policy gave it", func(w *world) {
			injects(w)
			w.namespace.Accounts["default"] = diagnosis.Account{Name: "default", PullSecrets: []string{"other"}}
			w.others("other", "quay.io")
			w.workload.Template = false
			w.lists("other", "regcred")
		}, audit.Accepted, audit.PullAccepted, "policy", ""},
		{"the template lists another Secret, and the policy adds one that is not for the image", func(w *world) {
			w.lists("other")
			w.others("other", "quay.io")
			w.others("second", "quay.io")
			w.also = func(o *v1alpha1.RegistryCredential) {
				o.Name, o.Spec.Registries, o.Spec.Target.SecretName, o.Spec.Target.Attach = "second", []v1alpha1.Registry{"quay.io"}, "second", v1alpha1.AttachPods
				o.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
			}
		}, audit.Fails, audit.NotReferenced, "", "lists its own pull Secrets"},
		{"ServiceAccounts may not be read", func(w *world) {
			w.namespace.Accounts, w.namespace.AccountsUnread = nil, true
		}, audit.Unknown, audit.NotReferenced, "", "you may not read ServiceAccounts"},
		{"Secrets may not be read, and the ServiceAccount names none", func(w *world) {
			w.namespace.Secrets, w.namespace.SecretsUnread = nil, true
			w.namespace.Accounts["default"] = diagnosis.Account{}
		}, audit.Fails, audit.NotReferenced, "", "ServiceAccount default"},
		{"a pod without template has what its ServiceAccount gave it, which names more now", func(w *world) {
			w.workload.Template = false
		}, audit.Accepted, audit.PullAccepted, "ServiceAccount default", ""},
		{"a pod without template lists a Secret that its ServiceAccount does not name", func(w *world) {
			w.workload.Template = false
			w.lists("other")
			w.others("other", "quay.io")
		}, audit.Fails, audit.NotReferenced, "", "its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := sound()
			test.change(w)
			row := w.rows()[0]
			if row.Result != test.result || row.Reason != test.reason || row.From != test.from || !strings.Contains(row.Message, test.says) {
				t.Errorf("got %+v", row)
			}
			if failing := audit.Fail([]audit.Row{row}); failing != (test.result == audit.Fails) {
				t.Errorf("it fails: %t", failing)
			}
			if row.Result == audit.Fails && row.Message == "" {
				t.Error("a failure says nothing")
			}
		})
	}
}

func TestWhatOthersWroteChangesNoTerminal(t *testing.T) {
	w := sound()
	w.workload.Name, w.workload.Images = "web\x1b[2J", []string{"quay.io/x\x1b[2J"}
	for _, row := range w.rows() {
		if strings.Contains(row.Image+row.Workload+row.Message, "\x1b") {
			t.Errorf("got %+v", row)
		}
	}
	w = sound()
	w.lists("other")
	w.namespace.Secrets["other"] = diagnosis.Secret{Owner: pullsecret.Owner{Manager: "tool\x1b[2J"}, Keys: []string{"registry.company.io"}}
	if row := w.rows()[0]; row.Owner != "tool [2J" || strings.Contains(row.Message+row.ProvidedBy(), "\x1b") {
		t.Errorf("got %+v", row)
	}
}

func TestAProtectedNamespaceIsServedWhereItIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		target v1alpha1.Target
		result audit.Result
	}{
		"by name":  {v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}}, audit.Fails},
		"by label": {v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}, audit.Anonymous},
	} {
		w := sound()
		w.protected, w.object.Spec.Target = []string{"shop"}, test.target
		w.namespace.Labels, w.namespace.Accounts = map[string]string{"team": "shop"}, map[string]diagnosis.Account{"default": {}}
		if row := w.rows()[0]; row.Result != test.result {
			t.Errorf("%s: %+v", name, row)
		}
	}
}

func TestPodsAreCountedAtWhatAPersonWrote(t *testing.T) {
	var all audit.Workloads
	spec := func(image string) *corev1.PodSpec {
		return &corev1.PodSpec{ServiceAccountName: "app", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
			InitContainers: []corev1.Container{{Image: "r.io/init", ImagePullPolicy: corev1.PullNever}}, Containers: []corev1.Container{{Image: image}},
			Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "r.io/data"}}}, {}}}
	}
	all.AddTemplate("shop", "Deployment", "web", spec("r.io/web"))
	all.AddTemplate("shop", "CronJob", "nightly", spec("r.io/job"))
	all.AddTemplate("shop", "CronJob", "clean-up", spec("r.io/clean"))
	all.AddTemplate("shop", "Deployment", "idle", spec("r.io/idle"))
	for _, pod := range []audit.Pod{
		{Name: "web-5d4-1", OwnerKind: "ReplicaSet", OwnerName: "web-5d4", Hash: "5d4", Images: []string{"r.io/web", "r.io/sidecar"}},
		{Name: "web-5d4-2", OwnerKind: "ReplicaSet", OwnerName: "web-5d4", Hash: "5d4", Images: []string{"r.io/web"}},
		{Name: "nightly-1-x", OwnerKind: "Job", OwnerName: "nightly-29", Images: []string{"r.io/job"}},
		{Name: "clean-up-1-x", OwnerKind: "Job", OwnerName: "clean-up-29", Images: []string{"r.io/clean"}},
		{Name: "once-x", OwnerKind: "Job", OwnerName: "once-1", Images: []string{"r.io/once"}},
		{Name: "bare", Account: "bare", PullSecrets: []string{"own"}, Images: []string{"r.io/bare"}},
		{Name: "rs-x", OwnerKind: "ReplicaSet", OwnerName: "rs", Images: []string{"r.io/rs"}},
	} {
		pod.Namespace = "shop"
		all.AddPod(pod)
	}
	got := map[string]audit.Workload{}
	for _, w := range all.All() {
		got[w.Kind+"/"+w.Name] = w
	}
	for name, want := range map[string]struct {
		pods   int
		images string
	}{
		"Deployment/web":   {2, "r.io/init r.io/web r.io/data r.io/sidecar"},
		"Deployment/idle":  {0, "r.io/init r.io/idle r.io/data"},
		"CronJob/nightly":  {1, "r.io/init r.io/job r.io/data"},
		"CronJob/clean-up": {1, "r.io/init r.io/clean r.io/data"},
		"Job/once-1":       {1, "r.io/once"},
		"Pod/bare":         {1, "r.io/bare"},
		"ReplicaSet/rs":    {1, "r.io/rs"},
	} {
		if w := got[name]; w.Pods != want.pods || strings.Join(w.Images, " ") != want.images {
			t.Errorf("%s: %+v", name, w)
		}
	}
	if web, bare := got["Deployment/web"], got["Pod/bare"]; len(got) != 7 || !web.Template || web.Account != "app" || web.PullSecrets[0] != "pull" || web.Never[0] != "r.io/init" ||
		bare.Template || bare.Account != "bare" || bare.PullSecrets[0] != "own" {
		t.Errorf("%d workloads, %+v, %+v", len(got), web, bare)
	}
}

func TestRowsThatDifferByTheirPlaceAloneAreOneGroup(t *testing.T) {
	row := audit.Row{Namespace: "a", Kind: "Deployment", Workload: "web", Pods: 2, Image: "r.io/x", Registry: "r.io", Result: audit.Accepted, Credential: "company", From: "pod"}
	second, third, other, failing := row, row, row, row
	second.Image = "r.io/y"
	third.Namespace = "b"
	other.From = "policy"
	failing.Result, failing.Message = audit.Fails, "because"
	groups := audit.Groups([]audit.Row{row, second, third, other, failing})
	if len(groups) != 3 || groups[0].Result != audit.Fails || groups[0].Message != "because" || groups[1].Workloads != 2 || groups[1].Pods != 4 || groups[1].Images != 2 ||
		groups[1].First != "a/Deployment/web" || groups[2].From != "policy" {
		t.Errorf("got %+v", groups)
	}
	if sum := audit.Sum([]audit.Row{row, failing, third}); sum != "1 Fails, 2 Accepted" {
		t.Errorf("sum %q", sum)
	}
}

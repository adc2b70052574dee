package audit_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/cputime"
	"regcred.dev/regcred/test/racedetector"
)

func TestAllOfARow(t *testing.T) {
	w := sound()
	ends := noon.Add(time.Second).In(time.FixedZone("elsewhere", 3600))
	w.object.Status.Credential.ExpireTime = &metav1.Time{Time: ends}
	utc := ends.UTC()
	want := audit.Row{
		Namespace: "shop", Kind: "Deployment", Workload: "web", Pods: 2, Image: image, Registry: "registry.company.io", Result: audit.Accepted, Reason: audit.PullAccepted,
		Credential: "company", Secret: "regcred", Owner: "regcred", From: "ServiceAccount default", Until: &utc,
	}
	got := w.rows()[0]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a second before its end (-want, +got):\n%s", diff)
	}
	if got.Until.Location() != time.UTC {
		t.Errorf("it ends at %s", got.Until)
	}
}

func TestOfSeveralRegistryCredentialsTheOneThatWroteTheEntryTells(t *testing.T) {
	w := sound()
	secret := w.namespace.Secrets["regcred"]
	secret.Keys = append(secret.Keys, "other.example")
	secret.Sources["another"] = pullsecret.Source{Revision: "3", Keys: []string{"other.example"}}
	w.namespace.Secrets["regcred"] = secret
	another := w.object.DeepCopy()
	another.Name, another.Spec.Registries, another.Status.Credential.Revision, another.Status.Credential.ProvenBy = "another", []v1alpha1.Registry{"other.example"}, "3", "Login"
	w.workload.Images = []string{image, "other.example/x:1"}
	told := func() map[string]string {
		got := map[string]string{}
		for _, row := range audit.Rows(&audit.Facts{Now: noon, Workloads: []audit.Workload{w.workload}, Namespaces: map[string]*audit.Namespace{"shop": w.namespace},
			Credentials: []audit.Credential{audit.CredentialOf(another, nil, noon), audit.CredentialOf(w.object, nil, noon)}}) {
			got[row.Image] = row.Credential + " " + string(row.Reason)
		}
		return got
	}
	if diff := cmp.Diff(map[string]string{image: "company PullAccepted", "other.example/x:1": "another LoginAccepted"}, told()); diff != "" {
		t.Error(diff)
	}
	// A record that names two for one key was written by somebody else: the first of them tells.
	secret.Sources["another"] = pullsecret.Source{Revision: "3", Keys: []string{"other.example", "registry.company.io"}}
	if diff := cmp.Diff(map[string]string{image: "another LoginAccepted", "other.example/x:1": "another LoginAccepted"}, told()); diff != "" {
		t.Error(diff)
	}
}

func TestRowsComeInTheOrderInWhichAPersonShouldLook(t *testing.T) {
	w := sound()
	w.workload.Images = []string{"quay.io/z:1", image, "quay.io/a:1", "Not/An/Image"}
	other := w.workload
	other.Name = "api"
	rows := audit.Rows(&audit.Facts{Now: noon, Workloads: []audit.Workload{w.workload, other}, Namespaces: map[string]*audit.Namespace{"shop": w.namespace},
		Credentials: []audit.Credential{audit.CredentialOf(w.object, nil, noon)}})
	var got []string
	for _, row := range rows {
		got = append(got, string(row.Result)+" "+row.Workload+" "+row.Image)
	}
	want := []string{
		"Fails api Not/An/Image", "Fails web Not/An/Image", "Anonymous api quay.io/a:1", "Anonymous api quay.io/z:1", "Anonymous web quay.io/a:1", "Anonymous web quay.io/z:1",
		"Accepted api " + image, "Accepted web " + image,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A namespace of which nothing could be read is none without pull Secrets.
func TestOfANamespaceThatCouldNotBeReadNothingIsClaimed(t *testing.T) {
	w := sound()
	rows := audit.Rows(&audit.Facts{Now: noon, Workloads: []audit.Workload{w.workload}, Credentials: []audit.Credential{audit.CredentialOf(w.object, nil, noon)}})
	if len(rows) != 1 || rows[0].Result != audit.Unknown || rows[0].Reason != audit.NotReferenced {
		t.Errorf("%+v", rows)
	}
	w.lists("regcred")
	rows = audit.Rows(&audit.Facts{Now: noon, Workloads: []audit.Workload{w.workload}})
	if len(rows) != 1 || rows[0].Result != audit.Unknown || rows[0].Reason != audit.SecretsUnread {
		t.Errorf("%+v", rows)
	}
}

func TestWhichPullSecretsANewPodNames(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*world)
		reason audit.Reason
		from   string
	}{
		{"a pod without a template and without a list", func(w *world) { w.workload.Template = false }, audit.PullAccepted, "ServiceAccount default"},
		{"a pod without a template that has what its ServiceAccount names", func(w *world) { w.workload.Template = false; w.lists("regcred") }, audit.PullAccepted, "ServiceAccount default"},
		{"a pod without a template that has more", func(w *world) { w.workload.Template = false; w.lists("regcred", "own") }, audit.PullAccepted, "pod"},
		{"a pod without a template, of a ServiceAccount that is not known", func(w *world) { w.workload.Template, w.namespace.Accounts = false, nil; w.lists("regcred") }, audit.PullAccepted, "pod"},
		{"a template whose list is empty", func(w *world) { w.lists() }, audit.PullAccepted, "ServiceAccount default"},
		{"a Secret that template and policy name is the template's", func(w *world) {
			w.lists("regcred")
			w.object.Spec.Target.Attach = v1alpha1.AttachPods
			w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
		}, audit.PullAccepted, "pod"},
		{"the policy adds nothing where the RegistryCredential does not select the namespace", func(w *world) {
			w.object.Spec.Target.Attach, w.object.Spec.Target.Namespaces = v1alpha1.AttachPods, []v1alpha1.NamespaceName{"other"}
			w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
			w.namespace.Accounts["default"] = diagnosis.Account{}
		}, audit.NoCredential, ""},
		{"a time of injection counts only where the policy is asked for", func(w *world) {
			w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
			w.namespace.Accounts["default"] = diagnosis.Account{}
		}, audit.NotReferenced, ""},
		{"the policy alone, and the Secret lacks the entry", func(w *world) {
			w.object.Spec.Target.Attach = v1alpha1.AttachPods
			w.object.Status.Attachment = &v1alpha1.AttachmentStatus{InjectedSince: metav1.NewTime(noon)}
			w.namespace.Accounts["default"] = diagnosis.Account{}
			w.namespace.Secrets["regcred"] = diagnosis.Secret{Owner: pullsecret.Owner{Ours: true}}
		}, audit.NotDelivered, "policy"},
		{"a ServiceAccount names another Secret", func(w *world) {
			w.namespace.Accounts["default"] = diagnosis.Account{PullSecrets: []string{"other"}}
			w.others("other", "quay.io")
		}, audit.NotReferenced, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := sound()
			test.change(w)
			row := w.rows()[0]
			if row.Reason != test.reason || row.From != test.from {
				t.Errorf("%+v", row)
			}
			if own := strings.Contains(row.Message, "lists its own pull Secrets"); own {
				t.Errorf("its list is that of the ServiceAccount: %s", row.Message)
			}
		})
	}
}

func TestWhatAnOlderValueCanDo(t *testing.T) {
	for _, test := range []struct {
		name     string
		previous *v1alpha1.PreviousStatus
		result   audit.Result
		says     string
	}{
		{"nobody remembers it", nil, audit.Unproven, "revision 6, and revision 7 is in use"},
		{"another one was before", &v1alpha1.PreviousStatus{Revision: "5", Registry: "Rejected"}, audit.Unproven, "revision 6, and revision 7 is in use"},
		{"it is refused", &v1alpha1.PreviousStatus{Revision: "6", Registry: "Rejected"}, audit.Fails, "no longer works"},
		{"it has ended", &v1alpha1.PreviousStatus{Revision: "6", Registry: "Ended"}, audit.Fails, "no longer works"},
		{"it is accepted", &v1alpha1.PreviousStatus{Revision: "6", Registry: "Accepted"}, audit.Unproven, "still has revision 6"},
	} {
		w := sound()
		w.namespace.Secrets["regcred"].Sources["company"] = pullsecret.Source{Revision: "6", Keys: []string{"registry.company.io"}}
		w.object.Status.Previous = test.previous
		if row := w.rows()[0]; row.Result != test.result || row.Reason != audit.OlderValue || row.Credential != "company" || !strings.Contains(row.Message, test.says) {
			t.Errorf("%s: %+v", test.name, row)
		}
	}
}

func TestASecretThatIsMissingIsNamed(t *testing.T) {
	w := sound()
	w.workload.Images = []string{"quay.io/x/y:1"}
	w.lists("gone")
	if row := w.rows()[0]; row.Reason != audit.SecretMissing || row.Secret != "gone" {
		t.Errorf("%+v", row)
	}
	w.namespace.SecretsUnread, w.workload.PullSecrets, w.namespace.Accounts = true, nil, map[string]diagnosis.Account{"default": {}}
	if row := w.rows()[0]; row.Reason != audit.NoCredential {
		t.Errorf("a pod that names no Secret depends on none: %+v", row)
	}
}

func TestOnlyWhatIsNeverPulledIsNotedAsThat(t *testing.T) {
	var all audit.Workloads
	all.AddTemplate("shop", "Deployment", "web", &corev1.PodSpec{Containers: []corev1.Container{{Image: "a", ImagePullPolicy: corev1.PullAlways}, {Image: "b", ImagePullPolicy: corev1.PullNever}, {Image: "c"}}})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "x", OwnerKind: "ReplicaSet", OwnerName: "web-", Images: []string{"d"}})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "y", OwnerKind: "DaemonSet", OwnerName: "web-1", Images: []string{"d"}})
	var got []string
	for _, w := range all.All() {
		got = append(got, fmt.Sprintf("%s %s/%s never %v", w.Namespace, w.Kind, w.Name, w.Never))
	}
	slices.Sort(got)
	if want := []string{"shop DaemonSet/web-1 never []", "shop Deployment/web never [b]", "shop ReplicaSet/web- never []"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	all = audit.Workloads{}
	all.AddTemplate("shop", "CronJob", "agent", &corev1.PodSpec{Containers: []corev1.Container{{Image: "a"}}})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "x", OwnerKind: "DaemonSet", OwnerName: "agent-1", Images: []string{"b"}})
	if len(all.All()) != 2 {
		t.Errorf("a DaemonSet whose name begins like that of a CronJob is that: %+v", all.All())
	}
}

// A new pod is made of the template: what a container of it pulls is pulled, whatever others do with the same image.
func TestAnImageIsNotPulledWhereNoContainerPullsIt(t *testing.T) {
	container := func(image string, policy corev1.PullPolicy) corev1.Container {
		return corev1.Container{Image: image, ImagePullPolicy: policy}
	}
	var all audit.Workloads
	all.AddTemplate("shop", "Deployment", "web", &corev1.PodSpec{
		InitContainers: []corev1.Container{container("mixed", corev1.PullNever), container("never", corev1.PullNever), container("unset", "")},
		Containers:     []corev1.Container{container("mixed", corev1.PullIfNotPresent), container("never", corev1.PullNever), container("mixed-volume", corev1.PullAlways)},
		Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "volume", PullPolicy: corev1.PullNever}}},
			{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "mixed-volume", PullPolicy: corev1.PullNever}}}},
	})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "web-1", OwnerKind: "ReplicaSet", OwnerName: "web-5d4", Hash: "5d4", Images: []string{"never", "mixed", "added", "added-never"}, NeverPulled: []string{"mixed", "added-never"}})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "bare-1", OwnerKind: "Job", OwnerName: "bare", Images: []string{"one", "both"}, NeverPulled: []string{"one", "both"}})
	all.AddPod(audit.Pod{Namespace: "shop", Name: "bare-2", OwnerKind: "Job", OwnerName: "bare", Images: []string{"one", "both"}, NeverPulled: []string{"one"}})
	for range 2 { // asking changes nothing
		got := map[string]string{}
		for _, w := range all.All() {
			got[w.Name] = strings.Join(w.Never, " ")
		}
		if want := map[string]string{"web": "never volume added-never", "bare": "one"}; !maps.Equal(got, want) {
			t.Errorf("these are never pulled: %q, want %q", got, want)
		}
	}
}

// Whoever creates pods decides how many different images they have, and who owns them.
func TestManyImagesOfOneWorkloadAreNotComparedWithEachOther(t *testing.T) {
	racedetector.Skip(t)
	var all audit.Workloads
	if took := cputime.Of(func() {
		for i := range 2000 {
			pod := audit.Pod{Namespace: "shop", Name: fmt.Sprint(i), OwnerKind: "Job", OwnerName: "forged"}
			for n := range 100 {
				pod.Images = append(pod.Images, fmt.Sprintf("registry.example.com/%0200d:%d", n, i))
			}
			all.AddPod(pod)
		}
	}); len(all.All()[0].Images) != 200_000 || took > time.Minute {
		t.Errorf("%d images took %s", len(all.All()[0].Images), took)
	}
}

// Whoever writes a template decides how many pull Secrets and images it has. Each image is matched with each Secret.
func TestATemplateIsLookedAtAsFarAsAPod(t *testing.T) {
	template := func(images, volumes, secrets int) *corev1.PodSpec {
		spec := &corev1.PodSpec{}
		for i := range images {
			container := corev1.Container{Image: fmt.Sprint("registry.example.com/shop/web:", i)}
			if i%2 == 0 {
				spec.InitContainers = append(spec.InitContainers, container)
			} else {
				spec.Containers = append(spec.Containers, container)
			}
		}
		for i := range volumes {
			spec.Volumes = append(spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: fmt.Sprint("volume:", i)}}})
		}
		for i := range secrets {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("s", i)})
		}
		return spec
	}
	for _, test := range []struct {
		images, volumes, secrets int
		cut                      bool
	}{
		{audit.MaxListed, 0, audit.MaxListed, false}, {audit.MaxListed - 1, 1, 0, false}, {audit.MaxListed, 1, 0, true}, {audit.MaxListed + 1, 0, 0, true}, {1, 0, audit.MaxListed + 1, true},
		{5000, 5000, 20_000, true},
	} {
		var all audit.Workloads
		cut := all.AddTemplate("shop", "Deployment", "web", template(test.images, test.volumes, test.secrets))
		w := all.All()[0]
		if cut != test.cut || len(w.Images) != min(test.images+test.volumes, audit.MaxListed) || len(w.PullSecrets) != min(test.secrets, audit.MaxListed) {
			t.Errorf("of %+v there are %d images and %d pull Secrets, and that there are more is said to be %t", test, len(w.Images), len(w.PullSecrets), cut)
		}
	}
}

// The people of a namespace choose how many Secrets their pods name, and which entries these have.
func TestManyEntriesAreNotComparedWithEachOther(t *testing.T) {
	racedetector.Skip(t)
	w := sound()
	repository := strings.Repeat("a", 180)
	var keys []string
	for n := range len(repository) {
		for _, scheme := range []string{"", "http://", "https://"} {
			keys = append(keys, scheme+"registry.company.io/"+repository[:n+1])
		}
	}
	var names []string
	for i := range audit.MaxListed {
		name := fmt.Sprint("s", i)
		names = append(names, name)
		own := slices.Clone(keys)
		for n := range own { // and such as match nothing, and nobody else has
			own[n] = fmt.Sprint(own[n], "/", i)
		}
		w.others(name, append(own, keys...)...)
		if i%2 == 0 {
			forged := w.namespace.Secrets[name]
			forged.Owner, forged.Sources = pullsecret.Owner{Ours: true}, pullsecret.Sources{"company": {Revision: "0", Keys: keys}}
			w.namespace.Secrets[name] = forged
		}
	}
	w.lists(names...)
	w.workload.Images = nil
	for i := range 20 {
		w.workload.Images = append(w.workload.Images, fmt.Sprintf("registry.company.io/%s:%d", repository, i))
	}
	var rows []audit.Row
	if took := cputime.Of(func() { rows = w.rows() }); len(rows) != 20 || rows[0].Result != audit.Unproven || took > 30*time.Second {
		t.Errorf("%d images took %s: %+v", len(rows), took, rows[0])
	}
}

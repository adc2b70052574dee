package diagnosis

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/internal/pullsecret"
)

func TestAnOwnerKindIsTakenAndKnownAgain(t *testing.T) {
	kinds, err := ParseOwnerKinds([]string{OwnerKindExample, "apps.kruise.io/CloneSet"})
	want := OwnerKinds{schema.GroupKind{Group: "core.strimzi.io", Kind: "StrimziPodSet"}, schema.GroupKind{Group: "apps.kruise.io", Kind: "CloneSet"}}
	if err != nil || !slices.Equal(kinds, want) {
		t.Fatalf("%v, %v", kinds, err)
	}
	if !kinds.Has("apps.kruise.io/v1alpha1", "CloneSet") || !kinds.Has("apps.kruise.io/v1beta1", "CloneSet") {
		t.Error("a listed kind is not known, whatever its version")
	}
	if kinds.Has("apps/v1", "CloneSet") || kinds.Has("apps.kruise.io/v1alpha1", "StatefulSet") || OwnerKinds(nil).Has("apps.kruise.io/v1", "CloneSet") {
		t.Error("a kind that nobody listed is known")
	}
	for _, text := range []string{"k8s.io/Thing", "bad\x1b[2J/" + strings.Repeat("x", 5000), "networking.k8s.io/" + strings.Repeat("X", 62)} {
		if _, err := ParseOwnerKind(text); err == nil || len(err.Error()) > 500 || strings.Contains(err.Error(), `\x1b`) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestWhetherAPodIsStuck(t *testing.T) {
	for _, test := range []struct {
		name   string
		status corev1.PodStatus
		want   bool
	}{
		{"no status yet", corev1.PodStatus{}, false},
		{"it runs", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{running("web")}}, false},
		{"it is being created", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("web", "ContainerCreating", "")}}, false},
		{"a container waits for an image", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{running("x"), waiting("web", "ErrImagePull", "")}}, true},
		{"an init container does", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{waiting("web", "ImagePullBackOff", "")}}, true},
		{"an ephemeral container does", corev1.PodStatus{EphemeralContainerStatuses: []corev1.ContainerStatus{waiting("web", "ImageInspectError", "")}}, true},
		{"the reason is an error that speaks of a pull Secret", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("web", "illegal base64 data at input byte 0", "")}}, true},
		{"the reason is another error", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("web", "failed to create containerd task: exec format error", "")}}, false},
	} {
		if got := IsStuck(&corev1.Pod{Status: test.status}); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestWhichImageOfAContainerFails(t *testing.T) {
	const model, other = "quay.io/model:1", "quay.io/other:2"
	volume := func(name, reference string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: reference}}}
	}
	pod := func(message string) *corev1.Pod {
		return &corev1.Pod{
			Spec: corev1.PodSpec{
				Volumes: []corev1.Volume{{Name: "scratch"}, volume("unused", other), volume("model", model), volume("whole", host+"/shop")},
				Containers: []corev1.Container{{Name: "web", Image: image,
					VolumeMounts: []corev1.VolumeMount{{Name: "scratch"}, {Name: "whole"}, {Name: "model"}}}},
			},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("web", "ErrImagePull", message)}},
		}
	}
	for _, test := range []struct{ name, message, volume, image string }{
		{"its own, though the name of a volume's image is a part of it", `failed to pull image "` + image + `": denied`, "", image},
		{"that of a volume that it mounts", `failed to pull image "` + model + `": denied`, "model", model},
		{"that of a volume of another container is not its own", `failed to pull image "` + other + `": denied`, "", image},
		{"where none is named, its own", "denied", "", image},
	} {
		got := Pulls(pod(test.message))
		if len(got) != 1 || got[0].Volume != test.volume || got[0].Image != test.image {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestWhatAPinnedImageIsSaidToWaitFor(t *testing.T) {
	check(t, []rule{
		{"an image that was pinned since, in the first attempt", []change{repullable, pinned, waits("ErrImagePull", refused)}, Wait, KubeletRetries},
		{"an image that is not a reference is none, pinned or not", []change{pinned, waits("InvalidImageName", "")}, Report, InvalidImageName},
		{"an onlooker knows as well that an image with a digest cannot be pinned", []change{repullable, pinned, onlooker,
			waits("ImagePullBackOff", "Back-off pulling image \""+image+"@"+sum+"\": ErrImagePull: "+refused)}, Restart, StaleCredential},
		{"an ephemeral container cannot be pinned", []change{repullable, func(f *Facts) {
			f.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{running("web")}
			f.Pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: image}}}
			f.Pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{waiting("debug", "ErrImagePull", refused)}
		}}, Wait, KubeletRetries},
	})
}

func TestWhatTheRegistrySettles(t *testing.T) {
	check(t, []rule{
		{"an image that it opens without a digest is opened", []change{because(hidden), answered(AccessAllowed, "")}, Restart, StaleCredential},
		{"a pull that was forbidden is proven or not, as one that was hidden", []change{because(denied)}, Report, Unproven},
		{"a limit of pulls that were anonymous, beside a Secret that is not for the image", []change{because(limited), ownList("theirs"),
			secret("theirs", func(s *Secret) { *s = Secret{Keys: []string{"quay.io"}} })}, Report, OwnPullSecrets},
	})
	verdict := Diagnose(stuck(because(hidden), credential(func(c *Credential) { c.Provable = true })))
	if diff := cmp.Diff([]Question{{Credential: "shop", Key: host, Image: image}}, verdict.Questions); diff != "" {
		t.Error(diff)
	}
	if got := Diagnose(stuck(answered(AccessAllowed, ""))).Questions; len(got) > 0 {
		t.Errorf("what is known is asked again: %v", got)
	}
}

func TestWhatOneWaitsForOfSeveralIsTheSoonest(t *testing.T) {
	// The first waits five minutes for a person, the second fifteen seconds for a Secret, or the other way round.
	slow := credential(func(c *Credential) { c.Published = false })
	quick := func(f *Facts) { f.Credentials[1].Revision = "8" }
	never := func(f *Facts) {
		f.Credentials[0].TakenBy, f.Secrets["regcred"] = "older", Secret{Owner: pullsecret.Owner{Ours: true}}
	}
	for _, test := range []struct {
		name    string
		changes []change
		want    time.Duration
	}{
		{"the second", []change{second(0), slow, quick}, soon},
		{"the first", []change{second(0), credential(func(c *Credential) { c.Revision = "3" }), func(f *Facts) { f.Credentials[1].Published = false }}, soon},
		{"one that waits for nothing", []change{second(0), never, quick}, soon},
		{"and the other way round", []change{second(0), credential(func(c *Credential) { c.Revision = "3" }), func(f *Facts) {
			f.Credentials[1].TakenBy, f.Secrets["other"] = "older", Secret{Owner: pullsecret.Owner{Ours: true}}
		}}, soon},
	} {
		if got := Diagnose(stuck(test.changes...)).RecheckAfter; got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

func TestTheFactsOfTheCallerStayAsTheyAre(t *testing.T) {
	facts := stuck(second(0)) // shop, other: not by name
	Diagnose(facts)
	if facts.Credentials[0].Name != "shop" || facts.Credentials[1].Name != "other" {
		t.Errorf("the credentials of the caller were sorted: %s, %s", facts.Credentials[0].Name, facts.Credentials[1].Name)
	}
}

func TestTheLatestEventOfAnImageIsTheCause(t *testing.T) {
	silent := waits("ImagePullBackOff", `Back-off pulling image "`+image+`"`)
	verdict := Diagnose(stuck(silent))
	if !verdict.NeedsEvents {
		t.Error("the events are not asked for")
	}
	failed := func(cause string) string { return `Failed to pull image "` + image + `": ` + cause }
	verdict = Diagnose(stuck(silent, events(failed(missing), failed(refused))))
	if verdict.Reason != ImageNotFound || verdict.NeedsEvents {
		t.Errorf("%s, and events are asked for: %t", verdict.Reason, verdict.NeedsEvents)
	}
	verdict = Diagnose(stuck(silent, events(failed(strings.Repeat("x", 5000)))))
	if got := verdict.Findings[0]; len(got.Message) != maxWaiting || got.Image != image {
		t.Errorf("%d bytes of an event are kept for %s", len(got.Message), got.Image)
	}
	verdict = Diagnose(stuck(silent, events("another event")))
	if got := verdict.Findings[0]; got.Image != image || got.Container != "web" {
		t.Errorf("without a cause it is not told what fails: %+v", got.Pull)
	}
}

func TestWhoseBusinessAPodIs(t *testing.T) {
	both := func(f *Facts) {
		f.Credentials = append(f.Credentials, f.Credentials[0])
		f.Credentials[1].Name = "zoo"
	}
	if got := Diagnose(stuck(both, because(missing))).Credentials(); !slices.Equal(got, []string{"shop"}) {
		t.Errorf("of two that provide the registry %v are named, and not the first by name", got)
	}
	worse := func(f *Facts) {
		f.Credentials = append(f.Credentials, f.Credentials[0])
		f.Credentials[1].Name, f.Credentials[1].SecretName = "zoo", "zoo"
		f.Secrets["zoo"] = Secret{Missing: true}
	}
	if got := Diagnose(stuck(worse)); got.Action != Restart || got.Findings[0].Credential != "shop" {
		t.Errorf("%s for %s, though the first cures it", got.Action, got.Findings[0].Credential)
	}
	for _, test := range []struct {
		name    string
		changes []change
		want    bool
	}{
		{"a pull that a credential cures", nil, true},
		{"one that no credential cures", []change{because(missing)}, false},
		{"a limit of anonymous pulls, with a credential", []change{because(limited), withoutReference}, true},
		{"a limit of the account", []change{because(limited)}, false},
		{"no credential for it yet", []change{func(f *Facts) { f.Credentials = nil }}, true},
	} {
		if got := Diagnose(stuck(test.changes...)).Findings[0].WantsCredential(); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

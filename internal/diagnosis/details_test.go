package diagnosis

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/api/v1alpha1"
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
	const model, other, pinned = "quay.io/team/model:1", "quay.io/other:2", "quay.io/pinned:1@" + sum
	volume := func(name, reference string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: reference}}}
	}
	pod := func(message string) *corev1.Pod {
		return &corev1.Pod{
			Spec: corev1.PodSpec{
				Volumes: []corev1.Volume{{Name: "scratch"}, volume("unused", other), volume("model", model), volume("whole", host+"/shop"), volume("pinned", pinned)},
				Containers: []corev1.Container{{Name: "web", Image: image,
					VolumeMounts: []corev1.VolumeMount{{Name: "scratch"}, {Name: "whole"}, {Name: "model"}, {Name: "pinned"}}}},
			},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting("web", "ErrImagePull", message)}},
		}
	}
	for _, test := range []struct{ name, message, volume, image string }{
		{"its own, though the name of a volume's image is a part of it", `failed to pull image "` + image + `": denied`, "", image},
		{"that of a volume that it mounts", `failed to pull image "` + model + `": denied`, "model", model},
		{"that of a volume of another container is not its own", `failed to pull image "` + other + `": denied`, "", image},
		{"where none is named, its own", "denied", "", image},
		{"its own, where CRI-O names the whole of it", `initializing source docker://` + image + `: denied`, "", image},
		{"its own, where CRI-O asked for its manifest", `reading manifest 1 in ` + host + `/shop/web: unauthorized`, "", image},
		{"that of a volume of which CRI-O asked for the manifest", `reading manifest 1 in quay.io/team/model: unauthorized`, "model", model},
		{"another tag in the repository of a volume's image is not that image", `reading manifest 2 in quay.io/team/model: unauthorized`, "", image},
		{"that of a volume with a digest of which CRI-O asked for the manifest", `reading manifest ` + sum + ` in quay.io/pinned: unauthorized`, "pinned", pinned},
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
	verdict = Diagnose(stuck(silent, events("(combined from similar events): "+failed("reading manifest 1 in mirror.local/shop/web: unauthorized: authentication required"))))
	if got := verdict.Findings[0]; got.Reason != MirrorRefuses || !strings.HasPrefix(got.Message, "Failed to pull") {
		t.Errorf("of joined events %s is concluded, and said: %s", got.Reason, got.Message)
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

func TestWhichSecretAFindingIsAbout(t *testing.T) {
	raw := waits("illegal base64 data at input byte 0", "")
	for _, test := range []struct {
		name    string
		changes []change
		want    string
	}{
		{"the one that breaks pulls", []change{raw, foreignBreaks}, "theirs"},
		{"the first that may not be read", []change{raw, ownList("old", "older")}, "old"},
		{"none where none breaks pulls any more", []change{raw}, ""},
		{"the one that a kubelet ignores", []change{func(f *Facts) { f.Credentials, f.Secrets["regcred"] = nil, Secret{Ignored: "Opaque"} }}, "regcred"},
	} {
		if got := Diagnose(stuck(test.changes...)).Findings[0].Secret; got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestWhatIsShownIsCleanAndShort(t *testing.T) {
	odd := "a\x1b[2J" + strings.Repeat("b", 400)
	invalid := func(f *Facts) {
		f.Pod.Spec.Containers[0].Image = odd
		waits("InvalidImageName", "")(f)
	}
	long := func(f *Facts) { f.Pod.Spec.Containers[0].Image = host + "/\x1b" + strings.Repeat("a", 600) }
	for name, c := range map[string]change{"an image that is none": invalid, "an image that is too long": long} {
		verdict := Diagnose(stuck(c))
		if len(verdict.Message) > 400 || strings.ContainsAny(verdict.Message, "\x1b") || strings.Contains(verdict.Message, `\x1b`) {
			t.Errorf("%s: %q", name, verdict.Message)
		}
	}
	if got := Diagnose(stuck(invalid)).Findings[0].Image; strings.Contains(got, "\x1b") || len(got) > 253 {
		t.Errorf("the image that a table shows is %q", got)
	}
	const mirror = `unexpected status from HEAD request to https://mirror.local:5000/v2/shop/web/manifests/1?ns=registry.example.com: 401 Unauthorized`
	if got := Diagnose(stuck(func(f *Facts) { f.Pod.Spec.Containers[0].Image = odd }, waits("ErrImagePull", mirror), withoutReference)).Message; len(got) > 600 {
		t.Errorf("%d bytes of a mirror: %s", len(got), got)
	}
	verdict := Diagnose(stuck(ofJob, withoutReference, func(f *Facts) {
		f.Pod.Name = strings.Repeat("p", 3000)
		f.Pod.Spec.Containers[0].Name = strings.Repeat("c", 500)
		f.Pod.Status.ContainerStatuses[0].Name = f.Pod.Spec.Containers[0].Name
		f.Owners[0].Name = strings.Repeat("j", 3000)
	}))
	if len(verdict.Message) > 1000 || len(verdict.Advice) > 1000 || verdict.Reason != JobPod {
		t.Errorf("%s: %d and %d bytes", verdict.Reason, len(verdict.Message), len(verdict.Advice))
	}
	fix := Diagnose(stuck(secret("regcred", func(s *Secret) {
		s.Owner, s.Sources = pullsecret.Owner{Manager: "m", Fix: strings.Repeat("x", 5000)}, nil
	})))
	if got := len(fix.Findings[0].Advice); got > 1000 {
		t.Errorf("the advice of a finding has %d bytes", got)
	}
}

func TestAReportIsSaidOnceForAllContainers(t *testing.T) {
	verdict := Diagnose(stuck(second(0), func(f *Facts) {
		for i := range f.Credentials {
			f.Credentials[i].Mode = v1alpha1.RecoveryReport
		}
	}))
	if strings.Count(verdict.Message, "podRecovery.mode: Report") != 1 || verdict.Reason != ReportOnly {
		t.Errorf("%s: %s", verdict.Reason, verdict.Message)
	}
}

func TestTimesAreToldInUTC(t *testing.T) {
	abroad := func(f *Facts) { f.Now = f.Now.In(time.FixedZone("abroad", 3600)) }
	for _, changes := range [][]change{{abroad, ofJob}, {abroad, created(3 * time.Second), because(anonymous)}} {
		if message := Diagnose(stuck(changes...)).Message; !strings.Contains(message, "by 12:05:1") {
			t.Error(message)
		}
	}
}

func TestAPolicyAttachesOnlySinceATimeThatIsKnown(t *testing.T) {
	check(t, []rule{
		{"a record without a time says not since when", []change{injectedSince(0), secret("regcred", func(s *Secret) {
			s.Sources = pullsecret.Sources{"shop": {Revision: "2", Keys: []string{host}}}
		})}, Wait, NotAttached},
		{"the last second that counts as the lag of admission", []change{injectedSince(0), created(10 * time.Second), now(time.Minute)}, Restart, MissingReference},
	})
}

func TestARepullIsMissedOnlyByAPodThatItWouldCure(t *testing.T) {
	forbidden := func(f *Facts) { f.RepullForbidden = true }
	for _, test := range []struct {
		name    string
		changes []change
		want    bool
	}{
		{"a pod that is not stuck", []change{forbidden, waits("ContainerCreating", "")}, false},
		{"an image whose digest is not known", []change{forbidden, credential(func(c *Credential) { c.Repull = true })}, false},
		{"a pod that had the value from the start", []change{forbidden, repullable, created(time.Minute)}, false},
		{"a pod that is repulled", []change{repullable}, false},
		{"a pod of a Job that would be", []change{forbidden, repullable, ofJob}, true},
	} {
		if verdict := Diagnose(stuck(test.changes...)); verdict.RepullRefused != test.want {
			t.Errorf("%s: %t", test.name, verdict.RepullRefused)
		}
	}
}

func TestASidecarThatNeverStartedDoesNotSayThatThePodNeverRan(t *testing.T) {
	check(t, []rule{{"the main container ran before", []change{withoutReference, nativeSidecar, ranBefore, func(f *Facts) {
		f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: "istio-proxy", Image: image})
		f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, waiting("istio-proxy", "ErrImagePull", refused))
	}}, Report, ContainerRuns}})
}

func TestAContainerWithoutAStatusDoesNotRun(t *testing.T) {
	check(t, []rule{{"it may not have been looked at yet", []change{func(f *Facts) {
		f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: "beside", Image: "quay.io/x:1"})
	}}, Restart, StaleCredential}})
}

func TestWhatARestartCostsANode(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PodSpec{
		InitContainers: make([]corev1.Container, 2), Containers: make([]corev1.Container, 3), EphemeralContainers: make([]corev1.EphemeralContainer, 4)}}
	if got := Pulling(pod); got != 5 {
		t.Errorf("%d images would be pulled", got)
	}
}

func TestOfTwoSpellingsTheOneThatIsMeantHasTheDigest(t *testing.T) {
	entry := Entry{Digests: map[string]string{"nginx": sum, "docker.io/library/nginx:latest": newerSum}}
	for range 20 { // a map has no order
		if got := entry.digestOf("nginx"); got != sum {
			t.Fatal(got)
		}
	}
}

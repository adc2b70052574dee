package diagnosis

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

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
	for _, changes := range [][]change{{abroad, ofJob}, {abroad, created(0)}} {
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

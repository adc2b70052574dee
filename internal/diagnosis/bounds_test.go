package diagnosis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/cputime"
	"regcred.dev/regcred/test/racedetector"
)

// generous is far more than a look takes of a processor, also with the race detector, and far less than minutes.
const generous = 5 * time.Second

func quickly(t *testing.T, f Facts) Verdict {
	t.Helper()
	var v Verdict
	if took := cputime.Of(func() { v = Diagnose(f) }); took > generous {
		t.Errorf("a look took %s", took)
	}
	return v
}

func TestWhatIsTooLargeIsNeverRestarted(t *testing.T) {
	check(t, []rule{
		{"a pod that names 2,000 Secrets", []change{func(f *Facts) {
			for i := range 2000 {
				f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint("s", i)})
			}
		}}, Report, TooLarge},
		{"a pod that names one Secret 2,000 times names it once", []change{func(f *Facts) {
			for range 2000 {
				f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "regcred"})
			}
		}}, Restart, StaleCredential},
		{"a pod of 65 containers", []change{func(f *Facts) {
			for i := range maxContainers {
				f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: image})
			}
		}}, Report, TooLarge},
		{"a Secret with too many entries", []change{secret("regcred", func(s *Secret) { s.TooLarge = true })}, Report, TooLarge},
		{"an image of 1 MB is no image", []change{func(f *Facts) { f.Pod.Spec.Containers[0].Image = host + "/" + strings.Repeat("a/", 500_000) + "b" }},
			Report, InvalidImageName},
	})
}

func TestObjectsNearTheLimitsOfTheAPIAreLookedAtQuickly(t *testing.T) {
	racedetector.Skip(t)
	auths, keys := map[string]any{}, []string{}
	for i := range 18_000 {
		keys = append(keys, fmt.Sprintf("a.b/%d", i))
		auths[keys[i]] = map[string]string{"auth": "dTpw"}
	}
	data, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	large := &corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: data}}
	large.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
	large.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"ghost": {Keys: keys, Changed: metav1.NewTime(noon)}}.String()}
	if s := NewSecret(large); !s.TooLarge || len(s.Keys) > 0 {
		t.Errorf("%d keys are kept of a Secret of %d bytes", len(s.Keys), len(data))
	}
	if v := quickly(t, stuck(because(strings.Repeat(`{"errors":[{"code":"`, 70_000)))); v.Action == Restart {
		t.Errorf("%s (%s)", v.Action, v.Reason)
	}
	v := quickly(t, stuck(func(f *Facts) {
		f.Pod.Spec.Containers, f.Pod.Status.ContainerStatuses = nil, nil
		for i := range 1000 {
			name := fmt.Sprint("c", i)
			f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: name, Image: host + "/" + strings.Repeat("a", 1400)})
			f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, waiting(name, "ErrImagePull", strings.Repeat("x ", 700)))
		}
	}))
	if v.Action == Restart || len(v.Message) > 1024 {
		t.Errorf("%s (%s): %d bytes", v.Action, v.Reason, len(v.Message))
	}
}

func TestNoMessageIsLongOrHoldsAControlCharacter(t *testing.T) {
	v := Diagnose(stuck(secret("regcred", func(s *Secret) {
		*s = Secret{Owner: pullsecret.Owner{Manager: "Helm release \x1b[2J" + strings.Repeat("x", 100_000)}}
	})))
	for _, text := range []string{v.Message, v.Advice, v.Findings[0].Explain} {
		if len(text) > 1024 || strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("%d bytes: %.80q", len(text), text)
		}
	}
}

func TestAPodIsNotRestartedBeforeTheSecretHasTheKey(t *testing.T) {
	other := "other.example.com/shop/web:1"
	check(t, []rule{
		{"the revision is there and the key is not", []change{func(f *Facts) {
			f.Pod.Spec.Containers[0].Image = other
			f.Credentials[0].Entries = append(f.Credentials[0].Entries, Entry{Key: "other.example.com"})
		}}, Wait, SecretNotSynced},
		{"the revision is there and the value is another", []change{credential(func(c *Credential) { c.Digest = "new" }), secret("regcred", func(s *Secret) {
			source := s.Sources["shop"]
			source.Digest = "old"
			s.Sources = pullsecret.Sources{"shop": source}
		})}, Wait, SecretNotSynced},
	})
}

func TestARefusedLoginSaysNothingOfRightsBeforeTheRegistryWasAsked(t *testing.T) {
	judged := credential(func(c *Credential) { c.Judged = true })
	accepted := func(after time.Duration) change {
		return credential(func(c *Credential) { c.Entries[0].Accepted = noon.Add(after) })
	}
	check(t, []rule{
		{"not asked yet", []change{judged, created(2 * time.Second)}, Wait, JudgingCredential},
		{"accepted before the pod was created", []change{judged, created(time.Minute), accepted(0)}, Wait, JudgingCredential},
		{"accepted since", []change{judged, created(time.Minute), accepted(2 * time.Minute)}, Report, CredentialDidNotHelp},
		{"refused since", []change{judged, created(time.Minute), credential(func(c *Credential) { c.Entries[0].Rejected = "401" })}, Report, CredentialRejected},
		{"no more is known than what the Secret tells", []change{created(time.Minute), credential(func(c *Credential) { c.SecretAlone = true })}, Wait, CredentialsUnread},
		{"no more is known than what the Secret tells, and the registry denies the image", []change{created(time.Minute), because(denied), credential(func(c *Credential) { c.SecretAlone = true })}, Report, CredentialDidNotHelp},
		{"the registry could not be asked for long", []change{judged, created(time.Minute), now(time.Hour)}, Report, Unproven},
	})
}

func TestTheOrderOfCredentialsDecidesNothing(t *testing.T) {
	other := func(mode v1alpha1.PodRecoveryMode, recorded bool) change {
		return func(f *Facts) {
			second := f.Credentials[0]
			second.Name, second.Mode = "other", mode
			f.Credentials = append(f.Credentials, second)
			if recorded {
				f.Secrets["regcred"].Sources["other"] = f.Secrets["regcred"].Sources["shop"]
			}
		}
	}
	swap := func(f *Facts) { f.Credentials[0], f.Credentials[1] = f.Credentials[1], f.Credentials[0] }
	for _, mode := range []v1alpha1.PodRecoveryMode{v1alpha1.RecoveryDisabled, v1alpha1.RecoveryReport, v1alpha1.RecoveryRestart} {
		for _, recorded := range []bool{false, true} {
			one, two := Diagnose(stuck(other(mode, recorded))), Diagnose(stuck(other(mode, recorded), swap))
			if one.Action != two.Action || one.Reason != two.Reason || one.Message != two.Message {
				t.Errorf("%s, recorded %t: %s (%s) or %s (%s)", mode, recorded, one.Action, one.Reason, two.Action, two.Reason)
			}
			if !recorded && one.Action != Restart {
				t.Errorf("%s: the entry is not of this RegistryCredential, and it decides: %s (%s)", mode, one.Action, one.Reason)
			}
		}
	}
}

func BenchmarkDiagnoseALargePod(b *testing.B) {
	f := stuck(func(f *Facts) {
		for i := range 1000 {
			f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: fmt.Sprint("c", i), Image: host + "/" + strings.Repeat("a", 1400)})
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		Diagnose(f)
	}
}

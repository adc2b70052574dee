package diagnosis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// config is a docker config with so many entries.
func config(t *testing.T, entries int) []byte {
	t.Helper()
	auths := map[string]any{}
	for i := range entries {
		auths[fmt.Sprintf("r%03d.example", i)] = map[string]string{"auth": "dTpw"}
	}
	data, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pullSecretOf(data []byte) *corev1.Secret {
	return &corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: data}}
}

func TestHowMuchOfASecretIsLookedAt(t *testing.T) {
	padded := func(size int) []byte { return append(config(t, 1), strings.Repeat(" ", size-len(config(t, 1)))...) }
	both := pullSecretOf(padded(maxSecretData))
	both.Data[corev1.DockerConfigKey] = []byte("x")
	noted := func(size int) *corev1.Secret {
		secret := pullSecretOf(config(t, 1))
		secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: strings.Repeat("x", size)}
		return secret
	}
	fields := ""
	for i := range 6000 {
		fields += fmt.Sprintf(`,"x%d":"y"`, i)
	}
	manyFields := pullSecretOf([]byte(`{"auths":{"a":{"auth":"dTpw"` + fields + `}}}`))
	for _, test := range []struct {
		name     string
		secret   *corev1.Secret
		tooLarge bool
		keys     int
	}{
		{"256 KiB", pullSecretOf(padded(maxSecretData)), false, 1},
		{"a byte more", pullSecretOf(padded(maxSecretData + 1)), true, 0},
		{"both keys count", both, true, 0},
		{"500 entries", pullSecretOf(config(t, maxEntries)), false, maxEntries},
		{"501 entries", pullSecretOf(config(t, maxEntries+1)), true, 0},
		{"an annotation of 64 KiB", noted(maxSources), false, 1},
		{"a byte more in the annotation", noted(maxSources + 1), true, 0},
		{"a single entry of 6,000 fields", manyFields, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := NewSecret(test.secret)
			if got.TooLarge != test.tooLarge || len(got.Keys) != test.keys {
				t.Errorf("too large: %t, with %d keys", got.TooLarge, len(got.Keys))
			}
			if got.TooLarge && got.Breaks != "" {
				t.Errorf("something is said of what was not looked at: %s", got.Breaks)
			}
		})
	}
}

func TestTheKeysOfASecretAreSortedAndCut(t *testing.T) {
	long := strings.Repeat("k", 2*maxWord)
	got := NewSecret(pullSecretOf([]byte(`{"auths":{"z.example":{"auth":"dTpw"},"` + long + `":{"auth":"dTpw"},"a.example":{"auth":"dTpw"},"c.example":{"auth":"dTpw"},"b.example":{"auth":"dTpw"}}}`))).Keys
	if !slices.IsSorted(got) || len(got) != 5 || got[3] != long[:maxWord] {
		t.Errorf("%d keys: %.60q", len(got), got)
	}
}

func TestTheRecordOfACopyIsNotBelieved(t *testing.T) {
	secret := pullSecretOf(config(t, 1))
	secret.Annotations = map[string]string{v1alpha1.SourcesAnnotation: pullsecret.Sources{"shop": {Revision: "2", Keys: []string{"r000.example"}, Changed: metav1.NewTime(noon)}}.String()}
	if got := NewSecret(secret).Sources; got != nil {
		t.Errorf("a Secret that somebody copied without our label says %v", got)
	}
	secret.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue}
	if got := NewSecret(secret).Sources; got["shop"].Revision != "2" {
		t.Errorf("our own says %v", got)
	}
}

func TestOfASecretThatIsNotHeldTheTypeIsKnown(t *testing.T) {
	for kind, want := range map[corev1.SecretType]Secret{
		corev1.SecretTypeDockerConfigJson:    {TooLarge: true},
		corev1.SecretTypeDockercfg:           {TooLarge: true},
		"Opaque":                             {Ignored: "Opaque"},
		corev1.SecretType("x\x1b[2J" + "\n"): {Ignored: "x [2J "},
	} {
		if diff := cmp.Diff(want, NotHeld(&corev1.Secret{Type: kind})); diff != "" {
			t.Errorf("%q: %s", kind, diff)
		}
	}
	if got := NewSecret(&corev1.Secret{Type: "x\x1b[2J"}).Ignored; got != "x [2J" {
		t.Errorf("a type that somebody made up is shown as %q", got)
	}
}

func TestHowMuchOfAServiceAccountIsLookedAt(t *testing.T) {
	account := &corev1.ServiceAccount{}
	for i := range 1000 {
		account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: fmt.Sprint(i)})
	}
	if got := len(NewAccount(account).PullSecrets); got != maxAccountSecrets {
		t.Errorf("%d pull secrets are looked at", got)
	}
	const record = `{"regcred":"2026-03-01T12:00:00Z"}`
	for size, want := range map[int]int{maxSources: 1, maxSources + 1: 0} {
		account.Annotations = map[string]string{v1alpha1.AttachedAnnotation: record + strings.Repeat(" ", size-len(record))}
		if got := len(NewAccount(account).Attached); got != want {
			t.Errorf("an annotation of %d bytes records %d times", size, got)
		}
	}
	account.Annotations[v1alpha1.AttachedAnnotation] = `{"regcred":"2026-03-01T12:00:00Z","other":5}`
	if got := NewAccount(account).Attached; len(got) > 0 {
		t.Errorf("a record that somebody broke in part says %v", got)
	}
}

// Who writes a record may leave the time out: nobody knows then that a pod is older than the value, and none is restarted.
func TestARecordWithoutATimeRestartsNobody(t *testing.T) {
	verdict := Diagnose(stuck(func(f *Facts) {
		f.Credentials[0].ChangeTime = noon
		f.Secrets["regcred"].Sources["shop"] = pullsecret.Source{Revision: "2", Keys: []string{host}}
	}))
	if verdict.Action != Report || verdict.Reason != CredentialDidNotHelp {
		t.Errorf("%+v", verdict)
	}
}

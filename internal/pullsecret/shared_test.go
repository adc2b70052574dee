package pullsecret

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestWhatASecretRecordsIsReadOnceAndNeverChanged goes through the one case in which a record that is kept loses something: a label that
// two RegistryCredentials name turns out to be somebody else's.
func TestWhatASecretRecordsIsReadOnceAndNeverChanged(t *testing.T) {
	written := map[string]string{labelKind + "team": ""}
	text := Sources{"gone": {Keys: []string{"gone.example"}, Changed: metav1.NewTime(noon), Written: written}}.String()
	current := marked()
	current.Labels = map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue, "team": "theirs"}
	current.Annotations = map[string]string{v1alpha1.SourcesAnnotation: text}
	current.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"gone.example":{"auth":"dTpw"}}}`)}
	ours := contribution("amber", 1, "1", config(t, "password", "a.example"))
	ours.Metadata = Metadata{Labels: map[string]string{"team": "ours"}}
	in := Input{Namespace: "shop", Name: "regcred", Now: noon, Exists: func(name string) bool { return name != "gone" }, Current: current, Contributions: []Contribution{ours}}
	if plan := Decide(in); plan.Action != Update || len(SourcesOf(plan.Secret.Annotations)["gone"].Written) > 0 {
		t.Fatalf("the label of somebody else is still recorded: %+v", plan)
	}
	fresh, _ := parseRecord(text)
	if shared := SourcesOf(current.Annotations); !maps.Equal(shared["gone"].Written, written) {
		t.Errorf("what is remembered of the annotation changed (-wanted, +got):\n%s", cmp.Diff(fresh, shared))
	}
}

// rememberedStays compares what is remembered of a Secret with what is read of it.
func rememberedStays(t *testing.T, seed uint64, secret *corev1.Secret) {
	t.Helper()
	if secret == nil {
		return
	}
	fresh, known := parseRecord(secret.Annotations[v1alpha1.SourcesAnnotation])
	shared, remembered := recordedIn(secret.Annotations)
	if known != remembered || cmp.Diff(fresh, shared) != "" {
		t.Errorf("seed %d: what is remembered of the annotation changed (-wanted, +got):\n%s", seed, cmp.Diff(fresh, shared))
	}
}

func TestAskingAgainWhatASecretRecordsAllocatesNothing(t *testing.T) {
	annotations := map[string]string{v1alpha1.SourcesAnnotation: Sources{"amber": {Keys: []string{"a.example"}, Changed: metav1.NewTime(noon)}}.String()}
	SourcesOf(annotations)
	if again := testing.AllocsPerRun(100, func() { SourcesOf(annotations) }); again > 0 {
		t.Errorf("to ask again makes %.0f allocations", again)
	}
}

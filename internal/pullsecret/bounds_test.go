package pullsecret

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/cputime"
	"regcred.dev/regcred/test/racedetector"
)

// Each of these took seconds for one look, again for each write of a tenant's.
func TestASecretNearTheLimitsOfTheAPITellsQuicklyWhoseItIs(t *testing.T) {
	crowd := make([]metav1.ManagedFieldsEntry, 12_000)
	for i := range crowd {
		crowd[i] = metav1.ManagedFieldsEntry{Manager: fmt.Sprintf("kubectl-%05d", i), Operation: metav1.ManagedFieldsOperationApply}
	}
	annotations := map[string]string{}
	var sources, written []string
	for i := range 4000 {
		annotations[fmt.Sprintf("a/%d", i)] = ""
		written = append(written, fmt.Sprintf(`"annotation a/%d":"x"`, i))
	}
	for i := range MaxEntries - 1 {
		sources = append(sources, fmt.Sprintf(`"%d":{}`, i))
	}
	annotations[v1alpha1.SourcesAnnotation] = `{"version":1,"sources":{` + strings.Join(sources, ",") + `,"x":{"written":{` + strings.Join(written, ",") + `}}}}`
	for _, test := range []struct {
		name   string
		meta   metav1.ObjectMeta
		within time.Duration
	}{
		{"with thousands of field managers", metav1.ObjectMeta{ManagedFields: crowd}, 700 * time.Millisecond},
		{"with thousands of recorded annotations and credentials", metav1.ObjectMeta{Annotations: annotations}, 700 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			quickest := time.Hour
			for range 5 { // in some of them the memory is cleared
				var owner Owner
				took := cputime.Of(func() {
					owner = OwnerOf(&corev1.Secret{ObjectMeta: test.meta, Type: corev1.SecretTypeDockerConfigJson})
				})
				if quickest = min(quickest, took); !owner.Adoptable {
					t.Fatalf("it is of %q", owner.Manager)
				}
				if quickest <= test.within {
					return
				}
			}
			t.Errorf("it took %s", quickest)
		})
	}
}

func TestWhatIsKeptBesideTheEntriesLeavesNoRoomForThem(t *testing.T) {
	racedetector.Skip(t)
	current := byHand(`{"auths":{},"psFormat":"` + strings.Repeat("x", 1<<20-40) + `"}`)
	var contributions []Contribution
	for i := range 20 {
		contributions = append(contributions, contribution(fmt.Sprintf("team-%02d", i), 20-i, "1-a", config(t, "p", fmt.Sprintf("r%d.example", i))))
		contributions[i].Adopt = true
	}
	plan := Decide(Input{Namespace: "n", Name: "regcred", Current: current, Contributions: contributions, Exists: everybody, Now: noon})
	if len(plan.Refused) == 0 {
		t.Error("nothing is refused")
	}
	if plan.Secret != nil && len(plan.Secret.Data[corev1.DockerConfigJsonKey]) > dockerconfig.MaxSize {
		t.Errorf("it writes %d bytes, which the API server refuses for all", len(plan.Secret.Data[corev1.DockerConfigJsonKey]))
	}
}

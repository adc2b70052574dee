package recovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func secretWith(uid, version, registry string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "regcred", UID: types.UID(uid), ResourceVersion: version},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":"dTpw"}}}`, registry)},
	}
}

func TestTheFactsOfASecretAreOfTheVersionThatIsThere(t *testing.T) {
	var facts secretFacts
	for _, test := range []struct {
		name, uid, version, registry string
	}{
		{"the first", "a", "1", "one.example"},
		{"a change", "a", "2", "two.example"},
		{"a new object whose version is the same", "b", "2", "three.example"},
		{"an older version, by a cache that was filled again", "a", "1", "one.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := facts.Of(secretWith(test.uid, test.version, test.registry)).Keys; !slices.Equal(got, []string{test.registry}) {
				t.Errorf("the keys are %v, want %s", got, test.registry)
			}
		})
	}
}

func TestASecretIsParsedOnceForAllPodsThatReferToIt(t *testing.T) {
	var facts secretFacts
	secret := secretWith("a", "1", "one.example")
	entries := make([]string, 5000)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"a.b/%d":{"auth":"dTpw"}`, i)
	}
	secret.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{` + strings.Join(entries, ",") + `}}`)
	if !facts.Of(secret).TooLarge {
		t.Fatal("a Secret with 5000 entries is looked at")
	}
	if allocations := testing.AllocsPerRun(100, func() { facts.Of(secret) }); allocations > 10 {
		t.Errorf("a second look at the same version allocates %.0f times, want 10 at most", allocations)
	}
}

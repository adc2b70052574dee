package delivery

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

var swapRegistries = []string{"v.example", "w.example", "x.example", "y.example", "z.example"}

// swapping is two credentials of one Secret whose registries are changed and published in any order.
type swapping struct {
	*rig
	t       *testing.T
	random  *rand.Rand
	listed  map[string][]string
	version int
}

// deal gives each registry to one of the two, or to both.
func (s *swapping) deal() map[string][]string {
	dealt := map[string][]string{}
	for i, registry := range swapRegistries {
		name := []string{"a", "b"}[s.random.IntN(2)]
		if i < 2 {
			name = []string{"a", "b"}[i] // neither is without a registry
		}
		dealt[name] = append(dealt[name], registry)
		if s.random.IntN(5) == 0 {
			other := map[string]string{"a": "b", "b": "a"}[name]
			dealt[other] = append(dealt[other], registry)
		}
	}
	if s.random.IntN(2) == 0 {
		dealt["a"], dealt["b"] = dealt["b"], dealt["a"]
	}
	return dealt
}

// list writes the registries into the spec, as one apply of both does.
func (s *swapping) list(dealt map[string][]string) {
	s.t.Helper()
	for name, registries := range dealt {
		var object v1alpha1.RegistryCredential
		if err := s.c.Get(s.t.Context(), client.ObjectKey{Name: name}, &object); err != nil {
			s.t.Fatal(err)
		}
		object.Spec.Registries = nil
		for _, registry := range registries {
			object.Spec.Registries = append(object.Spec.Registries, v1alpha1.Registry(registry))
		}
		object.Generation++
		if err := s.c.Update(s.t.Context(), &object); err != nil {
			s.t.Fatal(err)
		}
	}
	s.listed = dealt
}

func (s *swapping) release(name string) {
	s.version++
	s.publish(record(s.t, name, fmt.Sprintf("%d-%s", s.version, name), "of-"+name, s.listed[name]...))
}

// holds fails where one of the registries has no entry.
func (s *swapping) holds(seed uint64, step string) {
	s.t.Helper()
	secret := s.secret("n-00000")
	if secret == nil {
		s.t.Fatalf("seed %d, %s: there is no Secret", seed, step)
	}
	content := string(secret.Data[corev1.DockerConfigJsonKey])
	for _, registry := range swapRegistries {
		if !strings.Contains(content, `"`+registry+`"`) {
			s.t.Fatalf("seed %d, %s: %s has no entry: %s", seed, step, registry, strings.ReplaceAll(content, "password", "p"))
		}
	}
}

// TestTwoCredentialsThatSwapRegistriesNeverLeaveANamespaceWithoutAnEntry goes through random histories: registries are dealt out again,
// and each of the two is published in any order, late, twice or not at all before the next deal. At every step each registry that
// somebody lists, before and after, has an entry.
func TestTwoCredentialsThatSwapRegistriesNeverLeaveANamespaceWithoutAnEntry(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		a, b := credential("a"), credential("b")
		a.CreationTimestamp = metav1.NewTime(time.Unix(int64(1+random.IntN(2)), 0))
		b.CreationTimestamp = metav1.NewTime(time.Unix(int64(1+random.IntN(2)), 0))
		s := &swapping{rig: newRig(t, 1, a, b), t: t, random: random}
		s.list(s.deal())
		s.release("a")
		s.release("b")
		s.all(1)
		s.holds(seed, "at first")
		for deal := range 6 {
			s.list(s.deal())
			s.all(1)
			s.holds(seed, fmt.Sprintf("deal %d, nothing published", deal))
			order := []string{"a", "b", "a", "b"}
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, name := range order[:random.IntN(5)] {
				s.release(name)
				s.now = s.now.Add(time.Duration(random.IntN(60)) * time.Second)
				s.all(1)
				s.holds(seed, fmt.Sprintf("deal %d, %s published", deal, name))
			}
		}
		s.release("a")
		s.release("b")
		for range 3 { // removals are decided in the meantime
			s.now = s.now.Add(time.Minute)
			s.all(1)
		}
		s.holds(seed, "in the end")
		s.provided(seed)
	}
}

// provided fails where an entry is not that of a credential that lists its registry.
func (s *swapping) provided(seed uint64) {
	s.t.Helper()
	for _, registry := range swapRegistries {
		ours := false
		for name, registries := range s.listed {
			ours = ours || slices.Contains(registries, registry) && s.having(1, fmt.Sprintf(`"%s":{"username":"robot","password":"of-%s"`, registry, name)) == 1
		}
		if !ours {
			s.t.Errorf("seed %d: in the end %s has the entry of a credential that does not list it: %s", seed, registry, s.secret("n-00000").Data[corev1.DockerConfigJsonKey])
		}
	}
}

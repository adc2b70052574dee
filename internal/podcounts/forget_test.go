package podcounts

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestInWhichNamespacesPodsAreStuck(t *testing.T) {
	c := New(func(string) {})
	for _, step := range []struct {
		name        string
		pod         string
		credentials []string
		want        []string
	}{
		{"one is stuck", "x", []string{"a", "b", "a"}, []string{"shop"}},
		{"a second one is", "y", []string{"a"}, []string{"shop"}},
		{"the first lacks another one", "x", []string{"b"}, []string{"shop"}},
		{"the first is well", "x", nil, []string{"shop"}},
		{"it is said again that it is", "x", nil, []string{"shop"}},
		{"both are", "y", nil, nil},
	} {
		c.Note(types.NamespacedName{Namespace: "shop", Name: step.pod}, step.credentials...)
		if got := slices.Sorted(maps.Keys(c.Namespaces())); !slices.Equal(got, step.want) {
			t.Errorf("%s: in %q, want %q", step.name, got, step.want)
		}
	}
	c.Note(types.NamespacedName{Namespace: "shop", Name: "x"}, "a", "b", "a")
	if c.Stuck("a") != 1 || c.Stuck("b") != 1 {
		t.Errorf("a pod that lacks one twice counts %d times", c.Stuck("a"))
	}
}

func TestAValueWithoutADigestIsDoubtedOnce(t *testing.T) {
	c, pod := New(func(string) {}), types.NamespacedName{Namespace: "shop", Name: "x"}
	for range 2 {
		c.Doubt(pod, Value{Credential: "a"})
	}
	if got := c.Doubts("a"); got != 1 {
		t.Errorf("%d doubts", got)
	}
}

func TestWhatIsWellOrGoneTakesNoRoom(t *testing.T) {
	c := New(func(string) {})
	for i := range 10 {
		pod := types.NamespacedName{Namespace: fmt.Sprint("n", i), Name: "x"}
		c.Note(pod, "a", "b")
		c.Doubt(pod, Value{"a", "d"}, Value{"b", "d"})
	}
	c.Forget("a")
	c.Forget("b")
	if len(c.doubts) > 0 || len(c.raised) > 0 {
		t.Errorf("%d pods are remembered as doubting, %d RegistryCredentials as doubted", len(c.doubts), len(c.raised))
	}
	for i := range 10 {
		pod := types.NamespacedName{Namespace: fmt.Sprint("n", i), Name: "x"}
		c.Doubt(pod, Value{"a", "d"})
		c.Note(pod)
	}
	if left := len(c.pods) + len(c.stuck) + len(c.waiting) + len(c.doubts); left > 0 {
		t.Errorf("%d entries are left: %v, %v, %v, %v", left, c.pods, c.stuck, c.waiting, c.doubts)
	}
}

// The race detector must find nothing.
func TestManyWorkersCount(t *testing.T) {
	c := New(func(string) {})
	var workers sync.WaitGroup
	for i := range 4 {
		workers.Go(func() {
			pod := types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(i)}
			for range 100 {
				c.Note(pod, "a", fmt.Sprint(i))
				c.Doubt(pod, Value{"a", "d"})
				if c.Stuck("a") == 0 || len(c.Namespaces()) != 1 || c.Doubts("none") > 0 {
					t.Errorf("%d pods are stuck in %v", c.Stuck("a"), c.Namespaces())
				}
				c.Forget(fmt.Sprint(i))
				c.Doubts("a")
			}
		})
	}
	workers.Wait()
}

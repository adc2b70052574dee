package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// indexWriters: nobody but the operator changes the index, and one that was deleted is made again at once.
func indexWriters(t *testing.T, rig *injectionRig, namespace string) {
	index := &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectionIndexName}}
	forged := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"secrets":[{"name":"shop","namespaces":["elsewhere"]}]}}`))
	refusedWith(t, rig.admin.Patch(t.Context(), index.DeepCopy(), forged), "the InjectionIndex is kept by the operator alone")
	vaultMust(t, rig.admin.Patch(t.Context(), index.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"note":"x"}}}`))))
	operator := newAPIClient(t, rig.impersonated())
	second := &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{Name: "second"}}
	refusedWith(t, rig.admin.Create(t.Context(), second.DeepCopy()), "its name is regcred")
	refusedWith(t, operator.Delete(t.Context(), index.DeepCopy()), "cannot delete resource")
	refusedWith(t, rig.admin.Create(t.Context(), index.DeepCopy()), "the InjectionIndex is kept by the operator alone")
	rig.indexComesBack(t)
	rig.gets(t, namespace, plainPod("own"), "own", "shop")
	rig.injecting(t, "web", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.Namespaces = []v1alpha1.NamespaceName{v1alpha1.NamespaceName(namespace)}
	})
	rig.gets(t, namespace, plainPod("own"), "own", "shop", "web")
	rig.drop(t, "web")
	rig.gets(t, namespace, plainPod("own"), "own", "shop")
}

// indexComesBack deletes the index, and waits until it is there again. The operator compares it once a minute: sooner it is by the watch.
func (rig *injectionRig) indexComesBack(t *testing.T) {
	t.Helper()
	before, after := &v1alpha1.InjectionIndex{}, &v1alpha1.InjectionIndex{}
	key := client.ObjectKey{Name: v1alpha1.InjectionIndexName}
	for range 3 {
		vaultMust(t, rig.admin.Get(t.Context(), key, before))
		vaultMust(t, rig.admin.Delete(t.Context(), before.DeepCopy()))
		deleted := time.Now()
		awaitAPI(t, "the index is back", func() error {
			if err := rig.admin.Get(t.Context(), key, after); err != nil {
				return err
			}
			if after.UID == before.UID || !equality.Semantic.DeepEqual(after.Spec, before.Spec) {
				return fmt.Errorf("it holds %+v", after.Spec)
			}
			return nil
		})
		took := time.Since(deleted).Round(time.Millisecond)
		t.Logf("measured: from the deletion of the index to its being back: %s", took)
		if took > 15*time.Second { // about 50 ms on a machine that is not busy
			t.Errorf("the index was back after %s: it is not watched", took)
		}
	}
}

func refusedWith(t *testing.T, err error, message string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("the answer is %v, want %q", err, message)
	}
}

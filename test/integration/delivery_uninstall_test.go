package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// uninstalls removes operator, definitions and objects in all six orders. Under Retain nothing in the namespaces changes. Under
// Delete all goes where the operator is there to remove it; where it is not, the objects wait for it, and nothing else is held.
func uninstalls(t *testing.T, rig *deliveryRig) {
	for i, order := range []string{
		"objects, operator, definitions", "objects, definitions, operator", "definitions, objects, operator",
		"definitions, operator, objects", "operator, objects, definitions", "operator, definitions, objects",
	} {
		t.Run(order, func(t *testing.T) { uninstall(t, rig, i, strings.Split(order, ", ")) })
	}
}

func uninstall(t *testing.T, rig *deliveryRig, i int, order []string) {
	values := &shelf{}
	operator := rig.start(t, runOptions{shelf: values})
	defer rig.restoreDefinitions(t, operator) // also where this order fails: the others need them
	kept, removed := fmt.Sprintf("un-retain-%d", i), fmt.Sprintf("un-delete-%d", i)
	teams := map[string]string{kept: rig.team(t, nil), removed: rig.team(t, nil)}
	for name, team := range teams {
		values.put(name, "one")
		rig.credential(t, name, "registry.example", func(spec *v1alpha1.RegistryCredentialSpec) {
			inNamespaces(team)(spec)
			if name == removed {
				spec.DeletionPolicy = v1alpha1.DeletionDelete
			}
		})
	}
	for name := range teams {
		eventually(t, "both are ready", func(ctx context.Context) error { return rig.ready(ctx, name) })
	}
	running := true
	for _, step := range order {
		switch step {
		case "operator":
			operator.stop()
			running = false
		case "objects":
			rig.deleteObjects(t, kept, removed)
		case "definitions":
			rig.deleteDefinitions(t)
		}
		if running && step != "operator" {
			eventually(t, "the operator lets go of what it removed", func(ctx context.Context) error { return rig.goneOrUnknown(ctx, removed) })
		}
	}
	if err := rig.served(t.Context(), teams[kept], "registry.example", "one"); err != nil {
		t.Errorf("under Retain: %v", err)
	}
	if order[0] == "operator" {
		rig.stuckUntilBack(t, values, removed, teams[removed])
	}
	eventually(t, "under Delete all is gone", func(ctx context.Context) error {
		return errors.Join(rig.holds(ctx, teams[removed], "regcred", nil), rig.names(ctx, teams[removed], "default"))
	})
	for _, team := range teams {
		rig.nothingHeld(t, team)
	}
}

func (rig *deliveryRig) deleteObjects(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := rig.admin.Delete(t.Context(), object); !isGoneOrUnknown(err) {
			t.Fatal(err)
		}
	}
}

// isGoneOrUnknown reports whether an object is gone, be it with its definition.
func isGoneOrUnknown(err error) bool {
	return err == nil || apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
}

func (rig *deliveryRig) goneOrUnknown(ctx context.Context, name string) error {
	err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.RegistryCredential{})
	if err == nil {
		return fmt.Errorf("%s is still there", name)
	}
	if !isGoneOrUnknown(err) {
		return err
	}
	return nil
}

// stuckUntilBack sees that an object whose operator is gone waits, that the namespace does not, and that all is done when the
// operator is back.
func (rig *deliveryRig) stuckUntilBack(t *testing.T, values *shelf, name, team string) {
	t.Helper()
	object := rig.get(t, name)
	if object.DeletionTimestamp == nil || len(object.Finalizers) != 1 || object.Finalizers[0] != v1alpha1.Finalizer {
		t.Errorf("it should wait with our finalizer: %v %v", object.DeletionTimestamp, object.Finalizers)
	}
	rig.nothingHeld(t, team)
	rig.awaitDefinitionsGone(t, "vaultconnections", "injectionindexes") // nothing holds these
	rig.applyDefinitions(t)                                             // to install again brings it back
	rig.start(t, runOptions{shelf: values})
	eventually(t, "the operator is back and finishes", func(ctx context.Context) error { return rig.goneOrUnknown(ctx, name) })
}

// nothingHeld sees that nothing in a namespace could hold its deletion.
func (rig *deliveryRig) nothingHeld(t *testing.T, namespace string) {
	t.Helper()
	var secrets corev1.SecretList
	var accounts corev1.ServiceAccountList
	for _, list := range []client.ObjectList{&secrets, &accounts} {
		if err := rig.admin.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			if len(object.GetFinalizers()) > 0 || len(object.GetOwnerReferences()) > 0 {
				return fmt.Errorf("%s has finalizers %v and owners %v", object.GetName(), object.GetFinalizers(), object.GetOwnerReferences())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// restoreDefinitions stops the operator and installs the definitions again, for the tests that follow.
func (rig *deliveryRig) restoreDefinitions(t *testing.T, operator *run) {
	t.Helper()
	operator.stop()
	rig.awaitDefinitionsSettled(t)
	rig.applyDefinitions(t)
}

// applyDefinitions installs the definitions and waits until they are served.
func (rig *deliveryRig) applyDefinitions(t *testing.T) {
	t.Helper()
	rig.kubectl(t, "apply", "--server-side", "-k", configFolder("crd"))
	eventually(t, "the definitions are served", rig.servesAll)
}

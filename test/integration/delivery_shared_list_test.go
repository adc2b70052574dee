package integration

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	openShiftManager = "openshift.io/image-registry-pull-secrets_service-account-controller"
	openShiftSecret  = "default-dockercfg-x7k2p"
)

// openShift does to the ServiceAccount default what the controller of OpenShift does, and reports whether it had to: it adds the pull
// Secret of its own registry by server-side apply, keeps what it found, and claims the list only when it adds to it.
func (rig *deliveryRig) openShift(ctx context.Context, namespace string) (applied bool, err error) {
	var account corev1.ServiceAccount
	if err := rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
		return false, err
	}
	before, err := applycorev1.ExtractServiceAccount(&account, openShiftManager)
	if err != nil {
		return false, err
	}
	wanted := applycorev1.ServiceAccount("default", namespace).
		WithAnnotations(map[string]string{"openshift.io/internal-registry-pull-secret-ref": openShiftSecret}).
		WithSecrets(applycorev1.ObjectReference().WithName(openShiftSecret))
	if slices.Contains(account.ImagePullSecrets, corev1.LocalObjectReference{Name: openShiftSecret}) {
		wanted.ImagePullSecrets = before.ImagePullSecrets
	} else {
		for _, ref := range account.ImagePullSecrets {
			wanted.WithImagePullSecrets(applycorev1.LocalObjectReference().WithName(ref.Name))
		}
		wanted.WithImagePullSecrets(applycorev1.LocalObjectReference().WithName(openShiftSecret))
	}
	if equality.Semantic.DeepEqual(wanted, before) {
		return false, nil
	}
	wanted.WithUID(account.UID).WithResourceVersion(account.ResourceVersion)
	return true, rig.admin.Apply(ctx, wanted, client.FieldOwner(openShiftManager), client.ForceOwnership)
}

// sharedList: OpenShift applies the pull secrets of every ServiceAccount and keeps those of others, so regcred adds its own, and neither
// writes again for the other.
func sharedList(t *testing.T, rig *deliveryRig, values *shelf) {
	rests := func(team string, names ...string) {
		t.Helper()
		staysSo(t, "both rest", 2*time.Second, func(ctx context.Context) error {
			applied, err := rig.openShift(ctx, team)
			if applied {
				err = errors.Join(err, errors.New("OpenShift had to apply again"))
			}
			return errors.Join(err, rig.names(ctx, team, "default", names...))
		})
	}
	applies := func(team string) {
		t.Helper()
		eventually(t, "OpenShift adds its Secret", func(ctx context.Context) error { _, err := rig.openShift(ctx, team); return err })
	}
	after := rig.team(t, nil)
	applies(after)
	values.put("attach-shared", "one")
	rig.credential(t, "attach-shared", "registry.example", inNamespaces(after))
	eventually(t, "ours comes last", func(ctx context.Context) error { return rig.names(ctx, after, "default", openShiftSecret, "regcred") })
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "attach-shared") })
	rests(after, openShiftSecret, "regcred")

	before := servedTeam(t, rig, values, "attach-shared-first")
	eventually(t, "ours is there", func(ctx context.Context) error { return rig.names(ctx, before, "default", "regcred") })
	applies(before)
	rests(before, "regcred", openShiftSecret)
	rig.edit(t, "attach-shared-first", attach(v1alpha1.AttachNone))
	eventually(t, "ours goes, though OpenShift applied it with its own", func(ctx context.Context) error {
		return errors.Join(rig.names(ctx, before, "default", openShiftSecret), rig.notesNothing(ctx, before))
	})
	rests(before, openShiftSecret)
}

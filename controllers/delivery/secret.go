package delivery

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// apply carries a plan out and returns the Secret as it is afterwards, nil where there is none of ours.
func (r *Reconciler) apply(ctx context.Context, f facts, plan pullsecret.Plan) (*corev1.Secret, *problem) {
	switch plan.Action {
	case pullsecret.Refuse:
		return nil, foreign(f, plan.Owner)
	case pullsecret.Wait:
		return nil, &problem{reason: v1alpha1.ReasonWriteRefused, message: fmt.Sprintf(
			"Secret %s is being deleted and somebody's finalizer holds it (%s); it is made anew when it is gone", f.place.Name, strings.Join(f.secret.Finalizers, ", "))}
	case pullsecret.Delete:
		return nil, r.deleteSecret(ctx, f)
	case pullsecret.Create, pullsecret.Update, pullsecret.Recreate:
		return r.write(ctx, f, plan)
	}
	if f.secret == nil || !pullsecret.OwnerOf(f.secret).Ours {
		return nil, nil
	}
	return f.secret, nil
}

// write makes the Secret what it should be, unless somebody else keeps changing it back.
func (r *Reconciler) write(ctx context.Context, f facts, plan pullsecret.Plan) (*corev1.Secret, *problem) {
	content := fingerprint(plan.Secret)
	contest := r.contests.of(f.place, "secret")
	revert := contest.wrote(content)
	if revert {
		if may, wait := contest.mayRepair(r.Now()); !may {
			return nil, contested(fmt.Sprintf("Secret %s", f.place.Name), rival(f.secret), wait)
		}
	}
	written, err := r.send(ctx, f, plan)
	if err != nil {
		return nil, failedWrite(fmt.Sprintf("Secret %s", f.place.Name), err)
	}
	contest.note(content, revert, r.Now())
	log.FromContext(ctx).Info("Wrote the pull secret", "action", plan.Action, "sources", pullsecret.SourcesOf(written.Annotations))
	return written, nil
}

func (r *Reconciler) send(ctx context.Context, f facts, plan pullsecret.Plan) (*corev1.Secret, error) {
	switch plan.Action {
	case pullsecret.Update:
		secret := plan.Secret.DeepCopy()
		return secret, r.Writer.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	case pullsecret.Recreate:
		if err := r.Writer.Delete(ctx, f.secret, exactly(f.secret)); err != nil {
			return nil, err
		}
	}
	return plan.Secret, r.create(ctx, plan.Secret)
}

// create makes a Secret that must not be there yet. Only server-side apply lets RBAC authorise a creation by name. A
// resourceVersion in the body makes the server answer 409 where anything exists already, instead of merging into it.
func (r *Reconciler) create(ctx context.Context, secret *corev1.Secret) error {
	configuration := applycorev1.Secret(secret.Name, secret.Namespace).
		WithResourceVersion("1").
		WithLabels(secret.Labels).
		WithAnnotations(secret.Annotations).
		WithType(secret.Type).
		WithData(secret.Data)
	return r.Writer.Apply(ctx, configuration, client.FieldOwner(v1alpha1.FieldManager))
}

// deleteSecret removes exactly the Secret that was looked at.
func (r *Reconciler) deleteSecret(ctx context.Context, f facts) *problem {
	if err := client.IgnoreNotFound(r.Writer.Delete(ctx, f.secret, exactly(f.secret))); err != nil {
		return failedWrite(fmt.Sprintf("Secret %s", f.place.Name), err)
	}
	r.contests.forget(f.place)
	log.FromContext(ctx).Info("Removed the pull secret: nothing is left in it")
	return nil
}

func exactly(secret *corev1.Secret) client.Preconditions {
	return client.Preconditions{UID: ptr.To(secret.UID), ResourceVersion: ptr.To(secret.ResourceVersion)}
}

// fingerprint names the content of a Secret, without what changes by itself: the recorded times. It stays in memory.
func fingerprint(secret *corev1.Secret) [sha256.Size]byte {
	return sha256.Sum256(secret.Data[corev1.DockerConfigJsonKey])
}

func rival(secret *corev1.Secret) string {
	if secret == nil {
		return "somebody who deletes it"
	}
	if managers := pullsecret.Managers(secret.ManagedFields); len(managers) > 0 {
		return "field manager " + managers[0]
	}
	return "somebody unknown"
}

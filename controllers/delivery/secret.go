package delivery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		return nil, foreignOwner(f, plan.Owner)
	case pullsecret.Wait:
		return nil, &problem{reason: v1alpha1.ReasonWriteRefused, message: fmt.Sprintf(
			"Secret %s is being deleted and somebody's finalizer holds it (%s); it is recreated when it is gone", f.place.Name, strings.Join(f.secret.Finalizers, ", "))}
	case pullsecret.Create, pullsecret.Update, pullsecret.Recreate, pullsecret.Delete:
		return r.write(ctx, f, plan)
	}
	return f.ours, nil
}

// write makes the Secret what it should be, unless somebody else keeps changing it back.
func (r *Reconciler) write(ctx context.Context, f facts, plan pullsecret.Plan) (*corev1.Secret, *problem) {
	object, purpose := "Secret "+f.place.Name, purposeOf(f.contributions)
	contest, before := f.memory.secret.contested(), contentOf(f.secret)
	contest.meets(f.secret != nil, createdAt(f.secret), r.Now())
	if may, wait := contest.mayWrite(purpose, before, r.Now()); !may {
		return nil, contested(object, rivalOf(f.secret), "stop it from managing the Secret", wait)
	}
	began := r.Now()
	written, err := r.send(ctx, f, plan)
	r.noteWrite(f.place.Namespace, r.Now().Sub(began), err)
	if written != nil && r.Now().Sub(began) >= slowWrite {
		written, err = r.dateChange(ctx, f, plan, written)
	}
	if err != nil {
		f.memory.secret.trace.doubt = true
		if r.Now().Sub(began) >= slowWrite {
			f.memory.unsure = plan.Changed
		}
		return nil, failedWrite(object, err)
	}
	f.memory.unsure = nil
	contest.note(purpose, before, r.Now())
	contest.left = contentOf(plan.Secret) // what was meant: a webhook that changes it on the way is a rival, too
	if written == nil {
		log.FromContext(ctx).Info("Removed the pull secret: nothing is left in it", "revisions", f.revisions(f.secret))
		return nil, nil
	}
	if owner := pullsecret.OwnerOf(f.secret); f.secret != nil && !owner.Ours {
		log.FromContext(ctx).Info("Took over a pull secret that was made by hand", "owner", owner.Manager)
	}
	log.FromContext(ctx).Info("Wrote the pull secret", "action", plan.Action, "revisions", f.revisions(written))
	return written, nil
}

// noteWrite has fewer Secrets written at once where the API server is slow, or turns writes away. What it refuses for another reason says
// nothing of that.
func (r *Reconciler) noteWrite(namespace string, took time.Duration, err error) {
	busy := apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		errors.Is(err, context.DeadlineExceeded)
	if err == nil || busy {
		r.width.Note(namespace, took, busy)
	}
}

// slowWrite is from how long on a write is dated by its end: a second write for each that happens to end in the next second would cost
// more than it brings.
const slowWrite = time.Second

// dateChange corrects the times of changes that were written when the write took so long that they are in an earlier second than
// its end: a pod that was created between them did not have the new value, and must not be taken for one that had it.
func (r *Reconciler) dateChange(ctx context.Context, f facts, plan pullsecret.Plan, written *corev1.Secret) (*corev1.Secret, error) {
	if len(plan.Changed) == 0 {
		return written, nil
	}
	planned := plan.Secret
	sources := maps.Clone(pullsecret.SourcesOf(planned.Annotations))
	for _, name := range plan.Changed {
		source := sources[name]
		source.Changed = metav1.NewTime(r.Now().UTC().Truncate(time.Second))
		sources[name] = source
	}
	if written.ResourceVersion == "" { // made by apply: it is read to be updated
		live, err := existing(ctx, uncached{r.Writer}, client.ObjectKeyFromObject(written), &corev1.Secret{})
		if live == nil {
			return written, err
		}
		written = live.(*corev1.Secret)
	}
	if contentOf(written) != contentOf(planned) {
		return written, nil // somebody changed it already: it is looked at again
	}
	written.Annotations[v1alpha1.SourcesAnnotation] = sources.String() // it is a copy of our own
	planned.Annotations[v1alpha1.SourcesAnnotation] = written.Annotations[v1alpha1.SourcesAnnotation]
	if err := r.Writer.Update(ctx, written, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return nil, err
	}
	f.memory.secret.trace.wrote(written)
	return written, nil
}

// send makes the write and notes what it gave. A nil Secret was deleted.
func (r *Reconciler) send(ctx context.Context, f facts, plan pullsecret.Plan) (*corev1.Secret, error) {
	trace := &f.memory.secret.trace
	if plan.Action == pullsecret.Update {
		secret := pullsecret.Apart(plan.Secret) // the answer takes its place, and is compared with what was meant
		secret.ManagedFields = nil              // the API server keeps those that it has, and need not read them
		if err := r.Writer.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
			return nil, err
		}
		trace.wrote(secret)
		return secret, nil
	}
	if plan.Action == pullsecret.Delete || plan.Action == pullsecret.Recreate {
		if err := r.Writer.Delete(ctx, f.secret, exactly(f.secret)); err != nil {
			return nil, err
		}
		trace.removed(f.secret)
	}
	if plan.Action == pullsecret.Delete {
		return nil, nil
	}
	version, err := r.create(ctx, plan.Secret)
	if err != nil {
		return nil, err
	}
	*trace = traceOf(version)
	return plan.Secret, nil
}

// create makes a Secret that must not be there yet, and returns its version. Only server-side apply lets RBAC authorise a
// creation by name. A resourceVersion in the body makes the server answer 409 where anything exists already, instead of merging
// into it.
func (r *Reconciler) create(ctx context.Context, secret *corev1.Secret) (version string, err error) {
	configuration := applycorev1.Secret(secret.Name, secret.Namespace).
		WithResourceVersion("1").
		WithLabels(secret.Labels).
		WithAnnotations(secret.Annotations).
		WithType(secret.Type).
		WithData(secret.Data)
	err = r.Writer.Apply(ctx, configuration, client.FieldOwner(v1alpha1.FieldManager))
	return ptr.Deref(configuration.ResourceVersion, ""), err
}

// exactly limits a deletion to the Secret that was looked at.
func exactly(secret *corev1.Secret) client.Preconditions {
	return client.Preconditions{UID: ptr.To(secret.UID), ResourceVersion: ptr.To(secret.ResourceVersion)}
}

// purposeOf names what a Secret is written for: what RegistryCredentials contribute. It says nothing of what is there, which is
// in a rival's hands: whoever changes that back and forth must not make each repair look like the first. It stays in memory.
func purposeOf(contributions []pullsecret.Contribution) [sha256.Size]byte {
	var parts []string
	for _, c := range contributions {
		part := c.Credential + "\n"
		if c.Config != nil {
			part += string(c.Config.Render()) + fmt.Sprint(c.Metadata) // maps are printed by their keys, sorted
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return sha256.Sum256([]byte(strings.Join(parts, "\n\n")))
}

// contentOf names what regcred writes of a Secret: where that is as it was left, nobody changed it back. It stays in memory.
func contentOf(secret *corev1.Secret) [sha256.Size]byte {
	if secret == nil {
		return [sha256.Size]byte{}
	}
	config, sources := secret.Data[corev1.DockerConfigJsonKey], secret.Annotations[v1alpha1.SourcesAnnotation]
	text := make([]byte, 0, len(config)+len(sources)+len(secret.Type)+len(v1alpha1.ManagedValue)+3)
	text = append(append(text, config...), '\n')
	text = append(append(text, secret.Type...), '\n')
	text = append(append(text, secret.Labels[v1alpha1.ManagedLabel]...), '\n')
	return sha256.Sum256(append(text, sources...))
}

// sameContent reports whether two Secrets are the same in all that regcred writes.
func sameContent(one, other *corev1.Secret) bool {
	return bytes.Equal(one.Data[corev1.DockerConfigJsonKey], other.Data[corev1.DockerConfigJsonKey]) && one.Type == other.Type &&
		maps.Equal(one.Labels, other.Labels) && maps.Equal(one.Annotations, other.Annotations)
}

func createdAt(secret *corev1.Secret) metav1.Time {
	if secret == nil {
		return metav1.Time{}
	}
	return secret.CreationTimestamp
}

func rivalOf(secret *corev1.Secret) string {
	if secret == nil {
		return ""
	}
	return pullsecret.Rival(secret.ManagedFields, "data")
}

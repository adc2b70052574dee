package podfacts

import (
	"context"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// OwnerKinds are the kinds whose metadata is in the manager's cache.
var OwnerKinds = []schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	corev1.SchemeGroupVersion.WithKind("ReplicationController"),
	batchv1.SchemeGroupVersion.WithKind("Job"),
}

// maxOwners ends the walk up a chain of owners: a ReplicaSet, its Deployment, and one more.
const maxOwners = 3

const (
	// templatesKept is how many templates are remembered, templateFor how long.
	templatesKept, templateFor = 2048, 10 * time.Minute
	// maxTemplateSecrets are the pull secrets of a template that are kept: whether it has any is what matters.
	maxTemplateSecrets = 16
)

// Owners reads the owners of pods, and remembers their templates: one read serves all pods of an owner. The zero value is ready.
type Owners struct {
	// Chosen are the kinds of custom resources that are read beside those of [OwnerKinds]. They are in no cache: nobody knows whether the
	// cluster has them.
	Chosen diagnosis.OwnerKinds
	// Served says in which version a chosen kind is read. Where it is nil, that is the version that the pod names.
	Served meta.RESTMapper

	mu        sync.Mutex
	owners    map[ownerKey]lookedUp
	templates map[templateOfOwner]remembered
}

// templateOfOwner names a template: a change of it is a new generation.
type templateOfOwner struct {
	owner      types.UID
	generation int64
}

type remembered struct {
	*diagnosis.Template
	read time.Time
}

// Of walks up the chain of controllers above a pod, as far as their kinds are known and may be read. metadata reads
// PartialObjectMetadata, objects reads whole objects. Beside the facts it returns the owners that were read.
func (o *Owners) Of(ctx context.Context, metadata, objects client.Reader, pod *corev1.Pod) ([]diagnosis.Owner, []*metav1.PartialObjectMetadata, error) {
	var facts []diagnosis.Owner
	var read []*metav1.PartialObjectMetadata
	for ref := metav1.GetControllerOf(pod); ref != nil && len(facts) < maxOwners; {
		fact, object, err := o.owner(ctx, metadata, objects, pod.Namespace, ref)
		if err != nil {
			return nil, nil, err
		}
		if object != nil && len(facts) == 0 {
			if fact.Template, err = o.template(ctx, objects, pod, ref, object); err != nil {
				return nil, nil, err
			}
		}
		facts = append(facts, fact)
		if object == nil {
			break
		}
		read = append(read, object)
		ref = metav1.GetControllerOf(object)
	}
	return facts, read, nil
}

// owner reads one owner. The object is nil where it is gone or cannot be read.
func (o *Owners) owner(ctx context.Context, metadata, objects client.Reader, namespace string, ref *metav1.OwnerReference) (diagnosis.Owner, *metav1.PartialObjectMetadata, error) {
	fact := diagnosis.Owner{APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, Chosen: o.Chosen.Has(ref.APIVersion, ref.Kind)}
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	var found lookedUp
	var err error
	switch {
	case fact.Chosen:
		found, err = o.chosen(ctx, objects, namespace, ref)
	case !slices.Contains(OwnerKinds, kind):
		found.unread = true
	default:
		found, err = cached(ctx, metadata, kind, client.ObjectKey{Namespace: namespace, Name: ref.Name})
	}
	if err != nil {
		return diagnosis.Owner{}, nil, err
	}
	object := found.object
	fact.Unread, fact.Gone = found.unread, found.gone || object != nil && (object.UID != ref.UID || object.DeletionTimestamp != nil)
	if fact.Unread || fact.Gone {
		return fact, nil, nil
	}
	fact.Annotations = object.Annotations
	return fact, object, nil
}

// cached reads the metadata of an owner whose kind is in a cache.
func cached(ctx context.Context, metadata client.Reader, kind schema.GroupVersionKind, key client.ObjectKey) (lookedUp, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	err := metadata.Get(ctx, key, object)
	switch {
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return lookedUp{unread: true}, nil
	case apierrors.IsNotFound(err):
		return lookedUp{gone: true}, nil
	}
	return lookedUp{object: object}, err
}

// template is the remembered one, or reads it. At most one read for each worker is made while none is remembered.
func (o *Owners) template(ctx context.Context, objects client.Reader, pod *corev1.Pod, ref *metav1.OwnerReference, owner client.Object) (*diagnosis.Template, error) {
	if len(pod.Spec.ImagePullSecrets) == 0 {
		return nil, nil
	}
	key, now := templateOfOwner{owner.GetUID(), owner.GetGeneration()}, time.Now()
	o.mu.Lock()
	known := o.templates[key]
	o.mu.Unlock()
	if now.Sub(known.read) < templateFor {
		return known.Template, nil
	}
	template, err := o.templateOf(ctx, objects, pod, ref)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.templates == nil || len(o.templates) >= templatesKept {
		o.templates = map[templateOfOwner]remembered{}
	}
	o.templates[key] = remembered{template, now}
	return template, nil
}

// templateOf reads what matters of the pod template of an owner, where the answer can matter: the pod lists pull secrets, which are either
// its template's or come from its ServiceAccount. Few pods do and are stuck, so that templates are not worth a cache.
func (o *Owners) templateOf(ctx context.Context, objects client.Reader, pod *corev1.Pod, ref *metav1.OwnerReference) (*diagnosis.Template, error) {
	read, _, err := o.podTemplate(ctx, objects, pod.Namespace, ref)
	if err != nil || read == nil {
		return nil, client.IgnoreNotFound(err)
	}
	secrets, template := read.Spec.ImagePullSecrets, &diagnosis.Template{}
	for _, secret := range secrets[:min(len(secrets), maxTemplateSecrets)] {
		template.PullSecrets = append(template.PullSecrets, secret.Name)
	}
	return template, nil
}

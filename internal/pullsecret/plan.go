package pullsecret

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

// Action is what is to be done about a pull Secret.
type Action string

const (
	// Keep does nothing: the Secret is right, or nobody asks for one.
	Keep Action = "Keep"
	// Create makes the Secret where none is.
	Create Action = "Create"
	// Update writes the Secret in place.
	Update Action = "Update"
	// Delete removes a Secret of ours that has nothing left in it.
	Delete Action = "Delete"
	// Recreate deletes a Secret of ours that cannot be updated, and makes it anew: its type or immutability forbids an update.
	Recreate Action = "Recreate"
	// Refuse leaves a Secret of somebody else.
	Refuse Action = "Refuse"
	// Wait leaves a Secret that is being deleted until it is gone.
	Wait Action = "Wait"
)

// Input is everything that the decision rests on.
type Input struct {
	Namespace string
	Name      string
	// Contributions of the RegistryCredentials that select this namespace under this Secret name.
	Contributions []Contribution
	// Exists says whether a RegistryCredential of this name still exists.
	Exists func(name string) bool
	// Current Secret, nil where there is none.
	Current *corev1.Secret
	Now     time.Time
}

// Plan is the decision.
type Plan struct {
	Action Action
	// Secret to write. Set for Create, Update and Recreate.
	Secret *corev1.Secret
	// Owner of the current Secret. Set for Refuse.
	Owner Owner
	// Taken registries, whatever the action.
	Taken []Taken
}

// Decide says what is to be done about one pull Secret.
func Decide(in Input) Plan {
	owner := OwnerOf(in.Current)
	foreign := in.Current != nil && !owner.Ours
	if foreign && len(in.Contributions) == 0 {
		return Plan{Action: Keep}
	}
	current, recorded := contentOf(in.Current, owner)
	composed := compose(in.Contributions, in.Exists, current, recorded, in.Now)
	plan := Plan{Action: Keep, Taken: composed.taken}
	switch {
	case in.Current == nil && len(composed.entries) == 0:
		return plan
	case in.Current == nil:
		plan.Action, plan.Secret = Create, fresh(in, composed)
	case in.Current.DeletionTimestamp != nil:
		plan.Action = Wait
	case foreign && !(owner.Adoptable && anyAdopts(in.Contributions)):
		plan.Action, plan.Owner = Refuse, owner
	case foreign && len(composed.entries) == 0:
		return plan // nothing to write yet: a foreign Secret is not touched for nothing
	case len(composed.entries) == 0 && !hasForeignData(in.Current):
		plan.Action = Delete
	case !updatable(in.Current):
		plan.Action, plan.Secret = Recreate, fresh(in, composed)
	default:
		desired := updated(in.Current, composed)
		if differs(in.Current, desired) {
			plan.Action, plan.Secret = Update, desired
		}
	}
	return plan
}

// contentOf reads entries and records of a Secret. All entries of a Secret that is taken over count as adopted.
func contentOf(secret *corev1.Secret, owner Owner) (map[string]json.RawMessage, Sources) {
	if secret == nil {
		return nil, Sources{}
	}
	entries, err := dockerconfig.ParseRaw(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		entries = nil // what nobody can read holds nothing that could be kept
	}
	if owner.Ours {
		return entries, SourcesOf(secret.Annotations)
	}
	return entries, Sources{Adopted: {Keys: sortedKeys(entries), Changed: secret.CreationTimestamp}}
}

func fresh(in Input, c composition) *corev1.Secret {
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name},
		Type:       corev1.SecretTypeDockerConfigJson,
	}
	return c.writeTo(secret)
}

func updated(current *corev1.Secret, c composition) *corev1.Secret {
	secret := current.DeepCopy()
	// kubectl apply keeps the whole manifest, with the old password, in this annotation.
	delete(secret.Annotations, corev1.LastAppliedConfigAnnotation)
	return c.writeTo(secret)
}

func (c composition) writeTo(secret *corev1.Secret) *corev1.Secret {
	rendered, err := dockerconfig.RenderRaw(c.entries)
	if err != nil {
		panic("entries that were parsed or rendered before always render: " + err.Error())
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Data[corev1.DockerConfigJsonKey] = rendered
	secret.Labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedByValue
	secret.Annotations[v1alpha1.SourcesAnnotation] = c.sources.String()
	return secret
}

func differs(current, desired *corev1.Secret) bool {
	return !maps.EqualFunc(current.Data, desired.Data, bytes.Equal) ||
		!maps.Equal(current.Labels, desired.Labels) ||
		!maps.Equal(current.Annotations, desired.Annotations)
}

// updatable reports whether the API server allows an update: the type of a Secret and an immutable Secret's data never change.
func updatable(secret *corev1.Secret) bool {
	return secret.Type == corev1.SecretTypeDockerConfigJson && (secret.Immutable == nil || !*secret.Immutable)
}

func hasForeignData(secret *corev1.Secret) bool {
	for key := range secret.Data {
		if key != corev1.DockerConfigJsonKey {
			return true
		}
	}
	return false
}

func anyAdopts(contributions []Contribution) bool {
	for _, c := range contributions {
		if c.Adopt {
			return true
		}
	}
	return false
}

package pullsecret

import (
	"bytes"
	"maps"
	"slices"
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
	// Recreate deletes a Secret of ours that cannot be updated, and recreates it: its type or immutability forbids an update.
	Recreate Action = "Recreate"
	// Refuse leaves a Secret of somebody else, or one of ours that only a person can fix.
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
	// Refused are the RegistryCredentials for whose entries there is no room, sorted: the youngest of those that have none in the Secret yet,
	// and those that outgrew what is left beside the entries of others.
	Refused []string
	// Changed are the RegistryCredentials whose entries Secret has in another form than the current one, sorted. Their times of change are of
	// when the plan was made.
	Changed []string
}

// Decide says what is to be done about one pull Secret.
func Decide(in Input) Plan {
	if isCrowded(in.Current) {
		return Plan{Action: Refuse, Owner: crowded(in.Current)}
	}
	current := contentOf(in.Current)
	if len(current.entries) > MaxEntries {
		return Plan{Action: Refuse, Owner: crowded(in.Current)}
	}
	composed := compose(in.Contributions, in.Exists, current, roomIn(in.Current, current.recorded), in.Now)
	plan := decide(in, composed)
	plan.Taken, plan.Refused = composed.taken, slices.Sorted(slices.Values(composed.refused))
	slices.Sort(composed.changed)
	plan.Changed = composed.changed
	return plan
}

func decide(in Input, composed composition) Plan {
	owner := OwnerOf(in.Current)
	if in.Current == nil {
		if len(composed.entries) == 0 {
			return Plan{Action: Keep}
		}
		return Plan{Action: Create, Secret: in.fresh(composed)}
	}
	switch {
	case len(in.Contributions) == 0 && !composed.dropped:
		return Plan{Action: Keep} // nobody asks for it, and what it holds is retained
	case in.Current.DeletionTimestamp != nil:
		return Plan{Action: Wait}
	case !owner.Ours:
		return in.foreign(composed, owner)
	case len(composed.entries) == 0 && (composed.lost || !composed.dropped):
		return Plan{Action: Keep} // it should hold what must stay and what only a person can fix, or it was empty before
	case len(composed.entries) == 0 && !outlives(in.Current):
		return Plan{Action: Delete}
	}
	return in.change(composed)
}

// change makes an existing Secret of ours what it should be. One that cannot be updated is made again, unless something is only there. So is
// one of another type, whatever it holds: a kubelet ignores it.
func (in Input) change(composed composition) Plan {
	plan := in.update(composed)
	switch {
	case updatable(in.Current), plan.Action == Keep && isPullSecret(in.Current):
		return plan
	case composed.kept || outlives(in.Current):
		return Plan{Action: Refuse, Owner: stuck(in.Current)} // recreated, it would lack what is only there
	}
	return Plan{Action: Recreate, Secret: in.fresh(composed)}
}

// foreign leaves a Secret of somebody else alone, unless it is hand-made and a published credential takes it over.
func (in Input) foreign(composed composition, owner Owner) Plan {
	asked, published := false, false
	var unproven []string
	for _, c := range in.Contributions {
		asked = asked || c.Adopt
		published = published || c.Adopt && c.Config != nil
		if _, written := composed.sources[c.Credential]; written && c.Unproven {
			unproven = append(unproven, c.Credential)
		}
	}
	switch {
	case !owner.Adoptable || !asked:
		return Plan{Action: Refuse, Owner: owner}
	case !published:
		return Plan{Action: Keep} // there is nothing to write yet: it is not touched for nothing
	case len(unproven) > 0:
		return Plan{Action: Refuse, Owner: owner.untilProven(slices.Min(unproven))}
	}
	return in.adopt(composed)
}

// adopt takes over a hand-made Secret, and marks it as one that was there before.
func (in Input) adopt(composed composition) Plan {
	plan := in.update(composed)
	if plan.Action == Update {
		plan.Secret.Annotations[v1alpha1.AdoptedAnnotation] = v1alpha1.AdoptedValue
	}
	return plan
}

func (in Input) update(composed composition) Plan {
	secret := Apart(in.Current)
	// kubectl apply keeps the whole manifest, with the old password, in this annotation.
	delete(secret.Annotations, corev1.LastAppliedConfigAnnotation)
	composed.writeTo(secret)
	if !differs(in.Current, secret) {
		return Plan{Action: Keep}
	}
	return Plan{Action: Update, Secret: secret}
}

// Apart is a copy of a Secret that may be given other labels, annotations and data, and that an answer of the API server may be read into.
// What no such reading writes to, the bytes of the data, it shares.
func Apart(secret *corev1.Secret) *corev1.Secret {
	copied := *secret
	copied.OwnerReferences, copied.Finalizers = slices.Clone(secret.OwnerReferences), slices.Clone(secret.Finalizers)
	copied.Labels, copied.Annotations, copied.Data = maps.Clone(secret.Labels), maps.Clone(secret.Annotations), maps.Clone(secret.Data)
	return &copied
}

func (in Input) fresh(composed composition) *corev1.Secret {
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: in.Namespace, Name: in.Name},
		Type:       corev1.SecretTypeDockerConfigJson,
	}
	composed.writeTo(secret)
	return secret
}

func (c composition) writeTo(secret *corev1.Secret) {
	rendered, err := dockerconfig.RenderKeeping(secret.Data[corev1.DockerConfigJsonKey], c.entries)
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
	secret.Labels[v1alpha1.ManagedLabel] = v1alpha1.ManagedValue
	if _, said := secret.Labels[v1alpha1.ManagedByLabel]; !said { // a tool that overwrites it is not fought with
		secret.Labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedByValue
	}
	recorded, _ := recordedIn(secret.Annotations)
	c.writeMetadata(secret, recorded)
	secret.Annotations[v1alpha1.SourcesAnnotation] = c.sources.String()
}

func differs(current, desired *corev1.Secret) bool {
	return !maps.EqualFunc(current.Data, desired.Data, bytes.Equal) ||
		!maps.Equal(current.Labels, desired.Labels) ||
		!maps.Equal(current.Annotations, desired.Annotations)
}

// updatable reports whether the API server allows an update: the type of a Secret and an immutable Secret's data never change.
func updatable(secret *corev1.Secret) bool {
	return isPullSecret(secret) && (secret.Immutable == nil || !*secret.Immutable)
}

func isPullSecret(secret *corev1.Secret) bool {
	return secret.Type == corev1.SecretTypeDockerConfigJson
}

// outlives reports whether a Secret stays when nothing of regcred is left in it: it holds what others added, or was there before.
func outlives(secret *corev1.Secret) bool {
	return hasForeignData(secret) || secret.Annotations[v1alpha1.AdoptedAnnotation] == v1alpha1.AdoptedValue
}

func hasForeignData(secret *corev1.Secret) bool {
	for key := range secret.Data {
		if key != corev1.DockerConfigJsonKey {
			return true
		}
	}
	return false
}

package credential

import (
	"hash/maphash"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/target"
)

// specOf is what the state machine needs of an object.
func specOf(object *v1alpha1.RegistryCredential) *rotation.Spec {
	spec := rotation.SpecOf(object)
	spec.Random = spread(source.PlaceOf(&object.Spec))
	return spec
}

var spreadSeed = maphash.MakeSeed()

// spread is the random number, in [0,1), by which waits for one place differ from those for another. It is the same for all objects
// that read that place, so that they go on sharing reads, and differs from process to process.
func spread(place source.Place) float64 {
	const bits = 53 // that a float64 holds exactly
	return float64(maphash.Comparable(spreadSeed, place)>>(64-bits)) / (1 << bits)
}

// stall is why a person must act before anything can be delivered.
type stall struct{ reason, message string }

// checkSpec finds what the API server could not refuse: names that this operator was not given, a selector that does not parse.
func (r *Reconciler) checkSpec(object *v1alpha1.RegistryCredential) *stall {
	t := &object.Spec.Target
	if !r.Secrets.Allowed(t.Name()) {
		return &stall{v1alpha1.ReasonSecretNameNotAllowed, target.NotGiven("Secret", t.Name(), r.Secrets.Names(), "secretNames")}
	}
	for _, account := range t.Accounts() {
		if !r.ServiceAccounts.Allowed(account) {
			return &stall{v1alpha1.ReasonServiceAccountNotAllowed, target.NotGiven("ServiceAccount", account, r.ServiceAccounts.Names(), "serviceAccountNames")}
		}
	}
	if _, err := r.selector(object); err != nil {
		return &stall{v1alpha1.ReasonInvalidSelector, err.Error()}
	}
	if err := target.CheckMetadata(t); err != nil {
		return &stall{v1alpha1.ReasonInvalidSecretMetadata, err.Error()}
	}
	return nil
}

func (r *Reconciler) selector(object *v1alpha1.RegistryCredential) (target.Selector, error) {
	return target.New(&object.Spec.Target, r.Protected)
}

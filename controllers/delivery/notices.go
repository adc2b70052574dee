package delivery

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/wakeup"
	"regcred.dev/regcred/internal/watchdog"
)

// onChange looks at all places of a RegistryCredential when a new value of it is published, first where pods are stuck.
func (r *Reconciler) onChange(changed *wakeup.Notifier) source.TypedSource[delivered.Place] {
	return r.onNotice("newly published values", changed, func(delivered.Place, string) bool { return true })
}

// onProven looks at the places that lack something when registries accept the value in use at last: a hand-made Secret may wait for that. A registry
// that accepts and refuses by turns costs nothing elsewhere.
func (r *Reconciler) onProven(proven *wakeup.Notifier) source.TypedSource[delivered.Place] {
	return r.onNotice("values that are accepted", proven, func(place delivered.Place, credential string) bool {
		if r.echoes.looking(place) { // by what was published before; asked first, because its end follows what it says
			return true
		}
		known, _ := r.Board.At(place, credential)
		return known.Observed == 0 || known.Reason != ""
	})
}

// onNotice looks at the places that a notice about a RegistryCredential concerns, first where pods are stuck.
func (r *Reconciler) onNotice(what string, notifier *wakeup.Notifier, concerned func(delivered.Place, string) bool) source.TypedSource[delivered.Place] {
	return watchdog.Source(what, func(ctx context.Context, q queue) error {
		notifier.Listen(func(credential string) {
			var object v1alpha1.RegistryCredential
			if r.Cluster.Get(ctx, client.ObjectKey{Name: credential}, &object) != nil {
				return // gone: the watch saw it, too
			}
			waiting := map[string]bool{}
			if r.Pods != nil {
				waiting = r.Pods.Namespaces()
			}
			var hanging, others []delivered.Place
			for _, place := range r.placesOf(ctx, &object) {
				switch {
				case !concerned(place, credential):
				case waiting[place.Namespace]:
					hanging = append(hanging, place)
				default:
					others = append(others, place)
				}
			}
			enqueue(q, urgent, hanging...)
			enqueue(q, normal, others...)
		})
		return nil
	})
}

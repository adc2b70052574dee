package rotation

import (
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// turn changes something in the world, or in the process, at random.
func (w *world) turn() {
	w.spec.asked = nil
	host := []string{hostA, hostB}[w.rng.IntN(2)]
	if choice := w.rng.IntN(30); choice < 10 {
		w.turnOutside(choice, host)
	} else {
		w.turnInside(choice)
	}
}

// turnOutside changes the source or a registry.
func (w *world) turnOutside(choice int, host string) {
	switch choice {
	case 0: // somebody rotates in Vault, before or after the registry knows
		w.store(false)
	case 1:
		w.takes[host][w.current] = true
	case 2, 3:
		w.takes[hostA][w.current], w.takes[hostB][w.current] = true, true
	case 4: // the old one is revoked
		w.takes[host] = map[int]bool{w.current: w.takes[host][w.current]}
	case 5: // everything at once changes at the registry alone
		w.takes[host] = map[int]bool{}
	case 6, 7:
		w.hosts[host] = answersOf[w.rng.IntN(len(answersOf))]
	case 8: // a standby that is behind, or one that caught up
		w.given = max(1, w.current-w.rng.IntN(3))
	case 9:
		w.sourceFails = !w.sourceFails
	}
}

// turnInside changes the spec, the cluster or the process.
func (w *world) turnInside(choice int) {
	switch choice {
	case 24: // the source's clock is set
		w.skew = []time.Duration{0, -5000 * time.Second, 3000 * time.Second}[w.rng.IntN(3)]
	case 25: // somebody removes the place and writes it again
		w.store(true)
	case 10:
		w.restart()
	case 11:
		w.writable = !w.writable
	case 12:
		w.two = !w.two
		w.respec()
	case 13:
		w.spec.Images = [][]string{nil, {hostA + "/app:1"}}[w.rng.IntN(2)]
	case 14:
		w.spec.Mode = []v1alpha1.VerificationMode{v1alpha1.VerifyPull, v1alpha1.VerifyPull, v1alpha1.VerifyLogin, v1alpha1.VerifyDisabled}[w.rng.IntN(4)]
	case 15: // a clock that is set
		w.setClock(time.Duration(w.rng.IntN(7200)-3600) * time.Second)
	case 16:
		w.state.DoubtTime = w.now
	case 17:
		w.state.Delivered = !w.state.Delivered
	case 18:
		w.spec.Refresh = []time.Duration{refresh, 5 * time.Second, time.Hour}[w.rng.IntN(3)]
	case 19:
		w.spec.Suspended = w.rng.IntN(4) == 0
	case 20: // a person asks for a read
		w.spec.RefreshRequest = fmt.Sprint(w.rng.IntN(1000))
	case 23: // a source that takes no lease back
		w.keepsAll = !w.keepsAll
	case 26:
		w.renewable = !w.renewable
	case 27:
		w.renewFails = !w.renewFails
	case 29: // the login at the source is shorter than its leases
		w.tokenLife = []time.Duration{0, time.Hour}[w.rng.IntN(2)]
	case 28: // somebody revokes a lease
		if w.state.Lease != nil {
			w.ends[w.state.Lease.ID] = w.now
		}
	case 22: // another source
		w.minted = !w.minted
		w.respec()
	case 21: // a person publishes a revision, perhaps one that is long gone
		w.spec.PublishRevision = []string{"", password(w.current), password(max(1, w.current-1))}[w.rng.IntN(3)]
	}
}

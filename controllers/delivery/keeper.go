package delivery

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/removal"
)

const (
	// settle is how long nothing more must be found to be lost before a removal is decided: what one command relabels is one
	// removal. Whatever goes on changing, it is decided after settleAtMost.
	settle       = 3 * time.Second
	settleAtMost = 30 * time.Second
	// decideAgain is how long a decision to hold serves all places, and one that could not be made.
	decideAgain = time.Second
)

// keepers protect namespaces from removals that look like a mistake, for each RegistryCredential.
type keepers struct {
	mu sync.Mutex
	m  map[string]*keeper
}

// keeper knows what one RegistryCredential is about to lose.
type keeper struct {
	// uid of the RegistryCredential. It never changes, and is read without the lock.
	uid   types.UID
	mu    sync.Mutex
	state removal.State
	// kept is what was kept when that was last gone on from, or written.
	kept removal.State
	// inherited is set while what is granted there, by another process or before a fault, was not found to be as the API server has it: until then it
	// grants nothing. limited is set once it was limited to what is still to be lost.
	inherited, limited bool
	// began is since when this process keeps it, keptLess when it last kept that less is granted.
	began, keptLess time.Time
	// wake has what an earlier process kept looked at again.
	wake sync.Once
	// losing is what places were found to lose, the last one at grown. first is since when such are found that nothing was decided of.
	losing       map[delivered.Place]removal.Part
	waiter       delivered.Place // of those, one that may not lose it when that was last looked for
	first, grown time.Time
	// decided is when a removal was last decided on, for what, and what came of it.
	decided time.Time
	basis   basis
	outcome delivered.Removal
	// behind is set where nothing was decided then, because the caches are behind.
	behind bool
	// fault is why nothing could be decided, or kept, at faulted.
	fault   error
	faulted time.Time
}

// basis is what a decision was made for.
type basis struct {
	generation int64
	confirmed  string
	deleting   bool
}

func basisOf(credential *v1alpha1.RegistryCredential) basis {
	return basis{credential.Generation, credential.Annotations[v1alpha1.ConfirmRemovalAnnotation], credential.DeletionTimestamp != nil}
}

func (k *keepers) of(credential *v1alpha1.RegistryCredential, load func(string) removal.State, now time.Time) *keeper {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.m[credential.Name]; known != nil && known.uid == credential.UID {
		return known
	}
	fresh := &keeper{uid: credential.UID, state: removal.State{UID: credential.UID}, began: now, losing: map[delivered.Place]removal.Part{}}
	fresh.follow(load(credential.Name))
	if k.m == nil {
		k.m = map[string]*keeper{}
	}
	k.m[credential.Name] = fresh
	return fresh
}

func (k *keepers) forget(credential string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.m, credential)
}

// lock gives what is known of what a RegistryCredential is about to lose, to one caller at a time, and what time it is then.
func (r *Reconciler) lock(credential *v1alpha1.RegistryCredential) (*keeper, time.Time) {
	k := r.keepers.of(credential, r.Store.Removals, r.Now())
	k.mu.Lock()
	now := r.Now()
	k.correct(now)
	return k, now
}

// correct sets times that lie ahead to now: they were noted by a clock that was set back since, and a decision would wait for as long.
func (k *keeper) correct(now time.Time) {
	for _, t := range []*time.Time{&k.began, &k.keptLess, &k.first, &k.grown, &k.decided, &k.faulted} {
		if t.After(now) {
			*t = now
		}
	}
}

// verdict says whether a place may lose what it is to lose, and otherwise when to ask again, never where that is zero: then it waits
// for the confirmation of id.
type verdict struct {
	granted bool
	after   time.Duration
	id      string
}

// mayLose decides about a place that is to lose some entries of a RegistryCredential, or all where none is named. What was decided is kept before it
// says yes.
func (r *Reconciler) mayLose(ctx context.Context, credential *v1alpha1.RegistryCredential, place delivered.Place, keys ...string) (verdict, error) {
	k, now := r.lock(credential)
	defer k.mu.Unlock()
	if err := r.finds(ctx, credential, k, place, keys, now); err != nil {
		return verdict{}, err
	}
	if k.grants(place, now) { // it is looked at again: perhaps it refuses
		if err := r.keepTakenBack(ctx, credential, k, now); err != nil {
			return verdict{}, err
		}
	}
	if wait := min(k.grown.Add(settle).Sub(now), k.first.Add(settleAtMost).Sub(now)); wait > 0 && !k.grants(place, now) {
		return verdict{after: wait, id: k.outcome.ID}, nil
	}
	if !k.grants(place, now) && (now.Sub(k.decided) >= decideAgain || k.basis != basisOf(credential)) {
		if err := r.decideUnlessItJustFailed(ctx, credential, k, now); err != nil {
			return verdict{}, err
		}
	}
	return k.verdict(place, now), nil
}

// decideUnlessItJustFailed decides, unless that failed less than decideAgain ago: it looks at all places, and each of them asks.
func (r *Reconciler) decideUnlessItJustFailed(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper, now time.Time) error {
	if k.fault == nil || now.Sub(k.faulted) >= decideAgain {
		k.fault, k.faulted = r.decide(ctx, credential, k), now
	}
	return k.fault
}

// finds notes what a place is to lose. What was decided of others before it, of which some may refuse to be changed for long, lets it settle
// no sooner. What was granted to it is not granted where it is to lose more now.
func (k *keeper) finds(place delivered.Place, keys []string, now time.Time) {
	found := removal.Part{Namespace: place.Namespace, Secret: place.Name, Keys: keys}
	if known, there := k.losing[place]; there {
		if known.Covers(found) {
			k.losing[place] = found
			return
		}
		k.state = k.state.Without(place.Namespace, place.Name)
	}
	if len(k.losing) == 0 || !k.decided.Before(k.grown) {
		k.first = now
	}
	k.losing[place], k.grown = found, now
}

// verdict is what was decided for a place. Where that was a moment ago and without it, or could not be, it is asked for again.
func (k *keeper) verdict(place delivered.Place, now time.Time) verdict {
	switch {
	case k.grants(place, now):
		return verdict{granted: true, id: k.outcome.ID}
	case k.behind, k.state.Pending == nil, !k.state.Pending.StandsFor(k.losing[place]):
		return verdict{after: decideAgain, id: k.outcome.ID}
	}
	return verdict{id: k.outcome.ID}
}

// grants reports whether a place may lose what it was found to lose.
func (k *keeper) grants(place delivered.Place, now time.Time) bool {
	found, loses := k.losing[place]
	return loses && !k.inherited && !k.decided.IsZero() && k.state.Grants(found) && now.Sub(k.state.GrantTime) < removal.Window
}

// decide looks at all that a RegistryCredential holds, decides, and keeps the decision before anybody acts on it. While the caches are behind it
// grants nothing.
func (r *Reconciler) decide(ctx context.Context, credential *v1alpha1.RegistryCredential, k *keeper) error {
	k.follow(r.Store.Removals(credential.Name))
	holding, losing, err := r.losses(ctx, credential)
	if err != nil {
		return err
	}
	unaimed, err := r.unaimed(ctx, credential)
	if err != nil {
		return err
	}
	made := removal.Decide(k.state, removal.Facts{
		UID: credential.UID, Holding: holding, Losing: losing, Unaimed: unaimed, Now: r.Now(),
		Confirmed: credential.Annotations[v1alpha1.ConfirmRemovalAnnotation],
	})
	k.behind = false
	if made.Grants || k.inherited && len(made.State.Granted) > 0 {
		same, err := r.asShown(ctx, credential, removal.Namespaces(losing))
		if err != nil {
			return err
		}
		if k.behind = !same; k.behind {
			k.decided, k.basis = r.Now(), basisOf(credential)
			return nil
		}
	}
	if made.State.Outdates(r.Store.Removals(credential.Name)) { // not what this process went on from: that has less where a removal is over
		if err := r.keep(ctx, credential, k, made.State); err != nil {
			return err
		}
		if r.Store.Get(credential.Name).UID != credential.UID { // perhaps it is gone, and so is its record: then nothing is kept of it
			r.Board.Touch(credential.Name)
		}
	}
	k.state, k.inherited, k.decided, k.basis = made.State, false, r.Now(), basisOf(credential)
	if k.tells(delivered.Removal{Losing: len(removal.Namespaces(losing)), What: what(losing), Held: made.Held, ID: made.ID}) {
		r.Board.Touch(credential.Name)
	}
	return nil
}

// tells notes what came of a decision, and reports whether the status has to be written again: it says what would go by which ID.
func (k *keeper) tells(outcome delivered.Removal) bool {
	before := k.outcome
	k.outcome = outcome
	return before != outcome && (before.Held || outcome.Held)
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	losses "regcred.dev/regcred/internal/removal"
)

// fault is what happens to one write.
type fault string

const (
	none        fault = "none"
	failsBefore fault = "fails before the API server sees it"
	failsAfter  fault = "is made, and its answer is lost"
	isDead      fault = "comes from a process that is dead"
	diesAfter   fault = "is the last thing that the process did"
)

var errSabotage = errors.New("sabotage")

// saboteur breaks one write of one life of the controllers.
type saboteur struct {
	mu   sync.Mutex
	seen int
	at   int
	what fault
	dead bool
	// struck is closed when the write was broken.
	struck chan struct{}
}

// aim has the k-th write from now on broken.
func (s *saboteur) aim(k int, what fault) (struck <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.at, s.what, s.struck = 0, k, what, make(chan struct{})
	return s.struck
}

// spare lets all writes through from now on, and reports whether the process died before.
func (s *saboteur) spare() (dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.what = none
	return s.dead
}

// next says what happens to a request.
func (s *saboteur) next(request *http.Request) fault {
	_, writes := writeOf(request)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return isDead
	}
	if !writes {
		return none
	}
	s.seen++
	if s.seen != s.at || s.what == none {
		return none
	}
	close(s.struck)
	s.dead = s.what == diesAfter
	return s.what
}

func (s *saboteur) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *saboteur) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		what := s.next(request)
		if what == failsBefore || what == isDead {
			if request.Body != nil {
				request.Body.Close()
			}
			return nil, errSabotage
		}
		response, err := next.RoundTrip(request)
		if err == nil && what != none {
			response.Body.Close()
			return nil, errSabotage
		}
		return response, err
	})
}

// saga is a course of things that begins again and again, and ends well whatever is broken on the way.
type saga struct {
	rig    *deliveryRig
	values *shelf
	judge  *judge
	life   *run
	broken *saboteur
	// begin starts a round, ended reports whether all is as it should be in the end.
	begin func(t *testing.T, round int)
	ended func(ctx context.Context, round int) error
	round int
	// pause is how much later a round is by the clock of the delivery than the round before: what is let go in one does not count in
	// the next.
	pause   time.Duration
	elapsed atomic.Int64
}

// faultsAtEveryWrite breaks each write in turn, in each way. It alone finds writes whose order or repetition is wrong. To die before a
// write leaves the API server as to die after the one before, so only one of the two is played.
func faultsAtEveryWrite(t *testing.T, rig *deliveryRig) {
	t.Run("a rotation over three namespaces", func(t *testing.T) { rotationSaga(t, rig).run(t, failsBefore, failsAfter, diesAfter) })
	t.Run("two namespaces come and two go", func(t *testing.T) { comingAndGoingSaga(t, rig).run(t, failsBefore, failsAfter, diesAfter) })
}

func newSaga(rig *deliveryRig, registries ...string) *saga {
	return &saga{rig: rig, values: &shelf{}, judge: &judge{admin: rig.admin, registries: registries}}
}

// live starts a new process.
func (s *saga) live(t *testing.T) {
	t.Helper()
	s.broken = &saboteur{}
	now := func() time.Time { return time.Now().Add(time.Duration(s.elapsed.Load())) }
	s.life = s.rig.start(t, runOptions{shelf: s.values, now: now, transport: func(next http.RoundTripper) http.RoundTripper {
		return s.broken.wrap(s.judge.wrap(next))
	}})
}

func (s *saga) run(t *testing.T, faults ...fault) {
	s.live(t)
	s.once(t, 0, none) // what is there at first is made
	total := s.once(t, 0, none)
	begin := time.Now()
	for k := 1; k <= total; k++ {
		for _, what := range faults {
			s.once(t, k, what)
		}
	}
	t.Logf("%d writes, %d rounds in %s", total, s.round, time.Since(begin).Round(time.Second))
}

// once goes through one round in which the k-th write is broken, and returns how many writes there were.
func (s *saga) once(t *testing.T, k int, what fault) int {
	t.Helper()
	s.round++
	s.elapsed.Add(int64(s.pause))
	struck := s.broken.aim(k, what)
	s.begin(t, s.round)
	if what == diesAfter {
		s.awaitDeath(t, struck)
		if s.broken.spare() {
			s.life.stop()
			s.live(t)
		}
	}
	eventually(t, fmt.Sprintf("all is well again though write %d %s", k, what), func(ctx context.Context) error { return s.ended(ctx, s.round) })
	for _, wrong := range s.judge.verdict() {
		t.Fatalf("write %d %s: %s", k, what, wrong)
	}
	return s.broken.writes()
}

// awaitDeath waits until the process died. In a round that has fewer writes it does not.
func (s *saga) awaitDeath(t *testing.T, struck <-chan struct{}) {
	t.Helper()
	eventually(t, "the process dies, or ends the round alive", func(ctx context.Context) error {
		select {
		case <-struck:
			return nil
		default:
			return s.ended(ctx, s.round)
		}
	})
}

// rotationSaga rotates a credential over three namespaces: a first one, one in between and a last one. A fourth has a Secret of somebody
// else.
func rotationSaga(t *testing.T, rig *deliveryRig) *saga {
	s := newSaga(rig, "registry.example")
	teams := rig.teams(t, 4, nil)
	foreign := teams[3]
	rig.create(t, theirSecret(foreign))
	before, err := rig.secret(t.Context(), foreign, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	s.values.put("faults", "password-0")
	rig.credential(t, "faults", "registry.example", inNamespaces(teams...))
	s.begin = func(t *testing.T, round int) { rig.rotate(t, s.values, "faults", fmt.Sprintf("password-%d", round)) }
	s.ended = func(ctx context.Context, round int) error {
		password := fmt.Sprintf("password-%d", round)
		for _, team := range teams[:3] {
			if err := rig.served(ctx, team, "registry.example", password); err != nil {
				return err
			}
		}
		after, err := rig.secret(ctx, foreign, "regcred")
		if err != nil || after.ResourceVersion != before.ResourceVersion {
			return fmt.Errorf("the foreign Secret: %w", errors.Join(err, errors.New("it was touched")))
		}
		return rig.tells(ctx, "faults", fmt.Sprint(round+1), 4, 3)
	}
	return s
}

// comingAndGoingSaga selects two new namespaces in each round and lets go of those of the round before.
func comingAndGoingSaga(t *testing.T, rig *deliveryRig) *saga {
	s := newSaga(rig, "registry.example")
	s.pause = 2 * losses.Window
	s.values.put("come-and-go", "one")
	rig.credential(t, "come-and-go", "registry.example", withLabels("faults", "here"))
	var here, gone []string
	s.begin = func(t *testing.T, _ int) {
		gone = here
		for _, team := range gone {
			rig.label(t, team, `{"faults":null}`)
		}
		here = rig.teams(t, 2, map[string]string{"faults": "here"})
	}
	s.ended = func(ctx context.Context, _ int) error {
		var wrong []error
		for _, team := range here {
			wrong = append(wrong, rig.served(ctx, team, "registry.example", "one"))
		}
		for _, team := range gone {
			wrong = append(wrong, rig.holds(ctx, team, "regcred", nil), rig.names(ctx, team, "default"))
		}
		return errors.Join(append(wrong, rig.tells(ctx, "come-and-go", "1", 2, 2))...)
	}
	return s
}

// tells reports whether a status names this revision and these counts of namespaces, for the spec as it is.
func (rig *deliveryRig) tells(ctx context.Context, name, revision string, selected, synced int32) error {
	var object v1alpha1.RegistryCredential
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return err
	}
	status := object.Status
	if status.Credential == nil || status.Credential.Revision != revision || status.Namespaces.Selected != selected || status.Namespaces.Synced != synced ||
		len(status.Namespaces.Failures) != int(selected-synced) {
		return fmt.Errorf("the status of %s says %+v %+v, it should say revision %s and %d of %d", name, status.Credential, status.Namespaces, revision, synced, selected)
	}
	return nil
}

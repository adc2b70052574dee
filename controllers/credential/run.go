package credential

import (
	"crypto/rand"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// run is one pass over one RegistryCredential.
type run struct {
	object *v1alpha1.RegistryCredential
	spec   *rotation.Spec
	state  rotation.State
	memory *memory
	// nudge is what others know of the source.
	nudge nudge
	// corrected says that kept times lay ahead, and that they are corrected in the state.
	corrected bool
	// stall is why nothing can be delivered, fault is what this pass could not do.
	stall *stall
	fault *fault
	// judgement of the value that waits, and until when there is nothing to do.
	judgement rotation.Judgement
	until     time.Time
}

// fault is what regcred itself could not do: it is told, and tried again.
type fault struct{ reason, message string }

// memory is what one process remembers of a RegistryCredential between two passes. All of it can be lost.
type memory struct {
	uid types.UID
	// seen is when this process first saw the object, statusTime when its status was last written.
	seen, statusTime time.Time
	// remembered is the part of the state that is not kept, waiting and older the values with their content.
	remembered rotation.Memory
	waiting    *rotation.Waiting
	// pending is what could not be written yet.
	pending *pending
	// doubts is how many pods gave reason to doubt the value in use.
	doubts int
	risk   risk
	cures  cures
	told   told
}

// pending is what could not be written, the record that it follows, and what is told once it is written.
type pending struct {
	base records.Record
	next rotation.Kept
	tell func()
}

// told is what people were told already.
type told struct {
	// refused and held are the digests of values, older is the name of an older answer.
	refused, held, older string
	// spreading is the revision that came into use since this process began, and that was not told to be everywhere.
	spreading string
	// ended names the value before of which people were told that it works no more.
	ended string
	// warned is the end that people were warned of.
	warned time.Time
	// failing is of how many failing namespaces, by type of condition.
	failing map[string]int
}

type memories struct {
	mu sync.Mutex
	m  map[string]*memory
	// nudges are by the name of a RegistryCredential.
	nudges map[string]nudge
}

// wake has the source of a RegistryCredential read at its next run.
func (m *memories) wake(name string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(name, func(n *nudge) { n.woken = now })
}

// tell notes what the source told.
func (m *memories) tell(name string, news source.News, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(name, func(n *nudge) { n.hear(news, now) })
}

// change changes a nudge. The caller holds the mutex.
func (m *memories) change(name string, change func(*nudge)) {
	if m.nudges == nil {
		m.nudges = map[string]nudge{}
	}
	n := m.nudges[name]
	change(&n)
	m.nudges[name] = n
}

// of returns the memory of an object and why its source is to be read. One that was deleted and created again starts with nothing.
func (m *memories) of(object *v1alpha1.RegistryCredential, now time.Time) (*memory, nudge) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		m.m = map[string]*memory{}
	}
	if _, nudged := m.nudges[object.Name]; nudged {
		m.change(object.Name, func(n *nudge) { correct(now, &n.woken, &n.told.Time) })
	}
	nudge := m.nudges[object.Name]
	nudge.comeDue(now)
	if known := m.m[object.Name]; known != nil && known.uid == object.UID {
		correct(now, &known.seen, &known.statusTime, &known.risk.time, &known.cures.first, &known.cures.last)
		return known, nudge
	}
	fresh := &memory{uid: object.UID, seen: now, told: told{failing: map[string]int{}}}
	fresh.remembered.Reads.Request = object.Status.LastHandledRefresh
	m.m[object.Name] = fresh
	return fresh, nudge
}

// another reports whether what is remembered under the name of an object is of another one.
func (m *memories) another(object *v1alpha1.RegistryCredential) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.m[object.Name]
	return known != nil && known.uid != object.UID
}

// correct sets times that lie ahead to now: they were noted by a clock that was set back since, and what waits for them would wait for as long.
func correct(now time.Time, times ...*time.Time) {
	for _, t := range times {
		if t.After(now) {
			*t = now
		}
	}
}

func (m *memories) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, name)
	delete(m.nudges, name)
}

// begin puts together what is kept, what is remembered and what others found out since.
func (r *Reconciler) begin(object *v1alpha1.RegistryCredential) *run {
	now := r.Now()
	memory, nudge := r.memories.of(object, now)
	if doubts := r.Pods.Doubts(object.Name); doubts != memory.doubts {
		memory.doubts, memory.remembered.DoubtTime = doubts, now
	}
	record := r.Store.Get(object.Name)
	if record.UID != object.UID {
		record = records.Record{}
	}
	run := &run{object: r.upToDate(object), spec: specOf(object), memory: memory, nudge: nudge}
	run.state = rotation.State{Kept: record.Kept, Memory: memory.remembered}.Clone()
	run.stall = r.checkSpec(object)
	run.recall()
	r.learn(run, &run.state)
	return run
}

// learn notes in a state what others found out since the last pass.
func (r *Reconciler) learn(run *run, s *rotation.State) {
	s.Reads.WokenTime = run.nudge.woken
	news := run.nudge.next(s.Reads.Answered())
	s.Reads.ToldTime, s.Reads.ToldState = news.Time, news.State
	run.corrected = s.Correct(r.Now())
	s.Delivered = r.delivered(run.object, s)
}

// recall completes what was kept: the content of a value that waits and can be read again is in this process alone, and records of earlier
// versions lack digests.
func (run *run) recall() {
	s := &run.state
	if len(s.Salt) == 0 {
		s.Salt = make([]byte, 32)
		_, _ = rand.Read(s.Salt) // never fails, by its documentation
	}
	complete(&s.Value, s.Salt)
	if s.Previous != nil {
		complete(&s.Previous.Value, s.Salt)
	}
	if known := run.memory.waiting; known != nil && s.Waiting != nil && known.Digest == s.Waiting.Digest && known.Revision == s.Waiting.Revision {
		s.Waiting.Value = known.Value
	}
	s.Recall(run.spec)
}

// remember keeps in this process what is not in the record.
func (run *run) remember() {
	run.memory.remembered = run.state.Memory
	run.memory.waiting = run.state.Waiting
}

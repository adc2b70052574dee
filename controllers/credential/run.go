package credential

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/target"
)

// run is one pass through the phases.
type run struct {
	object *v1alpha1.RegistryCredential
	// record is what is published. Phases replace it as they publish.
	record records.Record
	memory *memory
	// stall is why nothing can go on.
	stall *stall
}

// memory is what one process remembers of a RegistryCredential between two runs. All of it can be lost: after a restart the
// source is read again.
type memory struct {
	uid types.UID
	// seen is when this process first saw the object.
	seen time.Time
	// specHash and request are what the last read was made for.
	specHash string
	request  string
	// lastRead is when the source was last asked, nextRead when it is asked again.
	lastRead time.Time
	nextRead time.Time
	// readTime is when the source was asked for the latest value.
	readTime time.Time
	failures int
	// readNow asks for a read of the source that nobody's earlier answer will do for.
	readNow bool
	// fault of the last read, nil where it succeeded.
	fault *source.Error
	// findings of the last read that succeeded.
	findings []dockerconfig.Finding
	// proof is how the verification of the latest value stands.
	proof proof
	// announced is the revision whose refusal people were told of.
	announced string
	// doubts is how many pods gave reason to doubt the value in use, doubtTime when that number last grew.
	doubts    int
	doubtTime time.Time
	// risk is how many pods were at risk when they were last counted, at riskTime.
	risk     int
	riskTime time.Time
	// warned is the end that people were warned of.
	warned time.Time
	// told is of how many failing namespaces people were told last, by type of condition.
	told map[string]int
	// candidate is a value that was read and is not published yet.
	candidate *source.Snapshot
	// statusTime is when the status was last written.
	statusTime time.Time
}

type memories struct {
	mu sync.Mutex
	m  map[string]*memory
	// due are the RegistryCredentials whose source is to be read although it is not time: their connection changed.
	due map[string]bool
}

// wake has the source of a RegistryCredential read at its next run.
func (m *memories) wake(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.due == nil {
		m.due = map[string]bool{}
	}
	m.due[name] = true
}

// woken reports, once, whether wake was called.
func (m *memories) woken(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	woken := m.due[name]
	delete(m.due, name)
	return woken
}

// of returns the memory of an object. One that was deleted and created anew starts afresh.
func (m *memories) of(object *v1alpha1.RegistryCredential, now time.Time) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		m.m = map[string]*memory{}
	}
	if known := m.m[object.Name]; known != nil && known.uid == object.UID {
		return known
	}
	fresh := &memory{uid: object.UID, seen: now, told: map[string]int{}}
	m.m[object.Name] = fresh
	return fresh
}

func (m *memories) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.m, name)
	delete(m.due, name)
}

func (r *Reconciler) begin(object *v1alpha1.RegistryCredential) *run {
	record := r.Store.Get(object.Name)
	if record.UID != object.UID {
		record = records.Record{Credential: object.Name, UID: object.UID}
	}
	return &run{object: object.DeepCopy(), record: record, memory: r.memories.of(object, r.Now())}
}

func (r *Reconciler) selector(object *v1alpha1.RegistryCredential) (target.Selector, error) {
	return target.New(&object.Spec.Target, r.Protected)
}

package records

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
)

// Snapshot is what all records were at one moment. It costs nothing to take, whatever there is of them.
type Snapshot struct{ records map[string]*Record }

// Snapshot returns the records as they are now.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Snapshot{s.records}
}

// Get returns the record of a RegistryCredential, the zero Record where there was none.
func (s Snapshot) Get(credential string) Record {
	if record := s.records[credential]; record != nil {
		return *record
	}
	return Record{}
}

// KeptFor returns the UID of the RegistryCredential that the record of this name was kept for, empty where there is none, and for which generation
// of it its value was put in use, zero where that is not known.
func (s Snapshot) KeptFor(credential string) (types.UID, int64) {
	if record := s.records[credential]; record != nil {
		return record.UID, record.Generation
	}
	return "", 0
}

// put replaces the records by those with one that is another now, or gone where it is nil. The caller holds the mutex.
func (s *Store) put(credential string, record *Record) {
	next := maps.Clone(s.records)
	if next[credential] = record; record == nil {
		delete(next, credential)
	}
	s.records = next
}

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

// Generation returns for which generation of a RegistryCredential with this UID its value was put in use, zero where that is not known.
func (s Snapshot) Generation(credential string, uid types.UID) int64 {
	if record := s.records[credential]; record != nil && record.UID == uid {
		return record.Generation
	}
	return 0
}

// put replaces the records by those with one that is another now, or gone where it is nil. The caller holds the mutex.
func (s *Store) put(credential string, record *Record) {
	next := maps.Clone(s.records)
	if next[credential] = record; record == nil {
		delete(next, credential)
	}
	s.records = next
}

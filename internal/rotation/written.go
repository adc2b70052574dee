package rotation

import (
	"cmp"
	"time"
)

const (
	// olderInterval is how often at least a source is read that gave an older answer, olderReads and olderTime how often and how long
	// it must give it before it is believed.
	olderInterval = 2 * time.Minute
	olderReads    = 5
	olderTime     = 10 * time.Minute
	// disputedReads is how often an answer must be given of which version and time say the opposite. The second read insists.
	disputedReads = 2
)

// Written orders the values that were written at one place.
type Written struct {
	// Version is the source's own count, CreatedTime when it was written by the source's clock. Zero where the source has none.
	Version     int64     `json:"version,omitempty"`
	CreatedTime time.Time `json:"createdTime,omitzero"`
	// LatestTime is the latest CreatedTime that was seen at the place since its count began, where that is of another value: then the
	// source's clock was set back.
	LatestTime time.Time `json:"latestTime,omitzero"`
	// CountTime is the CreatedTime of the first value that was seen after the place had been removed and its count had begun again.
	CountTime time.Time `json:"countTime,omitzero"`
}

// seenTime is the latest CreatedTime that was seen at the place since its count began.
func (w *Written) seenTime() time.Time { return latest(w.CreatedTime, w.LatestTime) }

// order says how an answer stands to a value that is known of the same place.
type order int

const (
	// newer, or the same, or not to be compared.
	newer order = iota
	// disputed: the one with the higher version was written earlier. Either the source's clock was set back, or the place was removed
	// and written again, so that it counts from 1.
	disputed
	// older in every respect that is known.
	older
)

// orderOf compares an answer with a value that is known. A higher version is newer, whatever the source's clock said, unless it was
// written before a count of which it is known that it began again. A lower version is newer if it was written after all that was ever seen
// there: then the count began again.
func orderOf(answer, known *Value) order {
	if answer.Place != known.Place || answer.Digest == known.Digest && answer.Version == known.Version {
		return newer
	}
	timed := !answer.CreatedTime.IsZero() && !known.CreatedTime.IsZero()
	switch compareVersions(answer.Version, known.Version) {
	case 0:
		if timed && answer.CreatedTime.Before(known.CreatedTime) {
			return older
		}
		return newer
	case -1:
		if timed && answer.CreatedTime.After(known.seenTime()) {
			return disputed
		}
		return older
	}
	if !timed {
		return newer
	}
	return orderOfHigher(answer.CreatedTime, known)
}

// compareVersions is as cmp.Compare, and 0 where one is not known.
func compareVersions(answer, known int64) int {
	if answer == 0 || known == 0 {
		return 0
	}
	return cmp.Compare(answer, known)
}

// orderOfHigher is for an answer with a higher version, by when it was written.
func orderOfHigher(written time.Time, known *Value) order {
	switch {
	case written.Before(known.CountTime):
		return older
	case written.Before(known.CreatedTime):
		return disputed
	}
	return newer
}

// follow completes what is known of a value that takes the place of another one.
func (w *Written) follow(before *Written) {
	w.LatestTime, w.CountTime = time.Time{}, before.CountTime
	if w.Version < before.Version || w.Version == before.Version && !w.CreatedTime.Equal(before.CreatedTime) {
		w.CountTime = w.CreatedTime
	} else if before.seenTime().After(w.CreatedTime) {
		w.LatestTime = before.seenTime()
	}
}

// sameAnswer reports whether an answer is one that was given before: the same value, or one that each read makes of the same version.
func sameAnswer(answer, before *Value) bool {
	if answer.Place != before.Place || answer.Version != before.Version {
		return false
	}
	made := answer.Minted && before.Minted && !answer.CreatedTime.IsZero() && answer.CreatedTime.Equal(before.CreatedTime)
	return made || answer.Digest == before.Digest
}

// orderOf says how an answer stands to what is known of its place. One that waits already was found to be new before.
func (s *State) orderOf(value *Value) order {
	found := newer
	if waiting := s.Waiting; waiting != nil {
		if sameAnswer(value, &waiting.Value) {
			return newer
		}
		found = orderOf(value, &waiting.Value)
	}
	if s.Published() {
		found = max(found, orderOf(value, &s.Value))
	}
	return found
}

// follow notes in a value what is known of those that were written at its place before.
func (s *State) follow(value *Value) {
	switch {
	case s.Waiting != nil && s.Waiting.Place == value.Place:
		value.Written.follow(&s.Waiting.Written)
	case s.Published() && s.Place == value.Place:
		value.Written.follow(&s.Written)
	}
}

// believes counts an older answer, and reports whether it was given often and long enough to be true: a Vault that was restored from a
// backup, and not a standby that lags. Of one that only the version or only the time makes older, the active node's word is enough.
func (s *State) believes(value Value, found order, now time.Time) bool {
	if s.Older == nil || s.Older.Digest != value.Digest && !sameAnswer(&value, &s.Older.Value) {
		s.Older = &Older{Since: now}
	}
	s.Older.Value = value
	s.Older.Reads++
	if found == disputed {
		return s.Older.Reads >= disputedReads
	}
	return s.Older.Reads >= olderReads && now.Sub(s.Older.Since) >= olderTime
}

package rotation

import "time"

// missedRotation is the rotation that was announced for before a read, and that the read does not show. Engines announce the next one when
// it is due, some before they did this one (https://github.com/hashicorp/vault/issues/31918).
func (s *State) missedRotation(value *Value) time.Time {
	r, known := &s.Reads, s.latest()
	due := r.Missed
	if due.IsZero() {
		due = r.Rotate
	}
	if due.IsZero() || due.After(value.ReadTime) || value.Digest != known.Digest || value.SpecHash != known.SpecHash {
		return time.Time{}
	}
	return due
}

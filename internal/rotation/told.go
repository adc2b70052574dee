package rotation

import "time"

const (
	// toldInterval is the least time between two reads because the source told of something.
	toldInterval = 500 * time.Millisecond
	// toldAtOnce is how many such reads may follow each other at that interval, toldPeriod the time after which one more may: who writes
	// to the source again and again has it told each time, and each other value is written to every namespace.
	toldAtOnce, toldPeriod = 20, 10 * time.Second
	// maxTold is how far ahead ToldTime may lie.
	maxTold = 2 * time.Minute
)

// toldRead is when the source is read because it told of something, where that is not read yet. A value that each read makes does not
// change on its own: another one would only be in its way. Neither does one that each read makes and that cannot be used, of which the
// source may tell as soon as it made it: without an end, each read would be the reason for the next.
func (s *State) toldRead() (time.Time, bool) {
	r := &s.Reads
	makes := r.Minted || r.Fault != nil && r.Fault.Wasted
	if makes || r.Last.IsZero() || !r.ToldTime.After(r.Answered()) {
		return time.Time{}, false
	}
	return latest(latest(r.ToldTime, r.Last.Add(toldInterval)), r.ToldPaid.Add(-toldAtOnce*toldPeriod)), true
}

// Answered is until when what the source told is read. That another object asked before is no answer. A read that failed counts: it is
// repeated at its own pace.
func (r *Reads) Answered() time.Time {
	if r.Fault != nil {
		return r.Last
	}
	return r.ReadTime
}

// StateWanted is the source's own name for the state that a read is to hold at least. Empty where any will do.
func (s *State) StateWanted(now time.Time) string {
	if r := &s.Reads; !r.ToldTime.After(now) && r.ToldTime.After(r.Answered()) {
		return r.ToldState
	}
	return ""
}

// Package schedule decides when to do a thing again: read a source, try after a failure, verify. It is pure: times and
// randomness come in as values, so that the same input gives the same answer.
package schedule

import "time"

const (
	// MinPeriod is the shortest time between two reads of one credential.
	MinPeriod = 5 * time.Second
	// FirstBackoff is the wait after the first failure.
	FirstBackoff = 5 * time.Second
	// MaxBackoff is where waits after failures stop growing.
	MaxBackoff = 2 * time.Minute
	// MaxStall is how long at most to wait for a person's fixing, however long the refresh period is.
	MaxStall = 5 * time.Minute
)

// rotated is how long after an announced rotation the source is read: Vault's engines look every five seconds whether one is due.
const rotated = 6 * time.Second

// sharedFor is the part of a refresh period for which the answer to one object serves others. It is more than a half: of two objects of
// one place with the same period, whatever the time between their reads, one then uses the answer of the other, and from then on both
// share every read. With a half, two that read just half a period apart, and each a little late, read one by one for ever.
const sharedFor = 0.6

// spread is the part of a wait by which randomness shortens it, so that what began together does not stay together.
const spread = 0.1

// LastRead is what is known of the read that gave the present value.
type LastRead struct {
	// Time is when the source was asked for the value.
	Time time.Time
	// Expire is when the value ends. Zero where that is not known.
	Expire time.Time
	// Minted says that every read makes a new value: reading early would waste one.
	Minted bool
	// Rotate is when the source announces to put another value there. Zero where it announces nothing.
	Rotate time.Time
	// Unplanned says that the source was not asked because it was time, but because the operator had started or something had
	// changed: many others were perhaps asked for at the same moment.
	Unplanned bool
}

// Next returns when to read again: a refresh period after the last read, or two thirds of the way to the known end of the
// value if that comes first. A minted value is not read again before that point at all. Where the source announces a rotation, the
// read just after it is not missed.
//
// The period is exact, so that objects that shared one read share the next one, too. After an unplanned read it is shortened once
// by up to two fifths, so that what began together does not stay together. A wait for the end of a value is up to a tenth shorter.
// random is in [0,1) and says by how much; it is to be the same for all that read the same place.
func Next(last LastRead, period time.Duration, random float64) time.Time {
	wait := period
	if last.Unplanned {
		wait -= time.Duration(float64(period-Shared(period)) * random) // by then the last answer is too old to be shared
	}
	if life := last.Expire.Sub(last.Time); !last.Expire.IsZero() && life > 0 {
		if beforeEnd := jitter(life*2/3, random); last.Minted || beforeEnd < wait {
			wait = beforeEnd
		}
	}
	if until := last.Rotate.Sub(last.Time); !last.Rotate.IsZero() && until > 0 {
		wait = min(wait, until+rotated+time.Duration(float64(rotated)*random))
	}
	return last.Time.Add(max(wait, MinPeriod))
}

// Shared is how old an answer may be that another object with the same place got, for one with this refresh period.
func Shared(period time.Duration) time.Duration {
	return time.Duration(float64(period) * sharedFor)
}

// Overdue returns when to read again where a rotation was announced and had not come by the last read: the wait is as long as it is late,
// so that it doubles.
func Overdue(announced, last time.Time, random float64) time.Time {
	return last.Add(jitter(max(last.Sub(announced), rotated), random))
}

// Renewal returns when a lease is prolonged that runs from one time to another, and was given for term at first: when a third of the
// term is left, so that there is as much time for another credential as always; after a third of the way at the earliest, where less
// than half of the term was given. The wait is up to a tenth shorter.
func Renewal(from, end time.Time, term time.Duration, random float64) time.Time {
	life := max(end.Sub(from), 0)
	left := max(life, min(term, 2*life)) / 3
	return from.Add(max(jitter(life-left, random), MinPeriod))
}

// AfterFailure returns when to try again after so many failures in a row (1 for the first). Where the other side says when,
// after told, that is it, and up to a tenth of it later. Otherwise waits double from FirstBackoff to MaxBackoff.
func AfterFailure(now time.Time, failures int, told time.Duration, random float64) time.Time {
	if told > 0 {
		return now.Add(told + told - jitter(told, random))
	}
	return now.Add(jitter(backoff(failures), random))
}

// AfterStall returns when to look again at what only a person can fix: after the refresh period, MaxStall at most, and
// never before told.
func AfterStall(now time.Time, period, told time.Duration, random float64) time.Time {
	return now.Add(max(jitter(min(period, MaxStall), random), told, MinPeriod))
}

func backoff(failures int) time.Duration {
	wait := FirstBackoff
	for ; failures > 1 && wait < MaxBackoff; failures-- {
		wait *= 2
	}
	return min(wait, MaxBackoff)
}

func jitter(wait time.Duration, random float64) time.Duration {
	return wait - time.Duration(float64(wait)*spread*random)
}

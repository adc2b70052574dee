package vault

import (
	"context"
	"sync"
	"time"

	"regcred.dev/regcred/internal/source"
)

const (
	// failureMemory is how long at most a failure answers for others too.
	failureMemory = 5 * time.Second
	// pruneEvery is how often answers are forgotten that are of use to nobody any more.
	pruneEvery = time.Minute
	// mostShared is how many bytes of answers are kept, as they came. Nearly all answers have less than a thousand; who edits a path again
	// and again leaves one behind each time.
	mostShared = 8 << 20
)

// sharing lets objects that read the same place share one read.
type sharing struct {
	usage *usage // of the connection: a read under way uses it, whoever still waits
	gate  *gate  // of the connection: while it is shut to all, no read is worth beginning

	mu     sync.Mutex
	reads  map[source.Place]*sharedRead
	bytes  int // of the answers in reads
	pruned time.Time
}

// sharedRead is a read under way or done. After done is closed nothing in it changes.
type sharedRead struct {
	started time.Time
	useful  time.Duration // how old it may be for one who asked for it; under the lock of sharing, as is the size of the answer
	bytes   int
	done    chan struct{}
	answer  *answer
	failure *failure
}

// freshEnough reports whether somebody who accepts maxAge can use the read. One under way counts from its start, because
// it may have passed Vault already.
func (r *sharedRead) freshEnough(now time.Time, maxAge time.Duration) bool {
	select {
	case <-r.done:
		if r.failure != nil {
			maxAge = min(maxAge, failureMemory)
		}
	default:
	}
	return maxAge > 0 && now.Sub(r.started) < maxAge
}

// do returns the answer of a read that is not older than maxAge, reading where there is none. The read goes on when
// its first caller gives up, because others may wait for it.
func (s *sharing) do(ctx context.Context, key source.Place, now time.Time, maxAge time.Duration, read func(context.Context) (*answer, *failure)) (*answer, *failure) {
	known, refused := s.begin(context.WithoutCancel(ctx), key, now, maxAge, read)
	if refused != nil {
		return nil, refused
	}
	select {
	case <-known.done:
		return known.answer, known.failure
	case <-ctx.Done():
		return nil, outcomeSlow.at(key.Name).because(ctx.Err())
	}
}

// begin joins a read that is fresh enough, or starts one. Where the gate would only refuse it, it starts none: in an outage
// a thousand objects look again and again, and each answer would cost a goroutine.
func (s *sharing) begin(ctx context.Context, key source.Place, now time.Time, maxAge time.Duration, read func(context.Context) (*answer, *failure)) (*sharedRead, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.reads[key]; known != nil && known.freshEnough(now, maxAge) {
		known.useful = max(known.useful, maxAge)
		return known, nil
	}
	s.prune(now)
	if refused := s.gate.peek(now); refused != nil {
		return nil, refused
	}
	started := &sharedRead{started: now, useful: maxAge, done: make(chan struct{})}
	s.forget(key)
	s.reads[key] = started
	s.usage.join()
	go func() {
		defer s.usage.leave()
		started.answer, started.failure = read(ctx)
		s.note(key, started)
		close(started.done)
	}()
	return started, nil
}

// note notes how large an answer is, and forgets the oldest where there are too many bytes. Those who wait for one have it all the same.
func (s *sharing) note(key source.Place, read *sharedRead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if read.answer == nil || s.reads[key] != read {
		return
	}
	read.bytes = len(read.answer.body)
	read.answer.body = nil // its content is what is used
	s.bytes += read.bytes
	for s.bytes > mostShared {
		var oldest source.Place
		found := false
		for other, one := range s.reads {
			if one.bytes > 0 && (!found || one.started.Before(s.reads[oldest].started)) {
				oldest, found = other, true
			}
		}
		s.forget(oldest)
	}
}

// forget forgets a read. The caller holds the mutex.
func (s *sharing) forget(key source.Place) {
	if read := s.reads[key]; read != nil {
		s.bytes -= read.bytes
		delete(s.reads, key)
	}
}

// prune forgets answers, which hold secrets, when the last of those who ask for them would not take them any more.
func (s *sharing) prune(now time.Time) {
	if s.reads == nil {
		s.reads = map[source.Place]*sharedRead{}
	}
	if now.Sub(s.pruned) < pruneEvery {
		return
	}
	s.pruned = now
	for key, read := range s.reads {
		if now.Sub(read.started) >= read.useful {
			s.forget(key)
		}
	}
}

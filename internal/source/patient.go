package source

import (
	"context"
	"fmt"
	"path"
	"sync"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

const (
	// slowAfter is from when on an answer counts as slow.
	slowAfter = 3 * time.Second
	// slowRemembered is how long a place counts as slow after an answer that was.
	slowRemembered = 10 * time.Minute
	// mostSlowPlaces is of how many places of a server an answer is slow until the server itself counts as slow: who edits paths makes
	// each of them a new place.
	mostSlowPlaces = 8
	// mostRemembered is how many slow places of a server are remembered.
	mostRemembered = 8 * mostSlowPlaces
	// mostWaiting is how many wait for answers of one slow server, mostWaitingInAll for those of all. The operator has eight workers.
	mostWaiting, mostWaitingInAll = 2, 4
	// turnPause is after how long whoever may not wait asks again.
	turnPause = 5 * time.Second
)

// Patient reads as a [Mux] does, and lets few wait for what answers slowly, so that workers are left for all else: a server that answers
// at the last moment could keep each of them.
type Patient struct {
	mux Mux
	now func() time.Time

	mu sync.Mutex
	// slow is when an answer was last slow, by server and place. waiting are those that wait for slow ones, by server.
	slow    map[server]map[Place]time.Time
	waiting map[server]int
	inAll   int
}

// server is who is asked at a place.
type server struct{ member, name string }

// NewPatient makes a Patient that reads by a Mux.
func NewPatient(mux Mux, now func() time.Time) *Patient {
	return &Patient{mux: mux, now: now, slow: map[server]map[Place]time.Time{}, waiting: map[server]int{}}
}

// Read implements Reader.
func (p *Patient) Read(ctx context.Context, request Request) (Snapshot, error) {
	leave, refused := p.enter(request.Place())
	if refused != nil {
		return Snapshot{}, refused
	}
	defer leave()
	return p.mux.Read(ctx, request)
}

// Release implements Releaser.
func (p *Patient) Release(ctx context.Context, lease Lease) error {
	leave, refused := p.enter(placeOfLease(lease, "revoke"))
	if refused != nil {
		return refused
	}
	defer leave()
	return p.mux.Release(ctx, lease)
}

// Renew implements Renewer.
func (p *Patient) Renew(ctx context.Context, lease Lease) (Lease, error) {
	leave, refused := p.enter(placeOfLease(lease, "renew"))
	if refused != nil {
		return Lease{}, refused
	}
	defer leave()
	return p.mux.Renew(ctx, lease)
}

// placeOfLease is one for what is done with the leases of one role of an engine, whose ID follows after the path of the role: an engine
// that is slow, or slow to take leases back, lets no others end.
func placeOfLease(lease Lease, what string) Place {
	member := lease.Member
	if member == "" {
		member = MemberVault
	}
	return Place{Member: member, Server: lease.Connection, Name: what + " " + path.Dir(lease.ID)}
}

// enter lets the caller ask at a place, or says why not now. Whoever may ask must call leave.
func (p *Patient) enter(place Place) (leave func(), refused *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	began, at := p.now(), server{place.Member, place.Server}
	slow := p.isSlow(at, place, began)
	if slow && (p.waiting[at] >= mostWaiting || p.inAll >= mostWaitingInAll) {
		return nil, &Error{
			Reason: v1alpha1.ReasonUnavailable, RetryAfter: turnPause,
			Message: fmt.Sprintf("connection %s answers slowly, and others wait for its answers already: look into the log of its server, and at the network on the way", foreign.Name(place.Server)),
		}
	}
	if slow {
		p.waiting[at]++
		p.inAll++
	}
	return func() { p.leave(at, place, began, slow) }, nil
}

// leave notes how long an answer took.
func (p *Patient) leave(at server, place Place, began time.Time, slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slow {
		p.inAll--
		if p.waiting[at]--; p.waiting[at] <= 0 {
			delete(p.waiting, at)
		}
	}
	now := p.now()
	if now.Sub(began) < slowAfter {
		delete(p.slow[at], place)
		return
	}
	p.forget(now)
	if p.slow[at] == nil {
		p.slow[at] = map[Place]time.Time{}
	}
	for other := range p.slow[at] {
		if len(p.slow[at]) < mostRemembered {
			break
		}
		delete(p.slow[at], other) // enough are left to tell that the server is slow
	}
	p.slow[at][place] = now
}

// isSlow reports whether a place is slow, or all of its server. The caller holds the mutex.
func (p *Patient) isSlow(at server, place Place, now time.Time) bool {
	recent, known := p.slow[at][place]
	if known && now.Sub(recent) < slowRemembered {
		return true
	}
	if len(p.slow[at]) < mostSlowPlaces {
		return false
	}
	p.forget(now)
	return len(p.slow[at]) >= mostSlowPlaces
}

// forget forgets what was slow long ago. The caller holds the mutex.
func (p *Patient) forget(now time.Time) {
	for at, places := range p.slow {
		for place, last := range places {
			if now.Sub(last) >= slowRemembered {
				delete(places, place)
			}
		}
		if len(places) == 0 {
			delete(p.slow, at)
		}
	}
}

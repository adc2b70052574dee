package recovery

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/verify"
)

const (
	// questions per second to one registry, and how many in a moment.
	questionRate, questionBurst = 10, 20
	// Of the questions to one registry one namespace may have asked as many: its people choose images, and others wait for theirs.
	namespaceRate, namespaceBurst = 5, 10
	// firstRate and firstBurst are kept for namespaces that asked nothing for a while: a few that ask without end, each within its share,
	// leave nothing of the questions to all.
	firstRate, firstBurst = 5, 10
	// questionsAtOnce are those that a registry has to answer at the same time for a value that it is known to take.
	questionsAtOnce = 4
)

// login is a value at a registry. Until the registry took it once, one question is asked at a time: a password that is refused is shown
// once, and not by every worker.
type login struct {
	mu             sync.Mutex
	limiter, first *rate.Limiter
	// namespaces have a share each.
	namespaces map[string]*share
	asking     int
	// taken says that the registry took the value, when it was last asked.
	taken bool
	// down is the answer to everybody while the registry is silent or refuses the value.
	down answer
}

// share is what one namespace has of a login.
type share struct {
	limiter *rate.Limiter
	asking  bool
	down    answer
}

func newLogin() *login {
	return &login{limiter: rate.NewLimiter(questionRate, questionBurst), first: rate.NewLimiter(firstRate, firstBurst)}
}

// begin gives the answer that is known already, or says how long to wait. Where it does neither, the namespace may ask, and then calls
// end.
func (l *login) begin(namespace string, now time.Time) (down diagnosis.Probe, known bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.share(namespace, now)
	for _, down := range []answer{l.down, mine.down} {
		if down.holds(now) {
			return down.Probe, true, 0
		}
	}
	atOnce := 1
	if l.taken {
		atOnce = questionsAtOnce
	}
	if mine.asking || l.asking >= atOnce {
		return diagnosis.Probe{}, false, askSoon
	}
	left := mine.limiter.TokensAt(now)
	if left < 1 || !l.limiter.AllowN(now, 1) && (left < namespaceBurst || !l.first.AllowN(now, 1)) {
		return diagnosis.Probe{}, false, askAgain
	}
	mine.limiter.AllowN(now, 1)
	mine.asking = true
	l.asking++
	return diagnosis.Probe{}, false, 0
}

// end notes the answer to a question, if there is one. A namespace chooses its images, and some images fail alone: behind a proxy that
// cannot reach where they come from, or is limited there. However many namespaces are told so, it holds for them; and for
// everybody only what the registry said before it was told an image. Of a wildcard key, images choose the registry as well, which
// may be a tenant's own: nothing that it says is told to others.
func (l *login) end(namespace string, everybody bool, reason verify.Reason, given *answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.namespaces[namespace]
	mine.asking = false
	l.asking--
	switch {
	case given == nil:
	case reason == verify.PullAllowed, reason == verify.PullDenied, reason == verify.ImageNotFound:
		l.taken = true
	case !aboutTheRegistry(reason):
	case everybody:
		l.down, l.taken = *given, false
	default:
		mine.down = *given
	}
}

// aboutTheRegistry reports whether an answer can hold for every image: the registry refuses the value, or cannot be asked for now.
// Others, such as that this image cannot be asked for, hold for their image alone.
func aboutTheRegistry(reason verify.Reason) bool {
	switch reason {
	case verify.LoginFailed, verify.RateLimited, verify.RegistryError, verify.Unreachable, verify.TLSFailed, verify.Timeout,
		verify.ProxyFailed:
		return true
	}
	return false
}

// share is what a namespace has. Those of namespaces that asked nothing for a while are dropped.
func (l *login) share(namespace string, now time.Time) *share {
	if l.namespaces[namespace] == nil {
		maps.DeleteFunc(l.namespaces, func(_ string, other *share) bool {
			return !other.asking && !other.down.holds(now) && other.limiter.TokensAt(now) >= namespaceBurst
		})
		if l.namespaces == nil {
			l.namespaces = map[string]*share{}
		}
		l.namespaces[namespace] = &share{limiter: rate.NewLimiter(namespaceRate, namespaceBurst)}
	}
	return l.namespaces[namespace]
}

// idle reports whether a login bounds nothing and nobody waits for an answer.
func (l *login) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, mine := range l.namespaces {
		if mine.down.holds(now) {
			return false // forgotten, the namespace would ask at once what it was told not to
		}
	}
	return l.asking == 0 && l.limiter.TokensAt(now) >= questionBurst && l.first.TokensAt(now) >= firstBurst && !l.down.holds(now)
}

package recovery

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/verify"
)

// Prober tests at a registry which images a credential opens.
type Prober interface {
	Pull(ctx context.Context, key string, credential dockerconfig.Credential, images ...string) []verify.Result
}

const (
	// askSoon is how soon a question comes back while another one is being asked, and askAgain where the registry has been asked
	// enough for now.
	askSoon  = 100 * time.Millisecond
	askAgain = 500 * time.Millisecond
	// Tags move: an answer that an image may be pinned to is good for a minute. Others are good for longer.
	goodFor   = time.Minute
	badFor    = 5 * time.Minute
	silentFor = 30 * time.Second
	// questions per second to one registry, and how many at once.
	questionRate  = 10
	questionBurst = 20
	maxAnswers    = 4096
	// Of the questions to one registry one namespace may have asked as many: its people choose images, and others wait for theirs.
	namespaceRate  = 5
	namespaceBurst = 10
	// maxRetryAfter is the longest that a registry's Retry-After is heeded.
	maxRetryAfter = 5 * time.Minute
)

// probes remember what registries answered. One question at a time is put to a registry for a credential, so that a password that
// is refused is shown once and not by every worker.
type probes struct {
	mu       sync.Mutex
	logins   map[string]*login
	answered map[asked]answer
}

// login is a value at a registry. Its mutex is held while the registry is asked.
type login struct {
	sync.Mutex
	limiter *rate.Limiter
	// namespaces have a share each.
	namespaces map[string]*rate.Limiter
	// down is the answer to everything while the registry is silent or refuses the value.
	down answer
}

type asked struct {
	diagnosis.Question
	value string
}

type answer struct {
	diagnosis.Probe
	until time.Time
}

// ask answers a question, from memory or from the registry. Where it has no answer yet it says after which time it may have one.
func (r *Reconciler) ask(ctx context.Context, namespace string, question diagnosis.Question) (diagnosis.Probe, time.Duration) {
	record := r.Store.Get(question.Credential)
	value, ok := record.Config[question.Key]
	if !ok {
		return diagnosis.Probe{}, askAgain // another value was published meanwhile
	}
	print := verify.Fingerprint(record.Salt, question.Key, value)
	key := asked{question, print}
	now := r.Now()
	if known, ok := r.probes.known(key, now); ok {
		return known, 0
	}
	login := r.probes.login(print, now)
	if !login.TryLock() {
		return diagnosis.Probe{}, askSoon
	}
	defer login.Unlock()
	if now.Before(login.down.until) {
		return login.down.Probe, 0
	}
	if !login.share(namespace, now).AllowN(now, 1) || !login.limiter.AllowN(now, 1) {
		return diagnosis.Probe{}, askAgain
	}
	results := r.Prober.Pull(ctx, question.Key, value, question.Image)
	if len(results) != 1 || ctx.Err() != nil {
		return diagnosis.Probe{}, askAgain
	}
	given := probeOf(results[0], r.Now())
	if aboutTheRegistry(results[0].Reason) {
		login.down = given
	}
	r.probes.keep(key, given, r.Now())
	return given.Probe, 0
}

// aboutTheRegistry reports whether an answer holds for every image: the registry refuses the value, or cannot be asked for now. Others,
// such as that this image cannot be asked for, hold for their image alone.
func aboutTheRegistry(reason verify.Reason) bool {
	switch reason {
	case verify.LoginFailed, verify.RateLimited, verify.RegistryError, verify.Unreachable, verify.TLSFailed, verify.Timeout:
		return true
	}
	return false
}

// share is the limiter of a namespace. The login is locked.
func (l *login) share(namespace string, now time.Time) *rate.Limiter {
	if l.namespaces[namespace] == nil {
		maps.DeleteFunc(l.namespaces, func(_ string, other *rate.Limiter) bool { return other.TokensAt(now) >= namespaceBurst })
		if l.namespaces == nil {
			l.namespaces = map[string]*rate.Limiter{}
		}
		l.namespaces[namespace] = rate.NewLimiter(namespaceRate, namespaceBurst)
	}
	return l.namespaces[namespace]
}

// probeOf reads a test's result.
func probeOf(result verify.Result, now time.Time) answer {
	a := answer{Probe: diagnosis.Probe{Access: diagnosis.AccessUnknown, Digest: result.Digest, Message: result.Message}, until: now.Add(badFor)}
	switch result.Reason {
	case verify.PullAllowed:
		a.Access, a.until = diagnosis.AccessAllowed, now.Add(goodFor)
	case verify.PullDenied:
		a.Access = diagnosis.AccessDenied
	case verify.LoginFailed:
		a.Access = diagnosis.AccessRefused
	case verify.ImageNotFound:
		a.Access = diagnosis.AccessNotFound
	default:
		a.until = now.Add(min(max(silentFor, result.RetryAfter), maxRetryAfter))
	}
	return a
}

func (p *probes) known(key asked, now time.Time) (diagnosis.Probe, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.answered[key]
	return known.Probe, ok && now.Before(known.until)
}

// login is the value of a fingerprint at its registry. Those of values that nobody asks with any more are forgotten.
func (p *probes) login(print string, now time.Time) *login {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.logins[print]; known != nil {
		return known
	}
	maps.DeleteFunc(p.logins, func(_ string, other *login) bool { return other.idle(now) })
	if p.logins == nil {
		p.logins = map[string]*login{}
	}
	p.logins[print] = &login{limiter: rate.NewLimiter(questionRate, questionBurst)}
	return p.logins[print]
}

// idle reports whether a login bounds nothing and knows nothing.
func (l *login) idle(now time.Time) bool {
	if !l.TryLock() {
		return false
	}
	defer l.Unlock()
	return l.limiter.TokensAt(now) >= questionBurst && !now.Before(l.down.until)
}

func (p *probes) keep(key asked, given answer, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered == nil {
		p.answered = map[asked]answer{}
	}
	if len(p.answered) >= maxAnswers {
		for old, known := range p.answered {
			if !now.Before(known.until) {
				delete(p.answered, old)
			}
		}
	}
	for old := range p.answered {
		if len(p.answered) < maxAnswers {
			break
		}
		delete(p.answered, old) // any: whoever needs it asks again
	}
	p.answered[key] = given
}

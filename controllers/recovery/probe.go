package recovery

import (
	"context"
	"maps"
	"sync"
	"time"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/verify"
)

// Prober tests at a registry which images a credential can pull.
type Prober interface {
	Pull(ctx context.Context, key string, credential dockerconfig.Credential, images ...string) []verify.Result
}

const (
	// askSoon is how soon a question comes back while another one is being asked, and askAgain where the registry has been asked
	// enough for now.
	askSoon  = 100 * time.Millisecond
	askAgain = 500 * time.Millisecond
	// Tags move: an answer that an image may be pinned to is good for a minute. Others are good for longer.
	goodFor    = time.Minute
	badFor     = 5 * time.Minute
	silentFor  = 30 * time.Second
	maxAnswers = 4096
	// maxRetryAfter is the longest that a registry's Retry-After is obeyed.
	maxRetryAfter = 5 * time.Minute
)

// probes remember what registries answered.
type probes struct {
	mu       sync.Mutex
	logins   map[string]*login
	answered map[asked]answer
}

type asked struct {
	diagnosis.Question
	value string
}

type answer struct {
	diagnosis.Probe
	until time.Time
}

// holds reports whether an answer is still good.
func (a answer) holds(now time.Time) bool { return toCome(a.until, now) }

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
	if down, known, wait := login.begin(namespace, now); known || wait > 0 {
		return down, wait
	}
	var given *answer
	var reason verify.Reason
	everybody := false
	defer func() { login.end(namespace, everybody, reason, given) }()
	results := r.Prober.Pull(ctx, question.Key, value, question.Image)
	if len(results) != 1 || ctx.Err() != nil {
		return diagnosis.Probe{}, askAgain
	}
	read := probeOf(results[0], r.Now())
	given, reason, everybody = &read, results[0].Reason, results[0].BeforeImage && !registry.HasWildcard(question.Key)
	r.probes.keep(key, read, r.Now())
	return read.Probe, 0
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
	return known.Probe, ok && known.holds(now)
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
	p.logins[print] = newLogin()
	return p.logins[print]
}

func (p *probes) keep(key asked, given answer, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered == nil {
		p.answered = map[asked]answer{}
	}
	if len(p.answered) >= maxAnswers {
		for old, known := range p.answered {
			if !known.holds(now) {
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

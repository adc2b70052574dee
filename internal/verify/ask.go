package verify

import (
	"context"
	"sync"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

// evidence is what one host said.
type evidence struct {
	hostQuestion
	login Result
	pulls []Result
	// inUse is what the host said to the login with the value in use, nil where it was not asked. inUsePulls is by image.
	inUse      *Result
	inUsePulls map[string]Result
}

// Ask puts a question to a registry and judges the answer. It ends within [Options.Timeout], of which a third is kept for the
// contrast with the value in use. That one logs in at most once at each host, and only where the answer depends on it.
func (v *Verifier) Ask(ctx context.Context, q Question) Answer {
	if q.Credential.IsZero() {
		return Answer{Verdict: ValueUnknown, Message: "nothing was tested: there is no credential"}
	}
	started := time.Now()
	end := started.Add(v.options.Timeout)
	first := end
	if q.InUse != nil {
		first = started.Add(v.options.Timeout * 2 / 3)
	}
	p := q.plan()
	found := make([]evidence, len(p.hosts))
	var hosts sync.WaitGroup // Side by side: a silent host costs the others no time.
	for i, host := range p.hosts {
		hosts.Go(func() {
			e := v.examine(ctx, first, host, q.Credential)
			v.contrast(ctx, end, &e, p.named, q.InUse)
			found[i] = e
		})
	}
	hosts.Wait()
	return judge(p, found)
}

// examine asks a host for the login, and then for its images.
func (v *Verifier) examine(ctx context.Context, end time.Time, host hostQuestion, credential dockerconfig.Credential) evidence {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	e := evidence{hostQuestion: host}
	e.login, e.pulls = v.try(ctx, end, host, credential, host.images)
	return e
}

// contrast asks a host the same with the value in use, where that decides.
func (v *Verifier) contrast(ctx context.Context, end time.Time, e *evidence, named bool, inUse *InUse) {
	if !inUse.namesHost(e.host) {
		return
	}
	var covered []string
	for _, image := range e.disputed(named) {
		if parsed, _ := readImage(image); coveredByAny(inUse.Keys, parsed, image) {
			covered = append(covered, image)
		}
	}
	if len(covered) == 0 && !e.loginDisputed() {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	login, pulls := v.try(ctx, end, e.hostQuestion, inUse.Credential, covered)
	e.inUse, e.inUsePulls = &login, map[string]Result{}
	for _, pull := range pulls {
		e.inUsePulls[pull.Image] = pull
	}
}

// try logs in and then pulls, each image with its share of the time that is left. Where the login fails there are no pulls.
func (v *Verifier) try(ctx context.Context, end time.Time, asked hostQuestion, credential dockerconfig.Credential, images []string) (Result, []Result) {
	s, err := v.open(asked.host, credential, !asked.wildcard)
	if err != nil {
		return notTestable(asked.host, "", "the registry's name cannot be part of a URL: correct it in the source"), nil
	}
	defer s.close()
	challenge, login := s.enter(ctx)
	s.access = &access{challenge, login}
	pulls := make([]Result, 0, len(images))
	for i, image := range images {
		parsed, _ := readImage(image)
		share, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(images)-i))
		found := s.pull(share, parsed)
		cancel()
		if !s.access.login.usable() {
			break // The login failed: at /v2/ or, where that is open, in the way that the image wants.
		}
		found.Image = image
		pulls = append(pulls, found.describe())
	}
	return s.access.login.describe(), pulls
}

package credential

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/rotation"
)

const (
	// testsAtOnce is how many tests of one registry run at the same time.
	testsAtOnce = 8
	// testTimeout bounds one test, images in use and a second value included. The question itself has a shorter one.
	testTimeout = 45 * time.Second
)

// job is one question to one registry about one account, which print names.
type job struct {
	credential string
	uid        types.UID
	host       string
	print      string
	ask        func(ctx context.Context) []answered
}

// login is what is tested by one job at a time.
type login struct {
	uid   types.UID
	print string
}

// answered is what a registry said of an account.
type answered struct {
	account  rotation.Account
	question string
	answer   rotation.Answer
	// aside is true for the value in use, where another value was what the test was about.
	aside bool
}

// note notes an answer in a state.
func (a answered) note(state *rotation.State, now time.Time) {
	if a.aside {
		state.NoteAside(a.account, a.question, a.answer, now)
		return
	}
	state.NoteAnswer(a.account, a.question, a.answer, now)
}

// tester asks registries apart from the controller's workers: one that is silent delays nobody who does not ask it. What it finds out
// waits until the controller comes for it.
type tester struct {
	mu    sync.Mutex
	hosts map[string]*turns
	// asks are the questions that wait for their turn or run.
	asks    map[login]func(ctx context.Context) []answered
	answers map[string][]result
	// ended is called, outside any lock, when a test of a RegistryCredential ended.
	ended func(credential string)
	base  context.Context
}

type result struct {
	uid types.UID
	answered
}

// turns limit the tests of one host.
type turns struct {
	slots chan struct{}
	users int
}

// listen sets who is told when a test ended, and until when tests run.
func (t *tester) listen(ctx context.Context, ended func(credential string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base, t.ended = ctx, ended
}

// start runs a job when the host has room for it. Where one about the same account still waits for that, the new question takes the place of
// the old one: however long the line is, nobody stands in it twice, and no login is shown twice in a row.
func (t *tester) start(j job) {
	if !t.line(j) {
		return
	}
	turns, base := t.enter(j.host)
	go func() {
		defer t.leave(j.host)
		select {
		case turns.slots <- struct{}{}:
		case <-base.Done():
			return
		}
		defer func() { <-turns.slots }()
		ctx, cancel := context.WithTimeout(base, testTimeout)
		defer cancel()
		t.note(j, t.asked(j)(ctx))
	}()
}

// line has a job wait for its turn, and reports false where one about the same account does already.
func (t *tester) line(j job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asks == nil {
		t.asks = map[login]func(ctx context.Context) []answered{}
	}
	_, waits := t.asks[login{j.uid, j.print}]
	t.asks[login{j.uid, j.print}] = j.ask
	return !waits
}

// asked is the question whose turn it is.
func (t *tester) asked(j job) func(ctx context.Context) []answered {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asks[login{j.uid, j.print}]
}

func (t *tester) enter(host string) (*turns, context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts == nil {
		t.hosts = map[string]*turns{}
	}
	if t.hosts[host] == nil {
		t.hosts[host] = &turns{slots: make(chan struct{}, testsAtOnce)}
	}
	t.hosts[host].users++
	if t.base == nil {
		return t.hosts[host], context.Background()
	}
	return t.hosts[host], t.base
}

func (t *tester) leave(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts[host].users--; t.hosts[host].users == 0 {
		delete(t.hosts, host)
	}
}

func (t *tester) note(j job, all []answered) {
	t.mu.Lock()
	delete(t.asks, login{j.uid, j.print})
	if t.answers == nil {
		t.answers = map[string][]result{}
	}
	for _, one := range all {
		t.answers[j.credential] = append(t.answers[j.credential], result{j.uid, one})
	}
	ended := t.ended
	t.mu.Unlock()
	if ended != nil {
		ended(j.credential)
	}
}

// take returns the answers for an object, each once.
func (t *tester) take(credential string, uid types.UID) []answered {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []answered
	for _, one := range t.answers[credential] {
		if one.uid == uid {
			all = append(all, one.answered)
		}
	}
	delete(t.answers, credential)
	return all
}

package rotation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
)

// world is what a RegistryCredential meets in the model: a source, registries, a clock, and a record that cannot always be written.
type world struct {
	rng  *rand.Rand
	now  time.Time
	spec Spec
	// current is the newest version that the source has, given the version that it answers with: less for a standby that is behind.
	current, given int
	// marks are how the source counts and dates its versions, skew is by how much its clock is wrong.
	marks       map[int]Written
	skew        time.Duration
	sourceFails bool
	minted      bool
	// hosts says how each registry answers, takes which versions each of them takes.
	hosts map[string]string
	takes map[string]map[int]bool
	// writable says whether the record can be written.
	writable bool
	// two says whether the spec lists the second registry, third whether it lists another one.
	two, third bool
	// mute is a version of which registries say nothing. proof is how they prove others.
	mute  int
	proof Proof
	// locksAfter is after how many wrong logins in a row registries lock the account, for ever, 0 for never. wrong counts them.
	locksAfter, wrong int
	// longAnswers is added to what registries say.
	longAnswers string

	state    State // of the process
	stored   Kept  // what survives
	pending  *State
	inFlight []flight
	// crashes says that the process may end while tests are under way.
	crashes bool
	answers []landed
	// unheard are answers that are not kept yet: a restart loses them.
	unheard []landed
	// heard is the model's own account of what registries last said definitely, and when: of a version at a host for a question.
	heard map[string]heard
	// asked are the questions that registries were asked about versions.
	asked map[string]bool
	// olderReads is how often in a row the source answered with an older version.
	olderReads int
	// believed is an older version that the source gave often enough, or twice where version and time say the opposite, and that waits since: a newer
	// one that comes later changes nothing about that. Zero where there is none.
	believed int
	// askedFor is the version that a person's request for a read found last. answered are the requests for which the source gave a value,
	// status is the one that the status says to be answered.
	askedFor int
	answered map[string]bool
	status   string
	// alone is until when registries asked to be left alone, by the account that they were asked about.
	alone map[string]time.Time
	steps int
	// leases counts those that the source gave. obtained are those that are not lost by a restart, released those that were given back.
	leases   int
	obtained map[string]time.Time
	released map[string]bool
	// keeps are the leases that the source refuses to take back, keepsAll says that it takes none. tries counts the attempts, gaveUp are
	// those that were left to their own end.
	keeps    map[string]bool
	keepsAll bool
	tries    map[string]int
	gaveUp   map[string]bool
	// renewable says whether leases are given that the source prolongs, ends until when at most. renewFails has it fail at that alone.
	// renewals counts what succeeded; troubled are those leases of which one failed, or was refused.
	renewable, renewFails bool
	ends                  map[string]time.Time
	renewals              int
	troubled              map[string]bool
	// tokenLife is for how long the process logs in at the source, zero for ever: it renews that login with each lease, and a restart
	// leaves the leases of before to the end of theirs. holders are the processes that obtained leases, of which this is one.
	tokenLife time.Duration
	holders   map[string]int
	process   int
	// clockSet says that the clock of the process was set.
	clockSet bool
	// ran is when the controller came last.
	ran time.Time
	// loginLife has the source give logins without a lease, which end after it.
	loginLife time.Duration
}

type flight struct {
	account  Account
	question string
	version  int
	begun    time.Time
}

type landed struct {
	flight
	answer Answer
}

// heard is a verdict, and when it was said first and last without the other one in between.
type heard struct {
	verdict   Verdict
	since, at time.Time
}

const (
	hostA, hostB = "a.example", "b.example"
	hostC        = "c.example"
	refresh      = time.Minute
	verifyPeriod = 10 * time.Minute
	lifetime     = 24 * time.Hour
	longestLease = 3 * lifetime
)

var answersOf = []string{"well", "well", "well", "400", "429", "later", "503", "silent", "locked"}

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), current: 1, given: 1, writable: true,
		hosts: map[string]string{hostA: "well", hostB: "well", hostC: "well"}, heard: map[string]heard{}, asked: map[string]bool{}, obtained: map[string]time.Time{}, released: map[string]bool{}, proof: ProofPull,
		tries: map[string]int{}, gaveUp: map[string]bool{}, marks: map[int]Written{}, answered: map[string]bool{}, alone: map[string]time.Time{}, ends: map[string]time.Time{}, holders: map[string]int{}, troubled: map[string]bool{},
		takes: map[string]map[int]bool{hostA: {1: true}, hostB: {1: true}, hostC: {1: true}},
	}
	w.spec = Spec{Mode: v1alpha1.VerifyPull, Refresh: refresh, Verify: verifyPeriod, Hold: 2 * time.Minute, Place: "place"}
	w.respec()
	return w
}

// respec names the spec as it is. A source that mints is another source.
func (w *world) respec() {
	w.spec.SpecHash = fmt.Sprintf("two=%t third=%t minted=%t", w.two, w.third, w.minted)
	w.spec.Place = fmt.Sprintf("minted=%t", w.minted)
}

// versionOf is the version that a value was made of: one that was minted does not say it.
func versionOf(v *Value) int {
	version := 0
	if len(v.Accounts) > 0 {
		_, _ = fmt.Sscanf(v.Accounts[0].Print, "%d@", &version)
	}
	return version
}

// store writes a new version, where the place was removed before as the first one of its count.
func (w *world) store(removed bool) {
	before := w.written(w.current)
	w.current++
	w.given = w.current
	mark := Written{Version: before.Version + 1, CreatedTime: w.created(w.current)}
	if removed {
		mark.Version = 1
	}
	w.marks[w.current] = mark
}

// created is when the source says that a version was written, if it is written now.
func (w *world) created(version int) time.Time {
	return time.Unix(int64(version)*1000, 0).Add(w.skew)
}

// written is how the source counts and dates a version.
func (w *world) written(version int) Written {
	if mark, stored := w.marks[version]; stored {
		return mark
	}
	return Written{Version: int64(version), CreatedTime: time.Unix(int64(version)*1000, 0)}
}

func password(version int) string { return fmt.Sprintf("v%d", version) }

// value that the source gives for a version under the present spec.
func (w *world) value(version int) Value {
	hosts := []string{hostA}
	if w.two {
		hosts = append(hosts, hostB)
	}
	if w.third {
		hosts = append(hosts, hostC)
	}
	v := Value{
		Config: dockerconfig.Config{}, Revision: password(version), SpecHash: w.spec.SpecHash, Place: w.spec.Place,
		Written: w.written(version), ReadTime: w.now, Digest: fmt.Sprint(password(version), w.two, w.third),
	}
	mark := "!"
	if w.minted {
		w.leases++
		mark = fmt.Sprintf("#%d!", w.leases)
		v.Lease = &source.Lease{ID: fmt.Sprint(w.leases), Duration: lifetime, Obtained: w.now}
		v.Written, v.Minted, v.ExpireTime = Written{}, true, w.now.Add(lifetime)
		v.Revision, v.Digest = v.Revision+mark, v.Digest+mark
		if w.loginLife > 0 { // a login at a registry, for which a cloud keeps no lease
			v.Lease, v.ExpireTime = nil, w.now.Add(w.loginLife)
		} else {
			w.obtained[v.Lease.ID] = w.now
		}
		if w.renewable {
			v.Lease.Renewable, v.Lease.Term = true, lifetime
			w.ends[v.Lease.ID] = w.now.Add(longestLease)
			w.noteHolder(v.Lease)
			v.ExpireTime = v.Lease.End()
		}
	}
	for _, host := range hosts {
		credential, err := dockerconfig.NewCredential("robot", password(version)+mark)
		if err != nil {
			panic(err)
		}
		v.Config[host] = credential
		v.Accounts = append(v.Accounts, Account{Print: fmt.Sprint(version, "@", host, mark), Host: host, Keys: []string{host}})
	}
	return v
}

// answer of a registry about a version.
func (w *world) answer(host string, version int) Answer {
	takes := w.takes[host][version]
	if version == w.mute {
		return Answer{Verdict: Unknown, Message: "muted"}
	}
	if w.locks(takes) {
		return Answer{Verdict: Rejected, Message: "locked"}
	}
	switch w.hosts[host] {
	case "later":
		return Answer{Verdict: Unknown, Message: "429", RetryAfter: time.Duration(w.rng.IntN(1500)) * time.Second}
	case "429", "503", "silent":
		return Answer{Verdict: Unknown, Message: w.hosts[host]}
	case "locked":
		return Answer{Verdict: Rejected, Message: "locked"}
	case "400": // a refusal that only the contrast with the value in use makes plain
		inUse := versionOf(&w.state.Value)
		if !takes && (!w.state.Published() || !w.takes[host][inUse] || inUse == version) {
			return Answer{Verdict: Unknown, Message: "400"}
		}
	}
	if takes {
		return Answer{Verdict: Accepted, Proof: w.proof, Message: "ok"}
	}
	return Answer{Verdict: Rejected, Message: "401" + w.longAnswers}
}

// locks counts a login, and reports whether the account is locked.
func (w *world) locks(takes bool) bool {
	if w.locksAfter == 0 || w.wrong >= w.locksAfter {
		return w.locksAfter > 0
	}
	if w.wrong++; takes {
		w.wrong = 0
	}
	return w.wrong >= w.locksAfter
}

// restart loses what is not kept.
func (w *world) restart() {
	kept := State{Kept: w.stored}.Clone()
	kept.Reads.Request = w.status
	if kept.Waiting != nil && !kept.KeepsWaiting() {
		kept.Waiting.Config = nil
	}
	kept.Recall(&w.spec)
	w.state, w.pending, w.inFlight, w.answers, w.unheard = kept, nil, nil, nil, nil
	w.olderReads = 0
	w.process++
	w.leaveLeases()
	held := map[string]bool{}
	for _, id := range w.heldLeases() {
		held[id] = true
		delete(w.released, id) // that it was given back was not kept: it is given back again
	}
	for id := range w.obtained { // what was obtained and not kept ends at its own time
		if !held[id] {
			delete(w.obtained, id)
		}
	}
}

// heal makes the world well.
func (w *world) heal() {
	w.crashes = false
	w.spec.asked = nil
	w.sourceFails, w.renewFails, w.keepsAll, w.writable, w.given = false, false, false, true, w.current
	w.spec.Suspended, w.spec.Refresh, w.spec.Mode = false, refresh, v1alpha1.VerifyPull
	for _, host := range []string{hostA, hostB} {
		w.hosts[host] = "well"
		w.takes[host] = map[int]bool{w.current: true}
	}
}

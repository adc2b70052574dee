package exchange

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWhoAsksWhileAHostGivesNoLogins(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	who, other := askerOf("cloud.example", "a"), askerOf("cloud.example", "b")
	if g.enter(who, noon) != nil {
		t.Fatal("nobody asked yet, and the gate is shut")
	}
	g.leave(who, noon, fault(ErrUnavailable, "status 503"))
	if told := g.enter(other, noon.Add(time.Second)); told == nil || told.RetryAfter != firstPause-time.Second || told.Message != "status 503" {
		t.Fatalf("others are told %+v", told)
	}
	if g.enter(who, noon.Add(firstPause)) != nil {
		t.Fatal("after the pause one may ask")
	}
	if told := g.enter(other, noon.Add(firstPause+timeout-1)); told == nil {
		t.Error("while one asks, another one does")
	}
	if told := g.enter(other, noon.Add(firstPause+timeout)); told != nil {
		t.Errorf("one that never answered keeps the gate shut: %+v", told)
	}
	g.leave(other, noon.Add(time.Minute), fault(ErrRefused, "AccessDenied"))
	if g.enter(who, noon.Add(time.Minute)) != nil || len(g.m) != 0 {
		t.Error("a host that refuses is well, and the gate is shut")
	}
}

func TestThePauseGrowsAndIsNoShorterThanTheHostAsksFor(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	who := askerOf("cloud.example", "a")
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60, 60} {
		failure := fault(ErrUnavailable, "away")
		g.leave(who, noon, failure)
		if failure.RetryAfter != want*time.Second {
			t.Errorf("pause %d is %s, want %s", i+1, failure.RetryAfter, want*time.Second)
		}
	}
	asked := fault(ErrUnavailable, "away")
	asked.RetryAfter = 2 * time.Minute
	if g.leave(who, noon, asked); asked.RetryAfter != 2*time.Minute {
		t.Errorf("it asks for two minutes, and the pause is %s", asked.RetryAfter)
	}
}

func TestWhatIsWrongWithOneLoginLetsNobodyElseWait(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	who, other := askerOf("cloud.example", "a"), askerOf("cloud.example", "b")
	limited := fault(ErrUnavailable, "status 429")
	limited.ofLogin = true
	g.leave(who, noon, limited)
	if g.enter(other, noon) != nil || g.enter(who, noon) == nil {
		t.Error("the limit of one login is that of another one")
	}
	if g.enter(askerOf("other.example", "a"), noon) != nil {
		t.Error("it is that of another host")
	}
	g.giveUp(who, noon.Add(time.Second))
	if g.enter(who, noon.Add(time.Second)) != nil {
		t.Error("whoever gave up keeps the next one from asking")
	}
}

func TestWhatAHostAsksForWithRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name, header string
		want         time.Duration
	}{
		{"nothing", "", 0},
		{"seconds", "7", 7 * time.Second},
		{"a date", noon.Add(9 * time.Second).Format(http.TimeFormat), 9 * time.Second},
		{"a date that has passed", noon.Add(-time.Minute).Format(http.TimeFormat), 0},
		{"more than it may", "86400", longestPause},
		{"a date that is too far away", noon.Add(time.Hour).Format(http.TimeFormat), longestPause},
		{"what nobody can read", "soon", 0},
		{"a negative number", "-5", 0},
	} {
		if got := retryAfter(test.header, noon); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// late is an error that says that it is a time-out.
type late struct{ error }

func (late) Timeout() bool { return true }

func TestWhatIsSaidOfAHostThatWasNotReached(t *testing.T) {
	for name, test := range map[string]struct {
		cause error
		want  string
	}{
		"it does not answer":   {late{errors.New("secret")}, "cloud.example: no answer in time"},
		"it cannot be reached": {errors.New("secret"), "cloud.example: no connection"},
		"it says too much":     {&http.MaxBytesError{}, "cloud.example: the answer is too large"},
	} {
		if got := unreachable("cloud.example", test.cause); got.Message != test.want || !errors.Is(got, ErrUnavailable) || !errors.Is(got, test.cause) {
			t.Errorf("%s: %q", name, got.Message)
		}
	}
	if reasons := fault(ErrInput, "x").Unwrap(); len(reasons) != 1 {
		t.Errorf("without a cause there are %d", len(reasons))
	}
}

func TestAHintIsAddedToARefusalAlone(t *testing.T) {
	for _, test := range []struct {
		reason     error
		hint, want string
	}{
		{ErrRefused, "look there", "no (look there)"}, {ErrRefused, "", "no"}, {ErrUnavailable, "look there", "no"},
	} {
		if got := fault(test.reason, "no").hinting(test.hint).Message; got != test.want {
			t.Errorf("%v with %q: %q", test.reason, test.hint, got)
		}
	}
}

// A host that never answers must not keep a worker.
func TestARequestToACloudEndsInTime(t *testing.T) {
	if client := boundedClient(NewTransport()); client.Timeout != timeout {
		t.Errorf("it may take %s", client.Timeout)
	}
}

// The gates of hosts that nobody asks any more must not pile up.
func TestAFailureIsForgottenAfterAWhile(t *testing.T) {
	who := askerOf("cloud.example", "a")
	for after, want := range map[time.Duration]int{0: 1, forgotten: 1, forgotten + 1: 0} {
		g := gates{m: map[asker]shut{who: {until: noon}}}
		if g.forget(noon.Add(after)); len(g.m) != want {
			t.Errorf("after %s it knows %d", after, len(g.m))
		}
	}
	g := gates{m: map[asker]shut{who: {until: noon}}}
	g.leave(askerOf("other.example", "a"), noon.Add(forgotten+1), fault(ErrUnavailable, "status 500"))
	if _, is := g.m[who]; is {
		t.Error("another failure lets none be forgotten")
	}
}

// A host that has something to say about one login is well.
func TestAHostThatFailedAndMindsOneLoginIsOpenToOthers(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	who, other := askerOf("cloud.example", "a"), askerOf("cloud.example", "b")
	g.leave(who, noon, fault(ErrUnavailable, "status 503"))
	later := noon.Add(firstPause)
	if g.enter(who, later) != nil {
		t.Fatal("after the pause nobody may ask")
	}
	limited := fault(ErrUnavailable, "status 429")
	limited.ofLogin = true
	g.leave(who, later, limited)
	if g.enter(other, later) != nil || g.enter(who, later) == nil {
		t.Error("the host is shut to others, or open to that login")
	}
}

func TestWhoGivesUpWhereNothingFailedLeavesNothingBehind(t *testing.T) {
	g := gates{m: map[asker]shut{}}
	if g.giveUp(askerOf("cloud.example", "a"), noon); len(g.m) != 0 {
		t.Errorf("it knows %v", g.m)
	}
}

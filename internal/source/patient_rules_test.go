package source

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

// watched is a Patient with a clock that stands still.
type watched struct {
	*Patient
	t   *testing.T
	now time.Time
}

func newWatched(t *testing.T) *watched {
	w := &watched{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Patient = NewPatient(nil, func() time.Time { return w.now })
	return w
}

func at(server, name string) Place { return Place{Member: MemberVault, Server: server, Name: name} }

// answers has a place answer after so long.
func (w *watched) answers(place Place, after time.Duration) {
	w.t.Helper()
	leave := w.lets(place)
	w.now = w.now.Add(after)
	leave()
}

// lets begins to ask at a place, which may be.
func (w *watched) lets(place Place) (leave func()) {
	w.t.Helper()
	leave, refused := w.enter(place)
	if refused != nil {
		w.t.Fatalf("%v is not asked: %v", place, refused)
	}
	return leave
}

func (w *watched) refuses(what string, place Place) {
	w.t.Helper()
	if _, refused := w.enter(place); refused == nil {
		w.t.Errorf("%s: %v is asked", what, place)
	}
}

func TestTwoWaitForASlowServerAndTheNextOneIsToldWhy(t *testing.T) {
	w := newWatched(t)
	w.answers(at("slow\n", "a"), slowAfter)
	first := w.lets(at("slow\n", "a"))
	w.lets(at("slow\n", "a"))
	_, refused := w.enter(at("slow\n", "a"))
	if refused == nil || refused.Reason != v1alpha1.ReasonUnavailable || refused.RetryAfter != turnPause || refused.Stalled {
		t.Fatalf("the third is told %+v", refused)
	}
	if !strings.Contains(refused.Message, "connection slow") || strings.Contains(refused.Message, "\n") {
		t.Errorf("it is told %q", refused.Message)
	}
	w.now = w.now.Add(slowAfter)
	first()
	w.lets(at("slow\n", "a"))
	w.refuses("again two wait", at("slow\n", "a"))
}

func TestFourWaitForAllSlowServers(t *testing.T) {
	w := newWatched(t)
	for _, server := range []string{"a", "b", "c"} {
		w.answers(at(server, "x"), slowAfter)
	}
	leave := w.lets(at("a", "x"))
	for _, server := range []string{"a", "b", "b"} {
		w.lets(at(server, "x"))
	}
	w.refuses("four wait", at("c", "x"))
	w.lets(at("well", "x"))
	w.now = w.now.Add(slowAfter)
	leave()
	w.lets(at("c", "x"))
	w.refuses("again four wait", at("a", "x"))
}

func TestWhatMakesAPlaceSlow(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(w *watched)
		slow bool
	}{
		{"nothing", func(*watched) {}, false},
		{"an answer that took three seconds", func(w *watched) { w.answers(at("s", "a"), slowAfter) }, true},
		{"one that took less", func(w *watched) { w.answers(at("s", "a"), slowAfter-1) }, false},
		{"one that was slow, and one that was quick since", func(w *watched) {
			w.answers(at("s", "a"), slowAfter)
			w.answers(at("s", "a"), time.Second)
		}, false},
		{"one that was slow almost ten minutes ago", func(w *watched) {
			w.answers(at("s", "a"), slowAfter)
			w.now = w.now.Add(slowRemembered - 1)
		}, true},
		{"one that was slow ten minutes ago", func(w *watched) {
			w.answers(at("s", "a"), slowAfter)
			w.now = w.now.Add(slowRemembered)
		}, false},
		{"a slow answer at another server", func(w *watched) { w.answers(at("other", "a"), slowAfter) }, false},
		{"seven slow places of its server", func(w *watched) { w.slowPlaces("s", mostSlowPlaces-1) }, false},
		{"eight slow places of its server", func(w *watched) { w.slowPlaces("s", mostSlowPlaces) }, true},
		{"eight that were slow long ago", func(w *watched) {
			w.slowPlaces("s", mostSlowPlaces)
			w.now = w.now.Add(slowRemembered)
		}, false},
		{"more slow places than are remembered", func(w *watched) { w.slowPlaces("s", 3*mostRemembered) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWatched(t)
			test.do(w)
			for range mostWaiting {
				w.lets(at("s", "a"))
			}
			if _, refused := w.enter(at("s", "a")); (refused != nil) != test.slow {
				t.Errorf("it counts as slow: %t, want %t", refused != nil, test.slow)
			}
		})
	}
}

// slowPlaces has so many places of a server answer slowly.
func (w *watched) slowPlaces(server string, count int) {
	for n := range count {
		if leave, refused := w.enter(at(server, fmt.Sprint("place", n))); refused == nil {
			w.now = w.now.Add(slowAfter)
			leave()
		}
	}
}

// Whoever edits paths makes each of them a new place.
func TestWhatIsRememberedOfSlowServersIsBounded(t *testing.T) {
	w := newWatched(t)
	w.slowPlaces("s", 3*mostRemembered)
	if got := len(w.slow[server{MemberVault, "s"}]); got != mostRemembered {
		t.Errorf("%d places are remembered, want %d", got, mostRemembered)
	}
	w.now = w.now.Add(slowRemembered)
	w.answers(at("other", "a"), slowAfter)
	if len(w.slow) != 1 || len(w.waiting) != 0 || w.inAll != 0 {
		t.Errorf("of %d servers slow places are remembered, and of %d that somebody waits, %d in all", len(w.slow), len(w.waiting), w.inAll)
	}
}

func TestTheLeasesOfARoleAreOnePlace(t *testing.T) {
	got := placeOfLease(Lease{Connection: "main", ID: "robots/creds/a/1"}, "renew")
	if want := (Place{Member: MemberVault, Server: "main", Name: "renew robots/creds/a"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := placeOfLease(Lease{Member: "toy", Connection: "main", ID: "robots/creds/a/1"}, "renew"); got.Member != "toy" {
		t.Errorf("it is a place of %s", got.Member)
	}
}

// Of eight slow places one was slow long ago: seven are left, and so is the server.
func TestWhatWasSlowLongAgoCountsNoMoreForItsServer(t *testing.T) {
	w := newWatched(t)
	w.answers(at("s", "early"), slowAfter)
	w.now = w.now.Add(slowRemembered - time.Minute)
	w.slowPlaces("s", mostSlowPlaces-1)
	w.refusesAfter(mostWaiting, at("s", "new"))
	w.now = w.now.Add(2 * time.Minute)
	for range 2 * mostWaiting {
		w.lets(at("s", "newer"))
	}
}

// refusesAfter lets so many ask, and the next one not.
func (w *watched) refusesAfter(count int, place Place) {
	w.t.Helper()
	for range count {
		w.lets(place)
	}
	w.refuses("it is slow", place)
	w.waiting, w.inAll = map[server]int{}, 0
}

func TestWhoeverMayNotWaitIsToldSo(t *testing.T) {
	w := newWatched(t)
	w.mux = Mux{VaultMember(tarpit{})}
	request, lease := readOf("slow", "a"), Lease{Connection: "slow", ID: "robots/creds/a/1"}
	for _, place := range []Place{request.Place(), placeOfLease(lease, "renew"), placeOfLease(lease, "revoke")} {
		w.answers(place, slowAfter)
	}
	for range mostWaiting {
		w.lets(request.Place())
	}
	_, read := w.Read(t.Context(), request)
	_, renew := w.Renew(t.Context(), lease)
	for what, err := range map[string]error{"a read": read, "a renewal": renew, "a release": w.Release(t.Context(), lease)} {
		if fault := AsError(err); fault == nil || fault.RetryAfter != turnPause {
			t.Errorf("%s is told %v", what, err)
		}
	}
}

func TestWhatTheSourceSaysOfALeaseIsPassedOn(t *testing.T) {
	w := newWatched(t)
	w.mux = Mux{{Name: "toy", Releaser: returner{}}}
	if err := w.Release(t.Context(), Lease{Member: "toy"}); !errors.Is(err, errGone) {
		t.Errorf("it is told %v", err)
	}
	w.mux = Mux{VaultMember(engines{})}
	if lease, err := w.Renew(t.Context(), Lease{ID: "robots/creds/a/1"}); err != nil || lease.ID == "" {
		t.Errorf("%+v, %v", lease, err)
	}
}

// slower has so many more places of a server answer slowly, at one moment: none is forgotten by its age.
func slower(places int) func(*watched) {
	return func(w *watched) {
		for i := range places {
			w.answers(at("slow", fmt.Sprint("more-", i)), slowAfter)
			w.now = w.now.Add(-slowAfter)
		}
	}
}

// Whoever edits paths can add a place that is fast, or many that are slow: the server stays as slow as it is.
func TestAServerOfManySlowPlacesStaysSlowWhateverComesToThem(t *testing.T) {
	for name, comes := range map[string]func(*watched){
		"nothing": func(*watched) {},
		"an answer of another place that is fast": func(w *watched) {
			leave := w.lets(at("slow", "fast"))
			leave()
		},
		"one slow place more than is remembered": slower(mostRemembered - mostSlowPlaces + 1),
		"many more":                              slower(2 * mostRemembered),
	} {
		w := newWatched(t)
		for i := range mostSlowPlaces {
			w.answers(at("slow", fmt.Sprint(i)), slowAfter)
		}
		comes(w)
		w.lets(at("slow", "new-1"))
		w.lets(at("slow", "new-2"))
		w.refuses(name, at("slow", "new-3"))
	}
}

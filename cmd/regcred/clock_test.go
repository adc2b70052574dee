package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// dated is a server whose clock a test sets.
func dated(t *testing.T, now func() time.Time) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
	}))
	t.Cleanup(server.Close)
	return server
}

func ask(t *testing.T, clock *serverClock, server *httptest.Server) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := clock.wrap(http.DefaultTransport).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestServerClockFollowsTheAPIServer(t *testing.T) {
	for name, skew := range map[string]time.Duration{
		"which is an hour ahead":            time.Hour,
		"which is an hour behind":           -time.Hour,
		"which is three and a half s ahead": 3500 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			clock := &serverClock{local: time.Now}
			server := dated(t, func() time.Time { return time.Now().Add(skew) })
			began := time.Now()
			ask(t, clock, server)
			off, took := time.Since(clock.now())+skew, time.Since(began)
			if off.Abs() > time.Second+took {
				t.Errorf("after one answer, which took %s, it is off by %s", took, off)
			}
		})
	}
}

func TestServerClockLearnsFromEachAnswer(t *testing.T) {
	local := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := &serverClock{local: func() time.Time { return local }}
	server := dated(t, func() time.Time { return local.Add(10*time.Second + 400*time.Millisecond) })
	for range 20 {
		local = local.Add(150 * time.Millisecond)
		ask(t, clock, server)
	}
	if off := clock.now().Sub(local) - (10*time.Second + 400*time.Millisecond); off.Abs() > 150*time.Millisecond {
		t.Errorf("after answers all over the second it is off by %s", off)
	}
}

func TestServerClockLeavesAClockThatAgreesAlone(t *testing.T) {
	local := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := &serverClock{local: func() time.Time { return local }}
	if got := clock.now(); !got.Equal(local) {
		t.Errorf("before any answer the time is %s", got)
	}
	server := dated(t, func() time.Time { return local })
	for range 20 {
		local = local.Add(150 * time.Millisecond)
		ask(t, clock, server)
		if got := clock.now(); !got.Equal(local) {
			t.Fatalf("the clocks agree, and the time is off by %s", got.Sub(local))
		}
	}
}

func TestServerClockThatIsSetIsFollowed(t *testing.T) {
	local, skew := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Hour
	clock := &serverClock{local: func() time.Time { return local }}
	server := dated(t, func() time.Time { return local.Add(skew) })
	ask(t, clock, server)
	skew = 0
	ask(t, clock, server)
	if got := clock.now(); !got.Equal(local) {
		t.Errorf("after the API server's clock was set right, the time is off by %s", got.Sub(local))
	}
}

func TestServerClockWithoutADateIsTheLocalOne(t *testing.T) {
	clock := &serverClock{local: time.Now}
	clock.learn("", time.Now(), time.Now())
	clock.learn("yesterday", time.Now(), time.Now())
	if off := time.Since(clock.now()).Abs(); off > time.Second {
		t.Errorf("it is off by %s", off)
	}
}

// A local clock that is set while the operator runs, by hours, makes no wait longer: its times are compared by what they say.
func TestServerClockIsNotMovedByALocalClockThatIsSet(t *testing.T) {
	clock := &serverClock{local: time.Now}
	for _, behind := range []time.Duration{3 * time.Hour, 0} { // the local clock is behind, and then set right
		local := time.Now()
		clock.learn(local.Add(behind).UTC().Format(http.TimeFormat), local, local)
		if now := clock.now(); now != now.Round(0) {
			t.Errorf("it has a reading of the monotonic clock: %s", now)
		}
	}
}

package width

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// rounds notes so many rounds of requests, each of which took what took gives for its place in the round. A negative time is a refusal.
func (w *Width) rounds(many int, took func(i int) time.Duration) {
	for range many {
		for i := range w.Now() {
			t := took(i)
			w.Note(fmt.Sprint(i), max(t, 0), t < 0)
		}
	}
}

func always(took time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return took }
}

const refusal = time.Duration(-1)

// one gives another time for one request in so many.
func one(in int, other, took time.Duration) func(int) time.Duration {
	return func(i int) time.Duration {
		if i%in == 0 {
			return other
		}
		return took
	}
}

// oneBut is one, and the second of a round is as the first.
func oneBut(in int, other, took time.Duration) func(int) time.Duration {
	times := one(in, other, took)
	return func(i int) time.Duration {
		if i == 1 {
			i = 0
		}
		return times(i)
	}
}

func TestHowManyRequestsAreMadeAtOnce(t *testing.T) {
	type step struct {
		rounds int
		took   func(int) time.Duration
		want   int
	}
	const quick, far = 5 * time.Millisecond, 300 * time.Millisecond
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"at first", []step{{0, nil, First}}},
		{"it widens by half", []step{{1, always(quick), 12}, {1, always(quick), 18}, {1, always(quick), 27}, {1, always(quick), Most}}},
		{"a quick server", []step{{100, always(quick), Most}}},
		{"a server that is far away", []step{{100, always(far), Most}}},
		{"a quick server that is slower now, and still quick", []step{{4, always(quick), Most}, {100, always(fine), Most}}},
		{"a server that takes twice as long as it did", []step{{4, always(far), Most}, {20, always(patience * far), Most}}},
		{"a server that takes more than twice as long", []step{{4, always(far), Most}, {1, always(patience*far + far/10), 22}, {1, always(2 * patience * far), 15}}},
		{"a server that was quick, and is slow", []step{{4, always(quick), Most}, {1, always(fine + 1), 22}, {20, always(time.Second), Least}}},
		{"a server that is slow from the second round on", []step{{1, always(quick), 12}, {1, always(time.Second), 8}, {1, always(quick), 9}, {1, always(quick), 10}}},
		{"it is well again", []step{{4, always(quick), Most}, {20, always(time.Second), Least}, {5, always(quick), Least + 5}, {30, always(quick), Most}}},
		{"it turns all away", []step{{4, always(quick), Most}, {1, always(refusal), 16}, {1, always(refusal), 8}, {1, always(refusal), 4}, {9, always(refusal), Least}, {1, always(quick), Least + 1}}},
		{"it turns one in three away", []step{{4, always(quick), Most}, {1, one(3, refusal, quick), Most / 2}}},
		{"it turns one in four away", []step{{4, always(quick), Most}, {9, one(4, refusal, quick), Most}}},
		{"a webhook is slow in one namespace of two", []step{{4, always(quick), Most}, {100, one(2, time.Minute, quick), Most}}},
		{"a webhook is slow in more than half of them", []step{{4, always(quick), Most}, {1, oneBut(2, time.Minute, quick), 22}}},
		{"two that are slow of the fewest", []step{{4, always(quick), Most}, {20, always(time.Second), Least}, {1, one(2, time.Minute, quick), Least + 1}}},
		{"it turned all away at first, and is far away", []step{{3, always(refusal), Least}, {50, always(far), Most}}},
		{"it is slower for good", []step{{4, always(quick), Most}, {20, always(time.Second), Least}, {500, always(time.Second), Most}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &Width{}
			for i, step := range test.steps {
				w.rounds(step.rounds, step.took)
				if got := w.Now(); got != step.want {
					t.Fatalf("step %d: %d at once, want %d", i, got, step.want)
				}
			}
		})
	}
}

// TestTheWidthThatAServerBears is a model: a server that works on so many requests at once, each for 20 ms, and has the others wait.
func TestTheWidthThatAServerBears(t *testing.T) {
	const work = 20 * time.Millisecond
	for _, bears := range []int{1, 2, 3, 4, 8, 16, 64} {
		t.Run(fmt.Sprint(bears), func(t *testing.T) {
			w, random := &Width{}, rand.New(rand.NewPCG(uint64(bears), 1))
			// It was alone with few requests before others came.
			w.rounds(2, always(work))
			total, rounds := 0, 0
			for range 200 {
				now := w.Now()
				if now < Least || now > Most {
					t.Fatalf("%d at once", now)
				}
				waits := time.Duration(float64(work) * max(1, float64(now)/float64(bears)))
				w.rounds(1, func(int) time.Duration { return waits + time.Duration(random.Int64N(int64(work/10))) })
				if rounds++; rounds > 50 {
					total += now
				}
			}
			mean := total / 150
			if low, high := min(bears+bears/2, Most), min(max(patience*bears+bears, Least+2), Most); mean < min(low, Most-8) || mean > high {
				t.Errorf("%d at once on average, want %d to %d", mean, low, high)
			}
		})
	}
}

func TestWhatIsUsual(t *testing.T) {
	const usual = 100 * time.Millisecond
	w := &Width{}
	if w.rounds(1, always(refusal)); w.usual != 0 {
		t.Errorf("%s where all that is known is that requests are turned away", w.usual)
	}
	w = &Width{}
	if w.rounds(1, one(2, usual, 2*usual)); w.usual != usual {
		t.Errorf("%s where half of the requests take %s", w.usual, usual)
	}
	w = &Width{}
	if w.rounds(1, one(2, usual, refusal)); w.usual != usual {
		t.Errorf("%s where half of the requests take %s and the others are turned away", w.usual, usual)
	}
	w = &Width{}
	w.rounds(1, always(usual))
	w.rounds(1, always(2*usual))
	if w.usual != usual {
		t.Errorf("%s after a longer time, want %s", w.usual, usual)
	}
	w.rounds(3, always(refusal))
	if w.Now() != Least || w.usual != usual {
		t.Errorf("%s after refusals", w.usual)
	}
	w.rounds(1, always(time.Hour))
	if want := usual + usual/fade + 1; w.usual != want {
		t.Errorf("%s where fewer requests do not help, want %s", w.usual, want)
	}
	w.rounds(1, always(0))
	if w.usual != 1 {
		t.Errorf("%s: that it is known is forgotten", w.usual)
	}
}

// TestOneNamespaceDoesNotSpeakForAll: whatever becomes of the requests of few namespaces, however many they are, those of all others decide.
func TestOneNamespaceDoesNotSpeakForAll(t *testing.T) {
	for _, test := range []struct {
		name       string
		took       time.Duration
		namespaces int
		narrower   bool
	}{
		{"one turns all away", refusal, 1, false},
		{"one is slow", time.Minute, 1, false},
		{"four of 28 turn all away", refusal, 4, false},
		{"five of 27 turn all away", refusal, 5, true},
		{"eight of 24 are slow", time.Minute, 8, false},
		{"nine of 23 are slow", time.Minute, 9, true},
	} {
		w := &Width{}
		w.rounds(4, always(fine))
		for range 1000 {
			for i := range test.namespaces {
				w.Note(fmt.Sprint("noisy ", i), max(test.took, 0), test.took < 0)
			}
		}
		if w.Now() != Most {
			t.Errorf("%s: %d at once before others were noted", test.name, w.Now())
		}
		for i := range Most - 2*test.namespaces {
			w.Note(fmt.Sprint(i), fine, false)
		}
		if narrower := w.Now() < Most; narrower != test.narrower {
			t.Errorf("%s: %d at once", test.name, w.Now())
		}
		if len(w.of) > 0 {
			t.Errorf("%s: %v begin the next round", test.name, w.of)
		}
	}
}

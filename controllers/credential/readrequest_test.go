package credential

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// asking notes what a source is asked for, and gives nothing.
type asking struct{ source.Request }

func (a *asking) Read(_ context.Context, request source.Request) (source.Snapshot, error) {
	a.Request = request
	return source.Snapshot{}, errors.New("down")
}

// A read that is made for a reason is answered by what answers that reason: see rotation.MaxAge, Insists and StateWanted.
func TestWhatASourceIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name    string
		cause   rotation.Cause
		told    time.Duration // from noon on
		forward bool
		maxAge  time.Duration
		state   string
	}{
		{"it is time", rotation.CausePlan, 0, false, 10 * time.Minute, ""},
		{"the spec changed", rotation.CauseSpec, 0, false, 10 * time.Minute, ""},
		{"a person asks", rotation.CauseRequest, 0, true, 0, ""},
		{"the registry refuses the value in use: a standby may give it for long", rotation.CauseRefused, 0, true, 0, ""},
		{"the source told of a state", rotation.CauseTold, 5 * time.Minute, false, 5 * time.Minute, "index 7"},
		{"a look at a state is planned, and it is time before", rotation.CausePlan, 11 * time.Minute, false, 10 * time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, asked := newQuestion(t), &asking{}
			q.Source, q.Now = asked, func() time.Time { return noon.Add(10 * time.Minute) }
			q.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
			q.run.spec.Refresh = time.Hour
			if test.told > 0 {
				q.run.state.Reads.ToldTime, q.run.state.Reads.ToldState = noon.Add(test.told), "index 7"
			}
			if err := q.read(t.Context(), q.run, test.cause); err != nil {
				t.Fatal(err)
			}
			if asked.Forward != test.forward || asked.MaxAge != test.maxAge || asked.State != test.state {
				t.Errorf("the leading server's answer: %t, of the last %s, with the state %q", asked.Forward, asked.MaxAge, asked.State)
			}
		})
	}
}

// waiting notes after what time each object is looked at.
type waiting struct {
	queue
	after map[string]time.Duration
}

func (w *waiting) AddAfter(request reconcile.Request, after time.Duration) {
	w.after[request.Name] = after
}

// A source may tell of one place hundreds of times a second: each reader is looked at a few times in that, and soon.
func TestAfterWhatTimeThoseWhoReadAPlaceAreLookedAtForNewsOfIt(t *testing.T) {
	for name, test := range map[string]struct{ ahead, want time.Duration }{
		"it was told of now":                       {0, gatherNews},
		"it was told of by a clock that is behind": {-time.Hour, gatherNews},
		"a look is planned within the gathering":   {gatherNews / 5, gatherNews},
		"a look is planned for later":              {12 * time.Second, 12 * time.Second},
	} {
		r, object := reporting(t, 1, 2)
		news, q := &News{}, &waiting{after: map[string]time.Duration{}}
		if err := news.listen(r).Start(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		news.Tell(source.News{Place: source.Place{Member: "vault", Name: "nobody reads here"}, Time: r.Now()})
		if len(q.after) > 0 {
			t.Errorf("%s: those who read elsewhere are looked at: %v", name, q.after)
		}
		news.Tell(source.News{Place: source.PlaceOf(&object.Spec), Time: r.Now().Add(test.ahead)})
		if want := map[string]time.Duration{"c-00": test.want, "c-01": test.want}; !maps.Equal(q.after, want) {
			t.Errorf("%s: looked at after %v, want %v", name, q.after, want)
		}
	}
	if gatherNews <= 0 || gatherNews > time.Second {
		t.Errorf("news are gathered for %s", gatherNews)
	}
}

// Who reads of it corrects the one in the source that is refused, and not the other one.
func TestARestoreIsToldWithWhatIsInUseAndWhatIsRefused(t *testing.T) {
	q := newQuestion(t)
	recorder := events.NewFakeRecorder(10)
	q.Events, q.Store = announce.New(recorder), records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
	q.run.state.Waiting = nil
	q.run.state.Previous = &rotation.Previous{Value: rotation.Value{Config: dockerconfig.Config{}, Revision: "v0", Digest: "zero"}, ReplacedTime: noon}
	if err := q.restore(t.Context(), q.run); err != nil || q.run.state.Revision != "v0" {
		t.Fatalf("in use is %s: %v", q.run.state.Revision, err)
	}
	if told := heardOf(recorder); len(told) != 1 || !strings.Contains(told[0], "revision v0 is in use again: the registry accepts it and refuses revision v1") {
		t.Errorf("told %q", told)
	}
}

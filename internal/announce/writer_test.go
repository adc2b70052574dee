package announce

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/foreign"
)

// sink keeps what is created, and answers with an error, or not at all.
type sink struct {
	client.Writer
	got    []*eventsv1.Event
	error  error
	silent bool
}

func (s *sink) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	s.got = append(s.got, object.(*eventsv1.Event))
	if s.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.error
}

func gone() Event {
	return Event{
		Regarding: corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "team-00", Name: "regcred", UID: "1", ResourceVersion: "7"},
		Related:   corev1.ObjectReference{Kind: "RegistryCredential", Name: "company", UID: "2"}, Kind: corev1.EventTypeWarning, Reason: "Removed", Action: "Remove", Note: "it is gone",
	}
}

func TestAnEventIsWrittenAsTheAdmissionPolicyAndTheAPIServerTakeIt(t *testing.T) {
	now, s := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), &sink{}
	long := gone()
	long.Note, long.Reason, long.Action, long.Regarding.Name = strings.Repeat("n\x1b", 3000), strings.Repeat("r", 500), strings.Repeat("a", 500), strings.Repeat("s", 198)+"--"+strings.Repeat("s", 53)
	for _, e := range []Event{gone(), long} {
		if err := (&Writer{Client: s, Now: func() time.Time { return now }}).Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	got := s.got[0]
	if got.ReportingController != "regcred" || !strings.HasPrefix(got.ReportingInstance, "regcred-") || got.Namespace != "team-00" || !strings.HasPrefix(got.Name, "regcred.") ||
		!got.EventTime.Time.Equal(now) || got.Type != "Warning" || got.Reason != "Removed" || got.Action != "Remove" || got.Note != "it is gone" || got.Regarding != gone().Regarding || *got.Related != gone().Related {
		t.Errorf("%+v", got)
	}
	if got := s.got[1]; len(got.Note) > 1024 || len(got.Reason) > 128 || len(got.Action) > 128 || len(got.ReportingInstance) > 128 || len(got.Name) > 253 || strings.Contains(got.Note, "\x1b") || strings.Contains(got.Name, "-.") {
		t.Errorf("%d, %d, %d, %d and %d bytes", len(got.Note), len(got.Reason), len(got.Action), len(got.ReportingInstance), len(got.Name))
	}
}

func TestAnEventHasANameOfItsOwn(t *testing.T) {
	names := map[string]string{gone().name(): "the same"}
	if again := gone(); names[again.name()] == "" {
		t.Error("what is told twice has two names")
	}
	for what, change := range map[string]func(*Event){
		"another Secret of that name": func(e *Event) { e.Regarding.UID = "3" }, "a later removal": func(e *Event) { e.Regarding.ResourceVersion = "8" },
		"another RegistryCredential": func(e *Event) { e.Related.Name = "other" }, "one that was made again": func(e *Event) { e.Related.UID = "4" },
		"another kind":       func(e *Event) { e.Kind = corev1.EventTypeNormal },
		"another loss of it": func(e *Event) { e.Note = "another one is gone" },
		"another reason":     func(e *Event) { e.Reason = "Other" }, "another name": func(e *Event) { e.Regarding.Name = "other" },
		"one whose texts are the same one after the other": func(e *Event) { e.Regarding.ResourceVersion, e.Related.UID = "72", "" },
	} {
		e := gone()
		change(&e)
		if before := names[e.name()]; before != "" {
			t.Errorf("%s and %s have one name", what, before)
		}
		names[e.name()] = what
	}
}

func TestOfWhatAnErrorOfAnEventIsTold(t *testing.T) {
	events := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	going := apierrors.NewForbidden(events, "x", errors.New("the namespace is being terminated"))
	going.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		err  error
		told bool
	}{
		"none":                            {nil, false},
		"it was told before":              {apierrors.NewAlreadyExists(events, "x"), false},
		"the namespace is gone":           {apierrors.NewNotFound(events, "x"), false},
		"the namespace is being deleted":  {going, false},
		"a policy or a quota refuses it":  {apierrors.NewForbidden(events, "x", errors.New("quota")), true},
		"the API server does not answer":  {context.DeadlineExceeded, true},
		"the API server has no time left": {apierrors.NewTooManyRequests("later", 1), true},
	} {
		if err := (&Writer{Client: &sink{error: test.err}, Now: time.Now}).Write(t.Context(), gone()); (err != nil) != test.told {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&Writer{}).Write(t.Context(), gone()); err != nil {
		t.Errorf("without a client: %v", err)
	}
}

// Of thousands of removals each would wait for an answer that does not come.
func TestAfterAnEventThatIsNotAnsweredTheOthersDoNotWait(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		// within is how long whoever writes can wait himself, zero for as long as it takes.
		within time.Duration
		stops  bool
		silent bool
		err    error
		// after is how long after that the next one is written.
		after time.Duration
		rests bool
	}{
		{"it is not answered in time", 0, false, true, context.DeadlineExceeded, rest - 1, true},
		{"it is not answered in time, by who could wait for longer", answeredWithin + 1, false, true, context.DeadlineExceeded, 0, true},
		{"it is not answered in time, a minute ago", 0, false, true, context.DeadlineExceeded, rest, false},
		{"it is not answered in time, and the clock is set back", 0, false, true, context.DeadlineExceeded, -time.Hour, false},
		{"whoever writes has no time himself", answeredWithin - 1, false, true, context.DeadlineExceeded, 0, false},
		{"it is refused at once", 0, false, false, errors.New("quota"), 0, false},
		{"the operator stops", 0, true, true, context.Canceled, 0, false},
		{"it is answered", 0, false, false, nil, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, at := &sink{error: test.err, silent: test.silent}, now
				w := &Writer{Client: s, Now: func() time.Time { return at }}
				ctx, end := context.WithCancel(t.Context())
				defer end()
				if test.within > 0 {
					ctx, end = context.WithTimeout(ctx, test.within)
					defer end()
				}
				if test.stops {
					end()
				}
				began := time.Now()
				if err := w.Write(ctx, gone()); !errors.Is(err, test.err) {
					t.Errorf("it gives: %v", err)
				}
				if waited := time.Since(began); waited > answeredWithin {
					t.Errorf("it waits for %s", waited)
				}
				at, s.error, s.silent = now.Add(test.after), nil, false
				if err := w.Write(t.Context(), gone()); errors.Is(err, ErrRests) != test.rests || (len(s.got) == 1) != test.rests {
					t.Errorf("then %d are asked for and the error is %v", len(s.got), err)
				}
			})
		})
	}
}

// The end of a note says what to do.
func TestANoteIsWrittenWhole(t *testing.T) {
	s, whole := &sink{}, gone()
	whole.Note = strings.Repeat("n", foreign.MessageLength)
	if err := (&Writer{Client: s, Now: time.Now}).Write(t.Context(), whole); err != nil || s.got[0].Note != whole.Note {
		t.Errorf("%d of %d bytes are written: %v", len(s.got[0].Note), len(whole.Note), err)
	}
}

// turns answers the first events as it is told, and takes the others.
type turns struct {
	client.Writer
	answers []func(context.Context) error
}

func (s *turns) Create(ctx context.Context, _ client.Object, _ ...client.CreateOption) error {
	if len(s.answers) == 0 {
		return nil
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	return next(ctx)
}

// The minute counts from when the answer was waited for in vain, and an answer to an event that was sent before says nothing of it.
func TestForHowLongNoEventIsWrittenAfterOneThatIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		slow := func(context.Context) error { time.Sleep(answeredWithin - 1); return nil }
		w := &Writer{Client: &turns{answers: []func(context.Context) error{silent, slow}}, Now: time.Now}
		write := func() error { return w.Write(t.Context(), gone()) }
		lost, late := make(chan error, 1), make(chan error, 1)
		go func() { lost <- write() }()
		synctest.Wait()
		time.Sleep(answeredWithin / 2)
		go func() { late <- write() }()
		if err := <-lost; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the one that is not answered: %v", err)
		}
		ended := time.Now()
		if err := <-late; err != nil {
			t.Errorf("the one that is answered meanwhile: %v", err)
		}
		time.Sleep(time.Until(ended.Add(rest - time.Nanosecond)))
		if err := write(); !errors.Is(err, ErrRests) {
			t.Errorf("just before the end of the minute: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := write(); err != nil {
			t.Errorf("at its end: %v", err)
		}
	})
}

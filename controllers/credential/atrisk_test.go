package credential

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/rotation"
)

func TestHowManyPodsAreSaidToBeAtRisk(t *testing.T) {
	for name, found := range map[string]podlist.Running{
		"7": {Count: 7}, "at least 7": {Count: 7, Truncated: true}, "0": {}, "at least 0": {Truncated: true},
	} {
		if got := countOf(found); got != name {
			t.Errorf("%+v is told as %q, want %q", found, got, name)
		}
	}
}

// running counts pods, and notes for which namespaces, which Secret and which images.
type running struct {
	found   podlist.Running
	err     error
	asked   int
	places  []string
	secret  string
	matched []bool
}

func (p *running) Running(_ context.Context, namespaces []string, secret string, matches func(image string) bool) (podlist.Running, error) {
	p.asked++
	p.places, p.secret, p.matched = namespaces, secret, []bool{matches("r.example/app:1"), matches("other.example/app:1")}
	return p.found, p.err
}

func TestPodsAreAtRiskWhileTheValueInUseIsRefused(t *testing.T) {
	r, object := reporting(t, 2, 1)
	pods, recorder, now := &running{}, events.NewFakeRecorder(100), noon
	r.Running, r.Events, r.Now = pods, announce.New(recorder), func() time.Time { return now }
	object.Spec.Target.SecretName = "other"
	f := &facts{run: r.begin(object), verdict: rotation.Accepted}
	f.run.state.Waiting = &rotation.Waiting{Value: rotation.Value{Config: dockerconfig.Config{"other.example": {}}}} // for the changed spec
	count := func() *risk {
		t.Helper()
		got, err := r.atRisk(t.Context(), f.run, f)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := count(); got.pods != 0 || pods.asked > 0 {
		t.Errorf("it is accepted: %+v, asked %d times", got, pods.asked)
	}
	f.verdict = rotation.Rejected
	if got := count(); got.pods != 0 || pods.asked != 1 || len(recorder.Events) > 0 {
		t.Errorf("no pod runs: %+v, told %q", got, heardOf(recorder))
	}
	if !slices.Equal(pods.places, []string{"n-00000", "n-00001"}) || pods.secret != "other" || !slices.Equal(pods.matched, []bool{true, false}) {
		t.Errorf("looked for in %q, with %s, images %v", pods.places, pods.secret, pods.matched)
	}
	f.run.memory.risk = risk{}
	pods.found = podlist.Running{Count: 3, Names: []string{"a/b"}, Truncated: true}
	for range 3 {
		if got := count(); got.pods != 3 || !got.truncated {
			t.Errorf("%+v", got)
		}
	}
	if got := heardOf(recorder); pods.asked != 2 || len(got) != 1 || got[0] != "Warning PodsAtRisk running pods that could not pull their image on another node, at least 3: a/b" {
		t.Errorf("asked %d times, told %q", pods.asked, got)
	}
	now = now.Add(countAgain - time.Second)
	if count(); pods.asked != 2 {
		t.Error("they are counted again before a minute has passed")
	}
	now = now.Add(time.Second)
	if count(); pods.asked != 3 || len(recorder.Events) > 0 {
		t.Errorf("asked %d times, told %q", pods.asked, heardOf(recorder))
	}
	f.verdict = rotation.Unknown
	if got := count(); got.pods != 0 || f.run.memory.risk.pods != 0 {
		t.Errorf("it is not refused any more: %+v", got)
	}
	f.verdict, pods.err = rotation.Rejected, errors.New("away")
	if got, err := r.atRisk(t.Context(), f.run, f); got != nil || err == nil {
		t.Errorf("what could not be counted counts as %+v: %v", got, err)
	}
	f.verdict, f.run.state.Config = rotation.Rejected, dockerconfig.Config(nil)
	if got := count(); got.pods != 0 {
		t.Errorf("nothing is published: %+v", got)
	}
}

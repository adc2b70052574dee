package credential

import (
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/internal/podcounts"
)

// A rotation ends with one event that says how many pods were cured, however many they are.
func TestCuredPodsAreToldTogether(t *testing.T) {
	r, recorder := telling()
	now := noon
	r.Now, r.Pods = func() time.Time { return now }, podcounts.New(func(string) {})
	run := served().run
	run.object.Name = "mine"
	for _, step := range []struct {
		name         string
		after        time.Duration
		cured, stuck int
		want         string
		again        time.Duration
	}{
		{"none is cured", 0, 0, 5, "", 0},
		{"two are", 0, 2, 3, "", curesAtMost},
		{"three more are, and none is left", time.Second, 3, 0, "", curesQuiet},
		{"a moment later", time.Second, 0, 0, "", curesQuiet - time.Second},
		{"it is quiet", 2 * time.Second, 0, 0, "Normal PodsCured 5 stuck pods were cured: deleted, so that their owners create others, or pulled again", 0},
		{"nothing more happens", time.Minute, 0, 0, "", 0},
		{"one is cured later, and another stays stuck", 0, 1, 1, "", curesAtMost},
		{"a minute later", time.Minute, 0, 1, "Normal PodsCured 1 stuck pod was cured: deleted, so that its owner creates another, or pulled again; still stuck: 1", 0},
		{"others are cured again and again, and some stay stuck", 0, 1, 9, "", curesAtMost},
		{"half a minute later", curesAtMost / 2, 1, 8, "", curesAtMost / 2},
		{"a minute after the first of them", curesAtMost / 2, 1, 7, "Normal PodsCured 3 stuck pods were cured: deleted, so that their owners create others, or pulled again; still stuck: 7", 0},
	} {
		now = now.Add(step.after)
		for range step.cured {
			r.Pods.Cure("mine", "other")
		}
		var again time.Duration
		if at := r.tellOfCures(run, step.stuck); !at.IsZero() {
			again = at.Sub(now)
		}
		var want []string
		if step.want != "" {
			want = []string{step.want}
		}
		if got := heardOf(recorder); !slices.Equal(got, want) || again != step.again {
			t.Errorf("%s: told %q, looked at again in %s, want %q, %s", step.name, got, again, want, step.again)
		}
	}
}

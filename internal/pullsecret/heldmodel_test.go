package pullsecret

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/racedetector"
)

// TestWhateverGrowsTakesNothingThatIsDelivered goes through the lives of small Secrets, of which others keep out.
func TestWhateverGrowsTakesNothingThatIsDelivered(t *testing.T) {
	racedetector.Skip(t)
	refused, grown := 0, 0
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		total := room{data: 500 + random.IntN(1500), annotation: 600 + random.IntN(1200)}
		current := content{recorded: Sources{}}
		for range 8 {
			contributions := randomGrowth(t, random)
			c := compose(contributions, everybody, current, total, noon)
			after := current.with(c)
			nothingDeliveredGoes(t, contributions, current, after, c.refused)
			fits(t, after, total)
			settles(t, contributions, after, total)
			if refused += len(c.refused); len(c.refused) > 0 && len(c.changed) > 0 {
				grown++
			}
			if t.Failed() {
				t.Fatalf("seed %d: of %v with %+v becomes %v, refused %q", seed, current.recorded, contributions, after.recorded, c.refused)
			}
			current = after
		}
	}
	if refused < 100 || grown < 50 {
		t.Errorf("%d times something was refused, and %d times something changed beside it: that tests little", refused, grown)
	}
}

// randomGrowth are RegistryCredentials of fixed ages, each with registries of its own.
func randomGrowth(t *testing.T, random *rand.Rand) []Contribution {
	var contributions []Contribution
	for i, name := range names {
		if random.IntN(8) == 0 {
			continue // not selected
		}
		c := contribution(name, i%3, strings.Repeat("r", 1+random.IntN(60)), nil)
		c.Digest = strings.Repeat("d", 10*random.IntN(4))
		if random.IntN(5) > 0 {
			c.Config = dockerconfig.Config{}
			for k := range 1 + random.IntN(3) {
				maps.Copy(c.Config, config(t, strings.Repeat("p", 1+random.IntN(120)), fmt.Sprint(name, ".example/", k)))
			}
		}
		if random.IntN(3) == 0 {
			c.Metadata.Annotations = map[string]string{"x.example/" + name: strings.Repeat("x", random.IntN(60))}
		}
		contributions = append(contributions, c)
	}
	return contributions
}

// with is the content after a composition was written.
func (c content) with(made composition) content {
	after := content{entries: made.entries, recorded: made.sources, metadata: map[string]string{}}
	for _, source := range made.sources {
		for key := range source.Written {
			if after.metadata[key] = c.metadata[key]; made.metadata[key] != "" {
				after.metadata[key] = made.metadata[key]
			}
		}
	}
	return after
}

// nothingDeliveredGoes holds what compose promises: what is delivered stays or becomes the new value, and only what outgrew its room is refused.
func nothingDeliveredGoes(t *testing.T, contributions []Contribution, before, after content, refused []string) {
	t.Helper()
	for _, c := range contributions {
		had := before.pick(before.recorded[c.Credential].Keys)
		got := after.pick(after.recorded[c.Credential].Keys)
		switch is := slices.Contains(refused, c.Credential); {
		case (is || c.Config == nil) && !maps.EqualFunc(had, got, equalJSON):
			t.Errorf("%s had %d entries, and has %d", c.Credential, len(had), len(got))
		case !is && c.Config != nil && !maps.EqualFunc(c.Config.Raw(), got, equalJSON):
			t.Errorf("%s does not have its value", c.Credential)
		case is && len(had) > 0:
			has, needs := before.spaceOf(c.Credential, had), c.needs(c.Config.Raw(), before)
			if needs.within(has) {
				t.Errorf("%s is refused a value that fits where the one before is", c.Credential)
			}
		}
	}
}

// fits compares what is written with the room.
func fits(t *testing.T, after content, total room) {
	t.Helper()
	for name := range after.recorded {
		total.reserve(after.spaceOf(name, after.pick(after.recorded[name].Keys)))
	}
	if total.data < 0 || total.annotation < 0 {
		t.Errorf("%+v is left", total)
	}
}

// settles decides again and again. A value that is shorter in one part and longer in the other may leave room for another one.
func settles(t *testing.T, contributions []Contribution, current content, total room) {
	t.Helper()
	for range contributions {
		again := compose(contributions, everybody, current, total, noon)
		nothingDeliveredGoes(t, contributions, current, current.with(again), again.refused)
		if len(again.changed) == 0 && maps.EqualFunc(current.entries, again.entries, equalJSON) {
			return
		}
		current = current.with(again)
	}
	t.Error("it does not settle")
}

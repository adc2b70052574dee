package pullsecret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/racedetector"
)

var (
	names     = []string{"amber", "birch", "cedar", "delta", "ember"}
	keys      = []string{"a.example", "https://a.example/v1/", "b.example", "b.example/team", "docker.io", "https://index.docker.io/v1/", "*.c.example"}
	rawValues = []string{`{}`, `{"auth":"dTpw"}`, ` { "username" : "u" } `, `{"auth":"%%"}`, `7`, `null`, `{"auth":7}`}
)

// TestDecideHoldsItsPromises goes through random Secrets and contributions.
func TestDecideHoldsItsPromises(t *testing.T) {
	racedetector.Skip(t)
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		in := randomInput(t, random)
		plan := Decide(in)
		orderDoesNotMatter(t, seed, random, in, plan)
		decidingAgainChangesNothing(t, seed, in, plan)
		writesOnlyWhatKubeletsRead(t, seed, in, plan)
		keepsWhatIsNotOurs(t, seed, in, plan)
		touchesOnlyWhatItMay(t, seed, in, plan)
		everyLabelHasOneRecorder(t, seed, plan)
		rememberedStays(t, seed, in.Current)
		rememberedStays(t, seed, plan.Secret)
		if t.Failed() {
			t.Fatalf("seed %d: %s of %+v with %+v", seed, plan.Action, in.Current, in.Contributions)
		}
	}
}

func randomInput(t *testing.T, random *rand.Rand) Input {
	gone := names[random.IntN(len(names))]
	in := Input{Namespace: "shop", Name: "regcred", Now: noon, Exists: func(name string) bool { return name != gone }}
	for _, name := range names {
		if random.IntN(2) == 0 || name == gone {
			continue
		}
		c := contribution(name, random.IntN(3), fmt.Sprint(random.IntN(3)), nil)
		if random.IntN(3) > 0 {
			some := slices.Clone(keys)
			random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			c.Config = config(t, "password", some[:1+random.IntN(3)]...)
		}
		c.Adopt = random.IntN(3) == 0
		if random.IntN(3) == 0 {
			c.Metadata = Metadata{Labels: map[string]string{"team": name, "x.example/" + name: "1"}, Annotations: map[string]string{"note": fmt.Sprint(random.IntN(2))}}
		}
		if random.IntN(3) == 0 {
			c.Keep = slices.Clone(keys)
		}
		in.Contributions = append(in.Contributions, c)
	}
	in.Current = randomSecret(random)
	return in
}

func randomSecret(random *rand.Rand) *corev1.Secret {
	if random.IntN(6) == 0 {
		return nil
	}
	s := marked()
	entries := map[string]json.RawMessage{}
	for _, key := range keys {
		if random.IntN(2) == 0 {
			entries[key] = json.RawMessage(rawValues[random.IntN(len(rawValues))])
		}
	}
	content, err := dockerconfig.RenderRaw(entries)
	if err != nil {
		panic(err)
	}
	s.Data[corev1.DockerConfigJsonKey] = content
	if random.IntN(4) > 0 {
		s.Labels[v1alpha1.ManagedLabel] = v1alpha1.ManagedValue
		sources := Sources{}
		if random.IntN(3) == 0 {
			sources[names[random.IntN(len(names))]] = Source{Written: map[string]string{"label team": printOf("shop"), "annotation note": printOf("0")}}
			s.Labels["team"], s.Annotations["note"] = "shop", "0"
		}
		for _, name := range append([]string{Adopted}, names...) {
			for _, key := range keys {
				if random.IntN(8) == 0 {
					source := sources[name]
					source.Keys = append(source.Keys, key)
					sources[name] = source
				}
			}
		}
		s.Annotations[v1alpha1.SourcesAnnotation] = sources.String()
	}
	damage(s, random)
	return s
}

// damage does, now and then, what others do to Secrets.
func damage(s *corev1.Secret, random *rand.Rand) {
	for chance, change := range map[int]func(){
		1: func() { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) },
		2: func() { delete(s.Annotations, v1alpha1.SourcesAnnotation) },
		3: func() { s.Annotations[v1alpha1.SourcesAnnotation] = `[]` },
		4: func() { s.Data["ca.crt"], s.Labels["team"] = []byte("theirs"), "shop" },
		5: func() { s.Immutable = ptr.To(true) },
		6: func() { s.Type = corev1.SecretTypeOpaque },
		7: func() { s.Annotations["meta.helm.sh/release-name"] = "web" },
		8: func() { s.Annotations[v1alpha1.AdoptedAnnotation] = v1alpha1.AdoptedValue },
	} {
		if random.IntN(8) == 0 && chance > 0 {
			change()
		}
	}
}

func orderDoesNotMatter(t *testing.T, seed uint64, random *rand.Rand, in Input, plan Plan) {
	shuffled := in
	shuffled.Contributions = slices.Clone(in.Contributions)
	random.Shuffle(len(shuffled.Contributions), func(i, j int) {
		c := shuffled.Contributions
		c[i], c[j] = c[j], c[i]
	})
	if diff := cmp.Diff(plan, Decide(shuffled)); diff != "" {
		t.Errorf("seed %d: the order of contributions matters:\n%s", seed, diff)
	}
}

func decidingAgainChangesNothing(t *testing.T, seed uint64, in Input, plan Plan) {
	if plan.Secret == nil {
		return
	}
	again := in
	again.Current, again.Now = plan.Secret, in.Now.Add(time.Hour)
	if next := Decide(again); next.Action != Keep {
		t.Errorf("seed %d: after %s it decides %s:\n%s", seed, plan.Action, next.Action, cmp.Diff(plan.Secret, next.Secret))
	}
}

func writesOnlyWhatKubeletsRead(t *testing.T, seed uint64, in Input, plan Plan) {
	if plan.Secret == nil {
		return
	}
	written := plan.Secret.Data[corev1.DockerConfigJsonKey]
	if err := dockerconfig.WouldBreakPulls(written); err != nil {
		t.Errorf("seed %d: what is written breaks pulls: %v", seed, err)
	}
	// Nothing is written but what a credential provides, and what is there under a recorded key.
	recorded := contentOf(in.Current).recorded.Keys()
	entries, err := dockerconfig.ParseRaw(written)
	if err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	for key := range entries {
		provided := slices.ContainsFunc(in.Contributions, func(c Contribution) bool { return !c.Config[key].IsZero() })
		if !provided && !slices.Contains(recorded, key) {
			t.Errorf("seed %d: nobody provides the entry %s", seed, key)
		}
	}
}

func keepsWhatIsNotOurs(t *testing.T, seed uint64, in Input, plan Plan) {
	if in.Current == nil || plan.Action == Keep || plan.Action == Refuse || plan.Action == Wait {
		return
	}
	if plan.Secret == nil {
		plan.Secret = &corev1.Secret{}
	}
	for key, value := range in.Current.Data {
		if key != corev1.DockerConfigJsonKey && !bytes.Equal(value, plan.Secret.Data[key]) {
			t.Errorf("seed %d: %s drops the key %s of somebody else", seed, plan.Action, key)
		}
	}
	for key, value := range in.Current.Labels {
		if !SourcesOf(in.Current.Annotations).written()[labelKind+key] && plan.Action == Update && plan.Secret.Labels[key] != value {
			t.Errorf("seed %d: %s changes the label %s of somebody else", seed, plan.Action, key)
		}
	}
	provided := map[string]bool{}
	for _, c := range in.Contributions {
		for key := range c.Config {
			provided[identity(key)] = true
		}
		if c.Config == nil { // held entries come before those of deleted credentials
			for _, key := range contentOf(in.Current).recorded[c.Credential].Keys {
				provided[identity(key)] = true
			}
		}
	}
	before := contentOf(in.Current)
	after, _ := dockerconfig.ParseRaw(plan.Secret.Data[corev1.DockerConfigJsonKey])
	for _, name := range append(before.recorded.Retained(in.Exists), Adopted) {
		for key, raw := range before.pick(before.recorded[name].Keys) {
			if !provided[identity(key)] && !bytes.Equal(after[key], raw) {
				t.Errorf("seed %d: %s drops or changes the entry %s of %s", seed, plan.Action, key, name)
			}
		}
	}
}

func touchesOnlyWhatItMay(t *testing.T, seed uint64, in Input, plan Plan) {
	owner := OwnerOf(in.Current)
	writes := !slices.Contains([]Action{Keep, Refuse, Wait}, plan.Action)
	adopts := slices.ContainsFunc(in.Contributions, func(c Contribution) bool { return c.Adopt && c.Config != nil })
	switch {
	case in.Current != nil && in.Current.Annotations[v1alpha1.AdoptedAnnotation] == v1alpha1.AdoptedValue && (plan.Action == Delete || plan.Action == Recreate):
		t.Errorf("seed %d: %s of a Secret that was there before", seed, plan.Action)
	case in.Current == nil && writes && plan.Action != Create:
		t.Errorf("seed %d: %s where there is nothing", seed, plan.Action)
	case in.Current != nil && !owner.Ours && writes && (plan.Action != Update || !owner.Adoptable || !adopts):
		t.Errorf("seed %d: %s of a foreign Secret", seed, plan.Action)
	case plan.Action == Update && !updatable(in.Current):
		t.Errorf("seed %d: an update that the API server does not take", seed)
	case plan.Action == Update && maps.EqualFunc(in.Current.Data, plan.Secret.Data, bytes.Equal) &&
		maps.Equal(in.Current.Annotations, plan.Secret.Annotations) && maps.Equal(in.Current.Labels, plan.Secret.Labels):
		t.Errorf("seed %d: an update that changes nothing", seed)
	}
}

// FuzzDecide gives it any content and any record.
func FuzzDecide(f *testing.F) {
	f.Add([]byte(`{"auths":{"a.example":{"auth":"dTpw"}}}`), `{"amber":{"revision":"1","keys":["a.example"],"changed":null}}`, true)
	f.Add([]byte(`{"auths":{"a.example":{"auth":"%%"}},"AUTHS":{}}`), `{"(adopted)":{"keys":["a.example"]}}`, false)
	f.Add([]byte(`[]`), `null`, true)
	f.Fuzz(func(t *testing.T, content []byte, recorded string, ours bool) {
		s := marked(withAnnotation(v1alpha1.SourcesAnnotation, recorded))
		s.Data[corev1.DockerConfigJsonKey] = content
		if ours {
			s.Labels[v1alpha1.ManagedLabel] = v1alpha1.ManagedValue
		}
		in := Input{
			Namespace: "shop", Name: "regcred", Now: noon, Exists: only("amber", "birch"), Current: s,
			Contributions: []Contribution{adopting(contribution("amber", 1, "1", config(t, "password", "b.example"))), contribution("birch", 2, "", nil)},
		}
		plan := Decide(in)
		writesOnlyWhatKubeletsRead(t, 0, in, plan)
		decidingAgainChangesNothing(t, 0, in, plan)
		keepsWhatIsNotOurs(t, 0, in, plan)
		touchesOnlyWhatItMay(t, 0, in, plan)
	})
}

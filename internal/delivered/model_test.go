package delivered

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/racedetector"
)

// plain is a board that keeps deliveries and counts nothing: what a Summary says is counted afresh each time it is asked.
type plain struct {
	deliveries map[string]map[Place]Delivery // by RegistryCredential
	generation map[string]int64
	named      map[string]map[string]bool // the Secret names that a RegistryCredential has or had
}

func (p *plain) name(credential, secretName string) {
	if p.named[credential] == nil {
		p.named[credential], p.deliveries[credential] = map[string]bool{}, map[Place]Delivery{}
	}
	p.named[credential][secretName] = true
}

func (p *plain) post(place Place, deliveries map[string]Delivery) {
	for credential, d := range deliveries {
		p.name(credential, place.Name)
		if d.Observed < p.generation[credential] {
			d.Selected = p.deliveries[credential][place].Selected
		}
		p.deliveries[credential][place] = d
	}
	for credential, all := range p.deliveries {
		if _, still := deliveries[credential]; !still {
			delete(all, place)
		}
	}
}

func (p *plain) selects(credential, secretName string, generation int64, namespaces []string) {
	p.name(credential, secretName)
	p.generation[credential] = generation
	for place, d := range p.deliveries[credential] {
		d.Selected = false
		p.deliveries[credential][place] = d
	}
	for _, namespace := range namespaces {
		place := Place{namespace, secretName}
		d := p.deliveries[credential][place]
		d.Selected = true
		p.deliveries[credential][place] = d
	}
}

func (p *plain) summary(credential, secretName string) Summary {
	s := Summary{Right: map[Served]int{}, Present: map[Version]int{}, Holding: map[Version]int{}, Causes: map[Cause]int{}}
	if p.named[credential][secretName] {
		s.Generation = p.generation[credential]
	}
	var places []Place
	for place := range p.deliveries[credential] {
		places = append(places, place)
	}
	slices.SortFunc(places, func(a, b Place) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
	kinds := map[dockerconfig.Finding]int{}
	for _, place := range places {
		d := p.deliveries[credential][place]
		if d.Revision != "" || d.Digest != "" {
			s.Holding[d.Version]++
		}
		here, leaves := place.Name == secretName, d.Reason == v1alpha1.ReasonNamespaceTerminating
		switch {
		case !d.Selected && !leaves:
			s.Unselected++
		case !d.Selected && here:
			s.Leaving = append(s.Leaving, Failure{place.Namespace, d})
		}
		if !d.Selected || !here {
			continue
		}
		s.Selected++
		reason, accounts := d.Reason, d.ServiceAccounts && d.Reason != ""
		if d.TakenBy != "" {
			reason, accounts = v1alpha1.ReasonRegistryTaken, false
		}
		switch {
		case d.Observed == 0:
			s.Unknown++
		case reason == "":
			s.Right[Served{d.Version, d.Generation}]++
		default:
			s.Causes[Cause{reason, accounts}]++
			if reason != v1alpha1.ReasonProgressing || accounts {
				s.Failures = append(s.Failures, Failure{place.Namespace, d})
			}
		}
		if d.Observed != 0 && d.TakenBy == "" && (d.Reason == "" || d.ServiceAccounts) {
			s.Present[d.Version]++
		}
		if (d.Finding != dockerconfig.Finding{}) {
			s.WithFindings++
			if kinds[d.Finding]++; kinds[d.Finding] == 1 {
				s.Findings = append(s.Findings, Found{d.Finding, place.Namespace, 0})
			}
		}
	}
	for i := range s.Findings {
		s.Findings[i].Namespaces = kinds[s.Findings[i].Finding]
	}
	return s
}

// TestASummaryCountsWhatIsThereHoweverItCameAbout compares the board with the plain one after each of many random events.
func TestASummaryCountsWhatIsThereHoweverItCameAbout(t *testing.T) {
	racedetector.Skip(t)
	reasons := []string{"", "", "", v1alpha1.ReasonProgressing, v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonNamespaceTerminating}
	findings := []dockerconfig.Finding{{}, {}, {Key: "a"}, {Key: "b"}}
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 7))
		pick := func(n int) string { return string(rune('a' + random.IntN(n))) }
		var told []string
		board := NewBoard(func(credential string) { told = append(told, credential) })
		model := &plain{map[string]map[Place]Delivery{}, map[string]int64{}, map[string]map[string]bool{}}
		for step := range 150 {
			before := map[string]Summary{}
			for _, credential := range []string{"a", "b"} {
				before[credential] = model.summary(credential, "a")
			}
			told = nil
			switch random.IntN(10) {
			case 0:
				credential := pick(2)
				board.Forget(credential)
				delete(model.deliveries, credential)
				delete(model.named, credential)
				delete(model.generation, credential)
				told = append(told, credential) // whoever forgets knows
			case 1, 2:
				var namespaces []string
				for _, namespace := range []string{"a", "b", "c", "d"} {
					if random.IntN(2) == 0 {
						namespaces = append(namespaces, namespace)
					}
				}
				credential, name, generation := pick(2), pick(2), int64(random.IntN(3)+1)
				board.Select(credential, name, generation, namespaces)
				model.selects(credential, name, generation, namespaces)
			default:
				deliveries := map[string]Delivery{}
				for range random.IntN(3) {
					d := Delivery{Selected: random.IntN(4) > 0, Version: Version{pick(3), pick(2)}, Reason: reasons[random.IntN(len(reasons))], Generation: 1,
						Observed: int64(random.IntN(4)), ServiceAccounts: random.IntN(2) == 0, Finding: findings[random.IntN(len(findings))]}
					if random.IntN(6) == 0 {
						d.TakenBy = "older"
					}
					if random.IntN(6) == 0 {
						d.Version = Version{}
					}
					deliveries[pick(2)] = d
				}
				place := Place{pick(4), pick(2)}
				board.Post(place, deliveries)
				model.post(place, deliveries)
			}
			for _, credential := range []string{"a", "b", "nobody"} {
				for _, name := range []string{"a", "b", "c"} {
					if diff := cmp.Diff(model.summary(credential, name), board.Summary(credential, name), cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("seed %d, step %d, %s under %s: counted afresh (-) and said (+):\n%s", seed, step, credential, name, diff)
					}
				}
				for place, want := range model.deliveries[credential] {
					if got, known := board.At(place, credential); !known || got != want {
						t.Fatalf("seed %d, step %d: at %v is %+v, want %+v", seed, step, place, got, want)
					}
				}
				if got, want := len(board.Places(credential)), len(model.deliveries[credential]); got != want {
					t.Fatalf("seed %d, step %d: %d places, want %d", seed, step, got, want)
				}
				changed := !cmp.Equal(before[credential], model.summary(credential, "a"), cmpopts.EquateEmpty())
				if credential != "nobody" && changed && !slices.Contains(told, credential) {
					t.Fatalf("seed %d, step %d: nobody is told that %s changed", seed, step, credential)
				}
			}
		}
	}
}

func TestASummaryNamesFewAndCountsAll(t *testing.T) {
	board := NewBoard(func(string) {})
	for i := range 50 {
		namespace := fmt.Sprintf("n-%02d", (i*7)%50)
		board.Post(Place{namespace, "regcred"}, map[string]Delivery{
			"a": {Selected: true, Observed: 1, Version: Version{Revision: fmt.Sprint("r", i)}, Reason: "QuotaExceeded", Finding: dockerconfig.Finding{Key: fmt.Sprint(i)}},
			"b": {Version: Version{Revision: "1"}, Reason: v1alpha1.ReasonNamespaceTerminating},
		})
	}
	board.Post(Place{"n-99", "regcred"}, map[string]Delivery{"a": {Selected: true, Observed: 1, Version: Version{Revision: "r1"}}})
	s, leaving := board.Summary("a", "regcred"), board.Summary("b", "regcred")
	if len(s.Failures) != Named || s.Failures[0].Namespace != "n-00" || s.Failures[19].Namespace != "n-19" || s.Causes[Cause{Reason: "QuotaExceeded"}] != 50 {
		t.Errorf("%d failures are named, from %s on", len(s.Failures), s.Failures[0].Namespace)
	}
	if len(s.Findings) != Named || s.WithFindings != 50 || len(leaving.Leaving) != Named || leaving.Unselected != 0 || leaving.Selected != 0 {
		t.Errorf("%d findings of %d, %d leave", len(s.Findings), s.WithFindings, len(leaving.Leaving))
	}
	if len(s.Holding) != most || s.Holding[Version{Revision: "r1"}] != 2 {
		t.Errorf("%d versions are told apart, and the most frequent is in %d", len(s.Holding), s.Holding[Version{Revision: "r1"}])
	}
}

func TestWhichVersionsAreOneValue(t *testing.T) {
	for _, test := range []struct {
		a, b Version
		want bool
	}{
		{Version{"1", "d"}, Version{"2", "d"}, true}, {Version{"1", "d"}, Version{"1", "e"}, false},
		{Version{"1", ""}, Version{"1", "e"}, true}, {Version{"1", "d"}, Version{"1", ""}, true}, {Version{"1", ""}, Version{"2", ""}, false},
	} {
		if got := test.a.SameValue(test.b); got != test.want {
			t.Errorf("%v, %v: %t", test.a, test.b, got)
		}
	}
	s := Summary{Holding: map[Version]int{{"1", "d"}: 2, {"2", "d"}: 3, {"3", "e"}: 4}, Causes: map[Cause]int{
		{Reason: "QuotaExceeded"}: 2, {Reason: "Contested", ServiceAccounts: true}: 3, {Reason: v1alpha1.ReasonProgressing}: 5}}
	if s.Holds(Version{"9", "d"}) != 5 || s.HoldsOther(Version{"9", "d"}) != 4 || s.Failed(false) != 2 || s.Failed(true) != 3 {
		t.Errorf("%d, %d, %d, %d", s.Holds(Version{"9", "d"}), s.HoldsOther(Version{"9", "d"}), s.Failed(false), s.Failed(true))
	}
}

func TestATouchIsToldOf(t *testing.T) {
	var told []string
	board := NewBoard(func(credential string) { told = append(told, credential) })
	board.Touch("a")
	board.Select("b", "regcred", 1, nil)
	board.Select("b", "regcred", 1, nil)
	if !slices.Equal(told, []string{"a", "b"}) {
		t.Errorf("%q", told)
	}
	if got := (Place{"n", "s"}).LogValues(); fmt.Sprint(got) != "[namespace n secret s]" {
		t.Errorf("%v", got)
	}
}

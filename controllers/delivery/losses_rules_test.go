package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/pullsecret"
)

// A namespace counts as one that lost a RegistryCredential where it is no longer to have it, and has nothing of it any more.
func TestWhichLossesCountAsANamespaceThatLostIt(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause cause
		left  *corev1.Secret
		want  int
	}{
		{"it is not selected any more, and the Secret is gone", deselected, nil, 1},
		{"it is not selected any more, and others have the Secret", deselected, kept(pullsecret.Sources{"other": {Keys: []string{"o.example"}}}, `{}`), 1},
		{"it is not selected any more, and an entry is still there", deselected, version("a", "5", "s.example"), 0},
		{"the namespace is protected now", protected, nil, 1},
		{"the namespace is protected now, and an entry is still there", protected, version("a", "5", "s.example"), 0},
		{"the RegistryCredential is deleted", deleted, nil, 1},
		{"the RegistryCredential is deleted, and an entry is still there", deleted, version("a", "5", "s.example"), 0},
		{"it has the entries under another name", renamed, nil, 0},
		{"it has the entries under another name, and others have the Secret", renamed, kept(pullsecret.Sources{"other": {Keys: []string{"o.example"}}}, `{}`), 0},
		{"a registry is not listed any more", unlisted, version("a", "5", "s.example"), 0},
		{"a registry is not listed any more, and was the only one", unlisted, nil, 0},
	} {
		g := newRig(t, 0)
		f := facts{place: ofShop, secret: version("a", "4", "r.example")}
		f.loses(credential("company"), []string{"r.example"}, test.cause)
		if g.r.tellOfLosses(t.Context(), f, test.left); g.r.Board.TakeRemoved("company") != test.want {
			t.Errorf("%s: it does not count as %d", test.name, test.want)
		}
	}
}

func TestWhyAllEntriesOfARegistryCredentialGo(t *testing.T) {
	gone, unreadable := credential("company"), credential("company")
	gone.DeletionTimestamp = ptr.To(metav1.Now())
	unreadable.Spec.Target.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}
	theirs, others := map[string]string{"team": "shop"}, map[string]string{"team": "web"}
	for _, test := range []struct {
		name     string
		object   *v1alpha1.RegistryCredential
		labels   map[string]string
		selected bool
		want     cause
	}{
		{"its selector does not match the namespace", credential("company"), others, false, deselected},
		{"its selector matches the namespace, which is not selected, and so is protected", credential("company"), theirs, false, protected},
		{"its selector cannot be read", unreadable, theirs, false, deselected},
		{"it selects the namespace, and so has another name for the Secret", credential("company"), theirs, true, renamed},
		{"it is being deleted, whatever it selects", gone, theirs, true, deleted},
		{"it is being deleted, and selects nothing there", gone, others, false, deleted},
	} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: test.labels}}
		if got := causeOf(test.object, namespace, test.selected); got != test.want {
			t.Errorf("%s: cause %d, want %d", test.name, got, test.want)
		}
	}
}

// writes keeps the events that are written, and refuses them with an error.
type writes struct {
	client.Writer
	events []*eventsv1.Event
	within []time.Duration
	fails  error
}

func (w *writes) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	end, _ := ctx.Deadline()
	w.events, w.within = append(w.events, object.(*eventsv1.Event)), append(w.within, time.Until(end))
	return w.fails
}

// Each RegistryCredential that a place loses is told of by an event of its own, whatever became of the others.
func TestEachOfSeveralLossesIsToldByItself(t *testing.T) {
	for name, fails := range map[string]error{"they are written": nil, "each is refused": errors.New("exceeded quota: events")} {
		t.Run(name, func(t *testing.T) {
			g, w := newRig(t, 0), &writes{fails: fails}
			g.r.Events = announce.Writer{Client: w, Now: func() time.Time { return g.now }}
			before := version("a", "4", "r.example")
			before.UID = "secret"
			f := facts{place: ofShop, secret: before}
			f.loses(credential("kept"), []string{"o.example"}, deselected) // which others provide
			f.loses(credential("company"), []string{"r.example", "o.example"}, deselected)
			f.loses(credential("none"), nil, deselected)
			f.loses(credential("moved"), []string{"m.example"}, renamed)
			f.loses(credential("less"), []string{"l.example"}, unlisted)
			f.loses(credential("gone"), []string{"g.example"}, deleted)
			g.r.tellOfLosses(t.Context(), f, kept(pullsecret.Sources{"other": {Keys: []string{"o.example"}}}, `{}`))
			var got []string
			for _, e := range w.events {
				got = append(got, e.Type+" "+e.Related.Name+" "+e.Note[:len("the entry for x.example was")])
				if e.Reason != v1alpha1.ReasonRemoved || e.Action != "Remove" || e.Namespace != "shop" ||
					e.Regarding != (corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "shop", Name: "regcred", UID: "secret", ResourceVersion: "4"}) ||
					e.Related.APIVersion != "regcred.dev/v1alpha1" || e.Related.Kind != "RegistryCredential" || string(e.Related.UID) != e.Related.Name {
					t.Errorf("%+v", e)
				}
			}
			want := []string{"Warning company the entry for r.example was", "Normal moved the entry for m.example was", "Warning less the entry for l.example was", "Warning gone the entry for g.example was"}
			if !slices.Equal(got, want) {
				t.Errorf("told is\n%q, want\n%q", got, want)
			}
			for _, within := range w.within { // an event that takes five seconds is given up
				if within > 5*time.Second || within < time.Second {
					t.Errorf("an event is waited for %s", within)
				}
			}
			for _, one := range []string{"kept", "company", "gone"} {
				if g.r.Board.TakeRemoved(one) != 1 {
					t.Errorf("that %s was lost is not counted", one)
				}
			}
		})
	}
}

func TestWhatIsGoneIsToldWhateverItsSpelling(t *testing.T) {
	for _, test := range []struct {
		name  string
		keys  []string
		left  pullsecret.Sources
		tells []string
	}{
		{"the lost one is spelled as an address", []string{"https://r.example/v1/"}, pullsecret.Sources{"other": {Keys: []string{"r.example"}}}, nil},
		{"what is left is spelled as an address", []string{"r.example/a"}, pullsecret.Sources{"other": {Keys: []string{"https://r.example"}}}, nil},
		{"its parts are spelled as addresses", []string{"r.example"}, pullsecret.Sources{"company": {Keys: []string{"https://r.example/a"}}}, nil},
		{"the lost one is spelled as an address, and its parts are left", []string{"https://r.example"}, pullsecret.Sources{"company": {Keys: []string{"r.example/a"}}}, nil},
		{"it is told as it was written", []string{"https://s.example/v1/"}, pullsecret.Sources{"company": {Keys: []string{"r.example"}}}, []string{"https://s.example/v1/"}},
		{"the second of two is provided", []string{"r.example", "s.example"}, pullsecret.Sources{"other": {Keys: []string{"t.example", "s.example"}}}, []string{"r.example"}},
	} {
		one := loss{credential: credential("company"), keys: slices.Clone(test.keys)}
		if got := one.gone(test.left); !slices.Equal(got, test.tells) || !slices.Equal(one.keys, test.keys) {
			t.Errorf("%s: it tells of %q, want %q; of %q it is still known", test.name, got, test.tells, one.keys)
		}
	}
}

func TestHowManyRegistriesAnEventNames(t *testing.T) {
	for want, keys := range map[string][]string{
		"a.example":                                  {"a.example"},
		"a.example, b.example, c.example":            {"a.example", "b.example", "c.example"},
		"a.example, b.example, c.example and 1 more": {"a.example", "b.example", "c.example", "d.example"},
		"a.example, b.example, c.example and 2 more": {"a.example", "b.example", "c.example", "d.example", "e.example"},
	} {
		if got := firstOf(keys); got != want {
			t.Errorf("%q are named %q, want %q", keys, got, want)
		}
	}
	if got := firstOf([]string{"a\x1b\n.example"}); strings.ContainsAny(got, "\x1b\n") {
		t.Errorf("%q", got)
	}
}

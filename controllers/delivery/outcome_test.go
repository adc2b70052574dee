package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
)

// kept is a Secret that records something.
func kept(sources pullsecret.Sources, config string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "regcred", ResourceVersion: "7", Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()}},
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(config)},
	}
}

func TestWhatIsToldOfAPlace(t *testing.T) {
	company, other := credential("company", "r.example"), credential("other", "o.example")
	company.Generation = 4
	written := pullsecret.Sources{"company": {Revision: "2", Digest: "d2", Keys: []string{"r.example"}}, "other": {Revision: "5", Digest: "d5", Keys: []string{"o.example"}}}
	right := delivered.Delivery{Selected: true, Version: delivered.Version{Revision: "2", Digest: "d2"}, Generation: 4, Observed: 4}
	with := func(change func(*delivered.Delivery)) *delivered.Delivery {
		d := right
		change(&d)
		return &d
	}
	held := func(reason, message string) *delivered.Delivery {
		return &delivered.Delivery{Version: delivered.Version{Revision: "2", Digest: "d2"}, Observed: 4, Reason: reason, Message: message}
	}
	quota, account := &problem{reason: v1alpha1.ReasonQuotaExceeded, message: "raise\x1bit"}, (&problem{reason: v1alpha1.ReasonServiceAccountNotFound, message: "none"}).ofAccount()
	for _, test := range []struct {
		name   string
		change func(o *outcome, f *facts)
		want   *delivered.Delivery
	}{
		{"all is right", func(*outcome, *facts) {}, &right},
		{"nothing is there yet", func(o *outcome, _ *facts) { o.secret = nil }, with(func(d *delivered.Delivery) { d.Version = delivered.Version{} })},
		{"the Secret cannot be written", func(o *outcome, _ *facts) { o.problem = quota },
			with(func(d *delivered.Delivery) { d.Reason, d.Message, d.Generation = quota.reason, "raise it", 3 })},
		{"its ServiceAccount is missing", func(o *outcome, _ *facts) { o.accounts = map[string]*problem{"default": account} },
			with(func(d *delivered.Delivery) {
				d.Reason, d.Message, d.ServiceAccounts, d.Generation = account.reason, "none", true, 3
			})},
		{"a ServiceAccount of another one is missing", func(o *outcome, _ *facts) { o.accounts = map[string]*problem{"builder": account} }, &right},
		{"there is no room for it", func(o *outcome, _ *facts) { o.refused = []string{"company"} },
			with(func(d *delivered.Delivery) { d.Reason, d.Message, d.Generation = full.reason, full.message, 3 })},
		{"there is no room for another one", func(o *outcome, _ *facts) { o.refused = []string{"other"} }, &right},
		{"an older one has its registry", func(o *outcome, _ *facts) {
			o.taken = []pullsecret.Taken{{Credential: "other", Winner: "x"}, {Credential: "company", Winner: "older"}}
		}, with(func(d *delivered.Delivery) { d.TakenBy = "older" })},
		{"the namespace is going: nothing is told", func(o *outcome, _ *facts) { o.problem = &problem{gone: true} }, nil},
		{"it does not select the place, and what it has there stays", func(_ *outcome, f *facts) {
			f.selecting, f.staying = nil, f.selecting
		}, held("", "")},
		{"it leaves, in a moment", func(_ *outcome, f *facts) {
			f.selecting, f.leaves, f.waits = nil, f.selecting, map[string]verdict{"company": {after: time.Second}}
		}, held(v1alpha1.ReasonProgressing, "the entry is to be removed")},
		{"it waits for a person", func(_ *outcome, f *facts) {
			f.selecting, f.staying, f.waits = nil, f.selecting, map[string]verdict{"company": {id: "abc"}}
		}, held(v1alpha1.ReasonRemovalUnconfirmed, "the entry stays, with present values, until removal abc is confirmed")},
		{"it leaves, and the Secret cannot be written", func(o *outcome, f *facts) {
			f.selecting, f.leaves, o.problem = nil, f.selecting, quota
		}, held(quota.reason, "raise it")},
		{"it waits for a person, and the Secret cannot be written", func(o *outcome, f *facts) {
			f.selecting, f.staying, f.waits, o.problem = nil, f.selecting, map[string]verdict{"company": {id: "abc"}}, quota
		}, held(quota.reason, "raise it")},
		{"it left", func(o *outcome, f *facts) {
			f.selecting, f.leaves, o.secret = nil, f.selecting, kept(pullsecret.Sources{}, `{"auths":{}}`)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			board := delivered.NewBoard(func(string) {})
			f := facts{place: delivered.Place{Namespace: "shop", Name: "regcred"}, selecting: []*v1alpha1.RegistryCredential{company}, exists: func(string) bool { return true }}
			board.Post(f.place, map[string]delivered.Delivery{"company": {Selected: true, Observed: 4, Generation: 3}})
			o := outcome{secret: kept(written, `{"auths":{"r.example":{"username":"u","password":"p"},"o.example":{"username":"u","password":"p"}}}`), asMeant: true}
			test.change(&o, &f)
			all := o.deliveries(f, board)
			got, told := all["company"]
			if told != (test.want != nil) || told && cmp.Diff(*test.want, got) != "" {
				t.Errorf("told is %t: %+v, want %+v", told, got, test.want)
			}
			if _, told := all[other.Name]; told {
				t.Error("something is told of one that is not concerned")
			}
		})
	}
}

func TestWhoIsToldOfAnEntryThatNobodyCanUse(t *testing.T) {
	const token = `{"identitytoken":"x"}`
	sources := pullsecret.Sources{"a": {Keys: []string{"a.example", "both.example"}}, "b": {Keys: []string{"b.example", "both.example"}}, "gone": {Keys: []string{"gone.example"}}}
	exists := func(name string) bool { return name != "gone" }
	for _, test := range []struct {
		name string
		key  string
		told []string
	}{
		{"it is of one", "a.example", []string{"a"}}, {"it is of another one that is gone", "gone.example", []string{"a", "b"}}, {"nobody recorded it", "free.example", []string{"a", "b"}},
		{"two recorded it", "both.example", nil},
	} {
		o := outcome{secret: kept(sources, `{"auths":{"`+test.key+`":`+token+`}}`)}
		findings, known := o.findings(), recorders(sources, exists)
		var told []string
		for _, name := range []string{"a", "b"} {
			if found := findingOf(name, findings, known); found.Key != "" {
				told = append(told, name)
			}
		}
		if !slices.Equal(told, test.told) {
			t.Errorf("%s: told are %q, want %q", test.name, told, test.told)
		}
	}
	if got := (outcome{}).findings(); got != nil {
		t.Errorf("without a Secret: %+v", got)
	}
	if got := (outcome{secret: kept(sources, `{"auths":{},"credsStore":"x"}`)}).findings(); len(got) > 0 {
		t.Errorf("what concerns the document is told as of an entry: %+v", got)
	}
	crowded := outcome{secret: kept(sources, `{"auths":{"a.example":{}`+strings.Repeat(`,"a.example":{}`, 5000)+`}}`)}
	if got := crowded.findings(); len(got) != 1 || got[0].Reason != dockerconfig.ReasonTooLarge {
		t.Errorf("more entries than are looked at: %+v", got)
	}
}

func TestWhenAPlaceIsLookedAtAgain(t *testing.T) {
	later, sooner := &problem{after: time.Hour}, &problem{after: time.Minute}
	for _, test := range []struct {
		name string
		o    outcome
		want time.Duration
	}{
		{"never, where all is right", outcome{}, 0},
		{"when the Secret may be repaired", outcome{problem: sooner}, time.Minute},
		{"when a ServiceAccount may be", outcome{accounts: map[string]*problem{"a": later}}, time.Hour},
		{"at the first of both", outcome{problem: sooner, accounts: map[string]*problem{"a": later, "b": nil}}, time.Minute},
		{"by the queue's back-off where a ServiceAccount is tried again", outcome{accounts: map[string]*problem{"a": {after: time.Minute, retry: true}}}, 0},
		{"by the queue's back-off where it is tried again", outcome{problem: &problem{after: time.Minute, retry: true}}, 0},
	} {
		if got := test.o.after(); got != test.want {
			t.Errorf("%s: after %s, want %s", test.name, got, test.want)
		}
	}
	if got := (facts{waits: map[string]verdict{"a": {after: time.Minute}, "b": {}, "c": {after: time.Hour}}}).after(); got != time.Minute {
		t.Errorf("removals that wait are looked at after %s", got)
	}
	var m memory
	var waits []time.Duration
	for range 20 {
		waits = append(waits, m.afterConflict())
	}
	if waits[0] != lookAgain || waits[1] != 2*lookAgain || waits[6] != 64*lookAgain || waits[7] != lookAgainMax || waits[19] != lookAgainMax {
		t.Errorf("after conflicts it is looked at again after %s", waits)
	}
}

func TestWhatIsTriedAgainAndWhatIsSettled(t *testing.T) {
	failed := &problem{reason: "R", message: "m", retry: true}
	right := outcome{secret: kept(pullsecret.Sources{}, "{}"), asMeant: true}
	unknown := outcome{secret: right.secret.DeepCopy(), asMeant: true}
	unknown.secret.ResourceVersion = ""
	for _, test := range []struct {
		name     string
		o        outcome
		settled  bool
		conflict bool
		retry    string
	}{
		{"all is right", right, true, false, ""},
		{"there is no Secret", outcome{asMeant: true}, false, false, ""},
		{"a webhook changed it", outcome{secret: right.secret}, false, false, ""},
		{"its version is not known", unknown, false, false, ""},
		{"a write failed", right.with(failed), false, false, "R: m"},
		{"a ServiceAccount could not be written", outcome{secret: right.secret, asMeant: true, accounts: map[string]*problem{"a": failed}}, false, false, "R: m"},
		{"a person must act", right.with(&problem{reason: "R"}), false, false, ""},
		{"somebody was faster", right.with(&problem{conflict: true}), false, true, ""},
		{"somebody was faster at a ServiceAccount", outcome{accounts: map[string]*problem{"a": {conflict: true}}}, false, true, ""},
	} {
		err := test.o.retry()
		if test.o.settled() != test.settled || test.o.conflict() != test.conflict || (err == nil) != (test.retry == "") || err != nil && err.Error() != test.retry {
			t.Errorf("%s: settled %t, conflict %t, again %v", test.name, test.o.settled(), test.o.conflict(), err)
		}
	}
}

func TestOfANamespaceThatIsBeingDeletedItIsToldThatItIs(t *testing.T) {
	company := credential("company", "r.example")
	company.Generation = 4
	got := facts{selecting: []*v1alpha1.RegistryCredential{company}}.leaving()
	want := map[string]delivered.Delivery{"company": {Observed: 4, Reason: v1alpha1.ReasonNamespaceTerminating, Message: "the namespace is being deleted: nothing is written there"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

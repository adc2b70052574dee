package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

// oracle is a registry that notes what it is asked.
type oracle struct {
	asked  []verify.Question
	answer verify.Answer
}

func (o *oracle) Ask(_ context.Context, question verify.Question) verify.Answer {
	o.asked = append(o.asked, question)
	return o.answer
}

// inUse are the images that pods use.
type inUse struct {
	images []string
	fails  error
	looked int
}

func (u *inUse) InUse(_ context.Context, _ []string, matches func(string) bool, limit int) (found []string, err error) {
	u.looked++
	for _, image := range u.images {
		if matches(image) && len(found) < limit {
			found = append(found, image)
		}
	}
	return found, u.fails
}

func loginBy(t *testing.T, password string) dockerconfig.Credential {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// isLogin reports whether a credential is the one of a password. It prints none, so that it is compared as it is rendered.
func isLogin(credential dockerconfig.Credential, password string) bool {
	return strings.Contains(string(dockerconfig.Config{host: credential}.Render()), `"`+password+`"`)
}

// question is a state in which "old" is in use and "new" waits, and whom a controller asks about them.
type question struct {
	*Reconciler
	t      *testing.T
	run    *run
	oracle *oracle
	pods   *inUse
	ended  chan string
}

func newQuestion(t *testing.T) *question {
	t.Helper()
	r, _ := reporting(t, 1, 1)
	q := &question{Reconciler: r, t: t, oracle: &oracle{answer: verify.Answer{Verdict: verify.ValueAccepted}}, pods: &inUse{}, ended: make(chan string, 10)}
	r.Asker, r.Images, r.Now = q.oracle, q.pods, func() time.Time { return noon }
	r.tests.listen(t.Context(), func(name string) { q.ended <- name })
	f := served()
	f.waits(rotation.Hold, "")
	q.run = f.run
	q.run.object = reported("mine")
	q.run.object.Spec.Registries, q.run.object.Spec.Verification = []v1alpha1.Registry{host}, nil
	s := &q.run.state
	s.Config, s.Waiting.Config = dockerconfig.Config{host: loginBy(t, "old")}, dockerconfig.Config{host: loginBy(t, "new")}
	return q
}

// about asks about a login and gives what was asked, and what is noted of it.
func (q *question) about(account rotation.Account) (verify.Question, []result) {
	q.t.Helper()
	if err := q.ask(q.t.Context(), q.run, account); err != nil {
		q.t.Fatal(err)
	}
	<-q.ended
	if len(q.oracle.asked) == 0 {
		return verify.Question{}, q.tests.answers["mine"]
	}
	return q.oracle.asked[0], q.tests.answers["mine"]
}

func TestWhatARegistryIsAsked(t *testing.T) {
	waiting := accountAt("two")
	elsewhere := rotation.Account{Print: "elsewhere", Host: "other.example", Keys: []string{"other.example"}}
	for _, test := range []struct {
		name      string
		change    func(q *question)
		loginOnly bool
		named     []string
		sampled   []string
		contrast  bool
		looked    int
	}{
		{"about a new value, with what pods use, beside the value in use", func(q *question) {
			q.pods.images = []string{host + "/a:1", "other.example/b:1"}
		}, false, nil, []string{host + "/a:1"}, true, 1},
		{"for the login alone, where the spec says so", func(q *question) { q.run.spec.Mode = v1alpha1.VerifyLogin }, true, nil, nil, true, 0},
		{"for the images that the spec names for its keys, and no others", func(q *question) {
			q.run.object.Spec.Registries = append(q.run.object.Spec.Registries, "other.example")
			q.run.spec.Images = []string{host + "/named:1", "other.example/b:1"}
			q.pods.images = []string{host + "/a:1"}
		}, false, []string{host + "/named:1"}, nil, true, 0},
		{"without the value in use, where that is refused: it would be shown for nothing", func(q *question) {
			q.run.state.Tests["one"] = rotation.Test{Verdict: rotation.Rejected}
		}, false, nil, nil, false, 1},
		{"without the value in use, where that has the same login", func(q *question) {
			q.run.state.Accounts, q.run.state.Config = []rotation.Account{waiting}, q.run.state.Waiting.Config
		}, false, nil, nil, false, 1},
		{"without what is in use at another registry", func(q *question) {
			q.run.state.Accounts = []rotation.Account{elsewhere}
			q.run.state.Config = dockerconfig.Config{"other.example": loginBy(q.t, "old")}
		}, false, nil, nil, false, 1},
		{"beside what is in use at the same registry, where there is more", func(q *question) {
			q.run.state.Accounts = []rotation.Account{elsewhere, accountAt("one")}
			q.run.state.Config["other.example"] = loginBy(q.t, "other")
		}, false, nil, nil, true, 1},
		{"beside what is in use at the same registry under another key: that is another question", func(q *question) {
			q.run.state.Accounts = []rotation.Account{{Print: "one", Host: host, Keys: []string{host + "/team"}}}
			q.run.state.Config = dockerconfig.Config{host + "/team": loginBy(q.t, "old")}
			q.run.spec = &rotation.Spec{Mode: v1alpha1.VerifyPull, Images: []string{host + "/app:1"}}
		}, false, []string{host + "/app:1"}, nil, true, 0},
		{"with what pods use of what the spec lists, where the key is a whole host", func(q *question) {
			q.run.object.Spec.Registries = []v1alpha1.Registry{host + "/team"}
			q.pods.images = []string{host + "/others/a:1", host + "/team/a:1"}
		}, false, nil, []string{host + "/team/a:1"}, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQuestion(t)
			test.change(q)
			q.oracle.answer.InUse = verify.ValueAccepted
			asked, noted := q.about(waiting)
			if asked.LoginOnly != test.loginOnly || !slices.Equal(asked.Named, test.named) || !slices.Equal(asked.Sampled, test.sampled) || q.pods.looked != test.looked {
				t.Errorf("it is asked %+v after %d looks at pods", asked, q.pods.looked)
			}
			if !slices.Equal(asked.Keys, []string{host}) || !isLogin(asked.Credential, "new") {
				t.Error("it is not asked about the value that waits")
			}
			if (asked.InUse != nil) != test.contrast {
				t.Fatalf("it is shown the value in use: %t", asked.InUse != nil)
			}
			inUse := q.run.state.Accounts[len(q.run.state.Accounts)-1]
			if test.contrast && (!isLogin(asked.InUse.Credential, "old") || !slices.Equal(asked.InUse.Keys, inUse.Keys)) {
				t.Error("what it is shown beside it is not the value in use there")
			}
			if want := map[bool]int{true: 2, false: 1}[test.contrast]; len(noted) != want {
				t.Fatalf("%d answers are noted", len(noted))
			}
			if noted[0].aside || noted[0].account.Print != "two" || noted[0].question != q.run.spec.Question(waiting) {
				t.Errorf("noted is %+v", noted[0].answered)
			}
			if test.contrast && (!noted[1].aside || noted[1].account.Print != "one" || noted[1].question != q.run.spec.Question(inUse)) {
				t.Errorf("noted of the value in use is %+v", noted[1].answered)
			}
		})
	}
}

// A value that is read again, and one that was before, are asked about too.
func TestEachValueThatIsKnownCanBeAskedAbout(t *testing.T) {
	for name, place := range map[string]func(*rotation.State, rotation.Value){
		"an older answer":  func(s *rotation.State, v rotation.Value) { s.Older = &rotation.Older{Value: v} },
		"the value before": func(s *rotation.State, v rotation.Value) { s.Previous = &rotation.Previous{Value: v} },
		"what waits":       func(s *rotation.State, v rotation.Value) { s.Waiting = &rotation.Waiting{Value: v} },
		"what is in use":   func(s *rotation.State, v rotation.Value) { s.Value = v },
	} {
		q := newQuestion(t)
		place(&q.run.state, rotation.Value{Digest: "third", Accounts: []rotation.Account{accountAt("third")}, Config: dockerconfig.Config{host: loginBy(t, "third")}})
		if asked, _ := q.about(accountAt("third")); !isLogin(asked.Credential, "third") {
			t.Errorf("%s: it is asked %+v", name, asked)
		}
	}
	q := newQuestion(t)
	if err := q.ask(t.Context(), q.run, accountAt("nobody's")); err != nil || len(q.tests.asks) > 0 {
		t.Errorf("of a value whose content is not known nothing can be asked: %v", err)
	}
}

// "That a registry is about to be asked is kept first": a crash loop would ask it again and again.
func TestNobodyIsAskedWhatIsNotKept(t *testing.T) {
	q := newQuestion(t)
	p := &kept{refuse: 1}
	q.Store = records.NewStore(p.client().CoreV1(), "regcred-system", func(string) {})
	if err := q.ask(t.Context(), q.run, accountAt("two")); err == nil {
		t.Error("it is not told")
	}
	if len(q.tests.asks) > 0 || len(q.oracle.asked) > 0 {
		t.Error("the registry is asked all the same")
	}
}

func TestWhereImagesCannotBeListedTheRegistryIsNotAsked(t *testing.T) {
	q := newQuestion(t)
	q.pods.fails = errors.New("away")
	_, noted := q.about(accountAt("two"))
	if len(q.oracle.asked) > 0 || len(noted) != 1 || noted[0].answer.Verdict != rotation.Unknown || !strings.Contains(noted[0].answer.Message, "could not be listed") {
		t.Errorf("asked %d times, noted %+v", len(q.oracle.asked), noted)
	}
}

// noRegistry has nobody be there who answers as a registry does, now and before.
func noRegistry(q *question) {
	q.run.state.Tests, q.oracle.answer = nil, verify.Answer{Verdict: verify.ValueUnknown, NoRegistry: true}
}

// An image that a kubelet takes for another registry's is told where nothing else can be asked for, and nobody else serves it.
func TestAnImageThatNearlyHasACredentialIsTold(t *testing.T) {
	near := "Registry.example/a:1"
	for _, test := range []struct {
		name   string
		images []string
		others string
		want   string
		change func(q *question)
	}{
		{"one whose host is written otherwise", []string{"other.example/a:1", near}, "", near, nil},
		{"beside one that can be asked for", []string{near, host + "/b:1"}, "", "", nil},
		{"one that another RegistryCredential is for", []string{near}, "Registry.example", "", nil},
		{"one that only its own value, of the registries before, is for", []string{near}, "", near, func(q *question) {
			q.run.state.Config["Registry.example"] = loginBy(t, "old")
		}},
		{"one that has nothing to do with it", []string{"other.example/a:1"}, "", "", nil},
		{"one that another is for, where nothing answers as a registry does", []string{host + ":5000/a:1"}, host + ":5000", host + ":5000/a:1", noRegistry},
		{"one that nobody serves comes before it", []string{host + ":5000/a:1", near}, host + ":5000", near, noRegistry},
		{"one that the spec lists, too", []string{host + ":5000/a:1"}, "", "", func(q *question) {
			noRegistry(q)
			q.run.object.Spec.Registries = append(q.run.object.Spec.Registries, host+":5000")
		}},
		{"one that another is for, where the registry said yes before", []string{host + ":5000/a:1"}, host + ":5000", "", func(q *question) {
			noRegistry(q)
			q.run.state.NoteAnswer(accountAt("one"), "", rotation.Answer{Verdict: rotation.Accepted}, noon)
		}},
	} {
		q := newQuestion(t)
		if test.change != nil {
			test.change(q)
		}
		q.pods.images = test.images
		if test.others != "" {
			value := rotation.Value{Config: dockerconfig.Config{test.others: loginBy(t, "x")}, Revision: "1", Digest: "d"}
			if err := q.Store.Save(t.Context(), records.Record{Credential: "other", UID: "other", Kept: rotation.Kept{Value: value}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, noted := q.about(accountAt("two")); len(noted) == 0 || noted[0].answer.NearMiss != test.want {
			t.Errorf("%s: %+v", test.name, noted)
		}
	}
}

// Where no image in use is from the registry, people are told from where those in use are that nobody serves.
func TestWhereTheImagesInUseAreFromIsTold(t *testing.T) {
	for _, test := range []struct {
		name   string
		images []string
		others string
		want   []string
	}{
		{"none is in use", nil, "", nil},
		{"one can be asked for", []string{"other.example/b:1", host + "/a:1"}, "", nil},
		{"some are from elsewhere, each host once", []string{"quay.io/a:1", host + ":5000/a:1", "quay.io/b:1", "nginx", "///"}, "", []string{"docker.io", "quay.io", host + ":5000"}},
		{"another RegistryCredential is for one of them", []string{"quay.io/a:1", host + ":5000/a:1"}, "quay.io", []string{host + ":5000"}},
		{"three are told", []string{"a.example/x", "b.example/x", "c.example/x", "d.example/x"}, "", []string{"a.example", "b.example", "c.example"}},
	} {
		q := newQuestion(t)
		q.pods.images = test.images
		if test.others != "" {
			value := rotation.Value{Config: dockerconfig.Config{test.others: loginBy(t, "x")}, Revision: "1", Digest: "d"}
			if err := q.Store.Save(t.Context(), records.Record{Credential: "other", UID: "other", Kept: rotation.Kept{Value: value}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, noted := q.about(accountAt("two")); len(noted) == 0 || !slices.Equal(noted[0].answer.Elsewhere, test.want) {
			t.Errorf("%s: %+v", test.name, noted)
		}
	}
}

// "Leases are given back only where that is kept": a state that shares them with the next one would lose them.
func TestALeaseThatIsGivenUpIsToldOnceThatIsKept(t *testing.T) {
	q := newQuestion(t)
	recorder := events.NewFakeRecorder(10)
	q.Events = announce.New(recorder)
	lease := rotation.Lease{Lease: source.Lease{ID: "robots/creds/a/1", Obtained: noon, Duration: time.Hour}, Since: noon}
	q.run.state.Obsolete = []rotation.Lease{lease}
	server := &kept{refuse: 1}
	q.Store = records.NewStore(server.client().CoreV1(), "regcred-system", func(string) {})
	if err := q.giveUp(t.Context(), q.run, lease); err == nil || len(heardOf(recorder)) > 0 || len(q.run.state.Obsolete) != 1 {
		t.Errorf("it is not kept, and it is told or forgotten: %v, %+v", err, q.run.state.Obsolete)
	}
	if err := q.giveUp(t.Context(), q.run, lease); err != nil || len(q.run.state.Obsolete) != 0 {
		t.Errorf("%v, %+v", err, q.run.state.Obsolete)
	}
	if told := heardOf(recorder); len(told) != 1 || !strings.Contains(told[0], "works until 2026-03-01T13:00:00Z") {
		t.Errorf("told %q", told)
	}
}

func TestTheLeasesOfAnObjectAreEachGivenBackOnce(t *testing.T) {
	q := newQuestion(t)
	first, second := &source.Lease{ID: "a"}, source.Lease{ID: "b"}
	recorded := rotation.Kept{Value: rotation.Value{Config: dockerconfig.Config{}, Lease: first}, Obsolete: []rotation.Lease{{Lease: second}}}
	if err := q.Store.Save(t.Context(), records.Record{Credential: "mine", UID: q.run.object.UID, Kept: recorded}); err != nil {
		t.Fatal(err)
	}
	memory, _ := q.memories.of(q.run.object, noon)
	memory.pending = &pending{next: rotation.Kept{Value: recorded.Value, Obsolete: []rotation.Lease{{Lease: source.Lease{ID: "c"}}}}}
	var ids []string
	for _, lease := range q.leasesOf(q.run.object) {
		ids = append(ids, lease.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("%q", ids)
	}
	namesake := q.run.object.DeepCopy()
	namesake.UID = "another"
	if leases := q.leasesOf(namesake); len(leases) > 0 {
		t.Errorf("an object of the same name has %+v", leases)
	}
}

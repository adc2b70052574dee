package injection

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// asking is a RegistryCredential with attach: Pods, as old as its number says.
func asking(number int, change func(*v1alpha1.Target)) v1alpha1.RegistryCredential {
	c := v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("c", number), UID: types.UID(fmt.Sprint("u", number)), Generation: 1,
		CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(number) * time.Second))}}
	c.Spec.Target.Attach = v1alpha1.AttachPods
	change(&c.Spec.Target)
	return c
}

func names(names ...v1alpha1.NamespaceName) func(*v1alpha1.Target) {
	return func(t *v1alpha1.Target) { t.Namespaces = names }
}

func team(name string) func(*v1alpha1.Target) {
	return func(t *v1alpha1.Target) {
		t.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
	}
}

func both(changes ...func(*v1alpha1.Target)) func(*v1alpha1.Target) {
	return func(t *v1alpha1.Target) {
		for _, change := range changes {
			change(t)
		}
	}
}

func secret(name string) func(*v1alpha1.Target) {
	return func(t *v1alpha1.Target) { t.SecretName = name }
}

func excluding(names ...v1alpha1.NamespaceName) func(*v1alpha1.Target) {
	return func(t *v1alpha1.Target) { t.ExcludedNamespaces = names }
}

func TestBuild(t *testing.T) {
	ofTeam := func(name string, excluded ...string) v1alpha1.InjectionSelector {
		return v1alpha1.InjectionSelector{Labels: map[string]string{"team": name}, Excluded: excluded}
	}
	for _, test := range []struct {
		name        string
		credentials []v1alpha1.RegistryCredential
		want        []v1alpha1.InjectedSecret
		served      int
	}{
		{name: "nobody asks", credentials: []v1alpha1.RegistryCredential{
			asking(1, both(names("a"), func(t *v1alpha1.Target) { t.Attach = "" })), asking(2, both(names("a"), func(t *v1alpha1.Target) { t.Attach = v1alpha1.AttachNone }))}},
		{name: "names and labels", credentials: []v1alpha1.RegistryCredential{asking(1, both(names("b", "a"), team("shop"), excluding("x")))}, served: 1,
			want: []v1alpha1.InjectedSecret{{Name: "regcred", Namespaces: []string{"a", "b"}, Selectors: []v1alpha1.InjectionSelector{ofTeam("shop", "x")}}}},
		{name: "two of one Secret", credentials: []v1alpha1.RegistryCredential{asking(2, both(names("b", "a"), team("web"))), asking(1, both(names("a"), team("shop")))}, served: 2,
			want: []v1alpha1.InjectedSecret{{Name: "regcred", Namespaces: []string{"a", "b"}, Selectors: []v1alpha1.InjectionSelector{ofTeam("shop"), ofTeam("web")}}}},
		{name: "two Secrets", credentials: []v1alpha1.RegistryCredential{asking(1, both(names("a"), secret("z"))), asking(2, both(names("a"), secret("b")))}, served: 2,
			want: []v1alpha1.InjectedSecret{{Name: "b", Namespaces: []string{"a"}}, {Name: "z", Namespaces: []string{"a"}}}},
		{name: "an excluded namespace is not selected, also where it is named", credentials: []v1alpha1.RegistryCredential{asking(1, both(names("a", "b"), excluding("a")))}, served: 1,
			want: []v1alpha1.InjectedSecret{{Name: "regcred", Namespaces: []string{"b"}}}},
		{name: "a selector that cannot be read selects nothing", credentials: []v1alpha1.RegistryCredential{asking(1, both(names("a"), team("-no value-")))}, served: 1},
		{name: "an empty selector selects nothing", credentials: []v1alpha1.RegistryCredential{asking(1, func(t *v1alpha1.Target) { t.NamespaceSelector = &metav1.LabelSelector{} })}, served: 1},
		{name: "one that is being deleted", credentials: []v1alpha1.RegistryCredential{func() v1alpha1.RegistryCredential {
			c := asking(1, names("a"))
			c.DeletionTimestamp = &metav1.Time{Time: noon}
			return c
		}()}},
		{name: "one that is suspended", credentials: []v1alpha1.RegistryCredential{func() v1alpha1.RegistryCredential {
			c := asking(1, names("a"))
			c.Spec.Suspend = true
			return c
		}()}, served: 1, want: []v1alpha1.InjectedSecret{{Name: "regcred", Namespaces: []string{"a"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Build(test.credentials)
			if diff := cmp.Diff(test.want, got.Spec.Secrets); diff != "" {
				t.Errorf("wanted (-) and built (+):\n%s", diff)
			}
			if len(got.Served) != test.served {
				t.Errorf("served are %+v", got.Served)
			}
		})
	}
}

func TestAFullIndexKeepsTheOlderOnes(t *testing.T) {
	var crowd []v1alpha1.RegistryCredential
	many := func(t *v1alpha1.Target) {
		for i := range 1000 {
			t.Namespaces = append(t.Namespaces, v1alpha1.NamespaceName(fmt.Sprintf("%s-%04d", strings.Repeat("n", 58), i)))
		}
	}
	for i := range 8 {
		crowd = append(crowd, asking(i, both(many, secret(fmt.Sprint("s", i)))))
	}
	crowd = append(crowd, asking(9, both(team("small"), secret("small"))))
	want := Build(crowd)
	var left []string
	for _, entry := range want.Served {
		if entry.Left {
			left = append(left, entry.Name)
		}
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"c3", "c4", "c5", "c6", "c7"}) {
		t.Errorf("left out are %v", left)
	}
	total := 0
	for i := range want.Spec.Secrets {
		total += len(textOf(&want.Spec.Secrets[i]))
	}
	if total > MaxIndex {
		t.Errorf("the index has %d bytes", total)
	}
	for range 20 { // a cache lists in any order
		rand.Shuffle(len(crowd), func(i, j int) { crowd[i], crowd[j] = crowd[j], crowd[i] })
		if diff := cmp.Diff(want, Build(crowd)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestBookSaysWhoseSecretPodsGet(t *testing.T) {
	stands := State{Known: true}
	first, second := asking(1, names("a")), asking(2, names("b"))
	content := Build([]v1alpha1.RegistryCredential{first, second})
	newer := asking(1, names("a", "c"))
	newer.Generation = 2
	same := *first.DeepCopy()
	same.Generation, same.Spec.Suspend = 2, true
	leaving := *first.DeepCopy()
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	var told []string
	written := func(b *Book) { b.Written(content, time.Time{}, false) }
	failed := func(b *Book) { b.Failed(content, false, fmt.Errorf("no such right")) }
	lost := func(b *Book) { b.Failed(content, true, fmt.Errorf("no such kind")) }
	for _, test := range []struct {
		name       string
		happened   []func(*Book)
		policy     State
		credential v1alpha1.RegistryCredential
		want       State
		told       string
	}{
		{name: "nothing is written yet", policy: stands, credential: first},
		{name: "it is written", happened: []func(*Book){written}, policy: stands, credential: first, want: stands, told: "c1 c2"},
		{name: "it is written again", happened: []func(*Book){written, written}, policy: stands, credential: first, want: stands, told: "c1 c2"},
		{name: "its spec is newer than what is written", happened: []func(*Book){written}, policy: stands, credential: newer, told: "c1 c2"},
		{name: "the policy is missing", happened: []func(*Book){written}, policy: State{Known: true, Fault: "gone"}, credential: first, want: State{Known: true, Fault: "gone"}, told: "c1 c2"},
		{name: "it cannot be written", happened: []func(*Book){failed}, policy: stands, credential: first, told: "c1 c2",
			want: State{Known: true, Fault: "the InjectionIndex regcred, which the policy reads, cannot be written (no such right)", Unseen: true}},
		{name: "what was written before still holds", happened: []func(*Book){written, failed}, policy: stands, credential: first, want: stands, told: "c1 c2 c1 c2"},
		{name: "what changed since cannot be written", happened: []func(*Book){written, failed}, policy: stands, credential: newer, told: "c1 c2 c1 c2",
			want: State{Known: true, Fault: "the InjectionIndex regcred, which the policy reads, cannot be written (no such right)", Unseen: true}},
		{name: "its spec is newer, and selects the same", happened: []func(*Book){written}, policy: stands, credential: same, want: stands, told: "c1 c2"},
		{name: "what changed since is not what it selects, and nothing can be written", happened: []func(*Book){written, failed}, policy: stands, credential: same, want: stands, told: "c1 c2 c1 c2"},
		{name: "what was written before is lost and cannot be written", happened: []func(*Book){written, lost}, policy: stands, credential: first, told: "c1 c2 c1 c2",
			want: State{Known: true, Fault: "the InjectionIndex regcred, which the policy reads, cannot be written (no such kind)"}},
		{name: "it is written at last", happened: []func(*Book){failed, written}, policy: stands, credential: first, want: stands, told: "c1 c2 c1 c2"},
		{name: "it is being deleted", happened: []func(*Book){written}, policy: stands, credential: leaving, want: stands, told: "c1 c2"},
		{name: "there is no room", happened: []func(*Book){func(b *Book) {
			b.Written(Content{Served: map[types.UID]Entry{"u1": {Name: "c1", Generation: 1, Left: true}}}, noon, false)
		}}, policy: stands, credential: first, told: "c1", want: State{Known: true, Full: true, Fault: "the InjectionIndex regcred, which the policy reads, is full: it holds 256 KiB"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			told = nil
			b := NewBook(func(credential string, _ bool) { told = append(told, credential) })
			for _, happened := range test.happened {
				before := len(told)
				happened(b)
				slices.Sort(told[before:])
			}
			if got := b.State(test.policy, &test.credential); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if got := strings.Join(told, " "); got != test.told {
				t.Errorf("told %q, want %q", got, test.told)
			}
		})
	}
}

func TestBookSaysSinceWhenPodsGetASecret(t *testing.T) {
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	first, other := asking(1, names("a")), asking(2, names("b"))
	wider := asking(1, names("a", "c"))
	suspended := asking(1, func(t *v1alpha1.Target) { names("a")(t) })
	suspended.Spec.Suspend = true
	build := func(credentials ...v1alpha1.RegistryCredential) Content { return Build(credentials) }
	full := build(first)
	full.Served["u1"] = Entry{Name: "c1", Generation: 1, Left: true, Selects: full.Served["u1"].Selects}
	for _, test := range []struct {
		name   string
		second func(*Book)
		policy time.Time
		want   time.Time
	}{
		{name: "a second look finds it as it was", second: func(b *Book) { b.Written(build(first), minute(2), false) }, want: minute(1)},
		{name: "another RegistryCredential came", second: func(b *Book) { b.Written(build(first, other), minute(2), false) }, want: minute(1)},
		{name: "something else of its spec changed", second: func(b *Book) { b.Written(build(suspended), minute(2), false) }, want: minute(1)},
		{name: "it selects more", second: func(b *Book) { b.Written(build(wider), minute(2), false) }, want: minute(2)},
		{name: "the index was deleted meanwhile", second: func(b *Book) { b.Written(build(first), minute(2), true) }, want: minute(2)},
		{name: "it had no room for a while", second: func(b *Book) { b.Written(full, minute(2), false); b.Written(build(first), minute(3), false) }, want: minute(3)},
		{name: "it could not be written for a while, and stayed", second: func(b *Book) {
			b.Failed(build(first), false, fmt.Errorf("away"))
			b.Written(build(first), minute(2), false)
		}, want: minute(1)},
		{name: "it was lost for a while", second: func(b *Book) {
			b.Failed(build(first), true, fmt.Errorf("no such kind"))
			b.Written(build(first), minute(2), false)
		}, want: minute(2)},
		{name: "the policy is younger", second: func(*Book) {}, policy: minute(7), want: minute(7)},
		{name: "the policy is older", second: func(*Book) {}, policy: minute(-7), want: minute(1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := NewBook(func(string, bool) {})
			b.Written(build(first), minute(1), false)
			test.second(b)
			if got := b.State(State{Known: true, Since: test.policy}, &first); !got.Standing() || !got.Since.Equal(test.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBookTellsATimeFromAChange(t *testing.T) {
	content := Build([]v1alpha1.RegistryCredential{asking(1, names("a"))})
	wider := Build([]v1alpha1.RegistryCredential{asking(1, names("a", "b"))})
	var told []string
	b := NewBook(func(credential string, since bool) { told = append(told, fmt.Sprint(credential, " ", since)) })
	for _, step := range []struct {
		name    string
		happens func()
		want    []string
	}{
		{"it is written for the first time", func() { b.Written(content, noon, false) }, []string{"c1 false"}},
		{"it is there", func() { b.Written(content, noon, false) }, nil},
		{"it was deleted and is back", func() { b.Written(content, noon.Add(time.Minute), true) }, []string{"c1 true"}},
		{"it selects more", func() { b.Written(wider, noon.Add(time.Hour), false) }, []string{"c1 false"}},
		{"it cannot be written", func() { b.Failed(wider, false, fmt.Errorf("away")) }, []string{"c1 false"}},
	} {
		told = nil
		if step.happens(); !slices.Equal(told, step.want) {
			t.Errorf("%s: told %q", step.name, told)
		}
	}
}

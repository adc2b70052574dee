package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// appliedBy has a field manager apply the list of a ServiceAccount.
func appliedBy(account *corev1.ServiceAccount) {
	account.ManagedFields = append(account.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: "argocd-controller", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:imagePullSecrets":{}}`),
	})
}

// givenIt has regcred have given the Secret to a ServiceAccount a while ago.
func givenIt(account *corev1.ServiceAccount, names ...string) {
	noted := map[string]metav1.Time{}
	for _, name := range names {
		noted[name] = metav1.NewTime(time.Unix(1_700_000_000, 0).UTC())
		account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	text, _ := json.Marshal(noted)
	account.Annotations = map[string]string{v1alpha1.AttachedAnnotation: string(text)}
}

// leaving is a ServiceAccount that is being deleted.
func leaving(account *corev1.ServiceAccount) {
	account.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
}

func namesOf(sent map[string]any) string {
	var names []string
	list, _ := sent["imagePullSecrets"].([]any)
	for _, one := range list {
		names = append(names, fmt.Sprint(one.(map[string]any)["name"]))
	}
	return strings.Join(names, " ")
}

func notedIn(t *testing.T, sent map[string]any) map[string]metav1.Time {
	t.Helper()
	text, _ := sent["metadata"].(map[string]any)["annotations"].(map[string]any)[v1alpha1.AttachedAnnotation].(string)
	noted := map[string]metav1.Time{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &noted); err != nil {
			t.Fatal(err)
		}
	}
	return noted
}

func TestWhatIsWrittenToAServiceAccount(t *testing.T) {
	theirs := func(account *corev1.ServiceAccount) {
		account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: "theirs"})
	}
	for _, test := range []struct {
		name    string
		change  []func(*corev1.ServiceAccount)
		attach  string // what it lists after the Secret is given to it, "-" where nothing is written
		reason  string
		detach  string // and after it is taken from it
		noted   []string
		nothing bool // there is none
	}{
		{"one that names nothing", nil, "regcred", "", "-", []string{"regcred"}, false},
		{"one that names what others listed", []func(*corev1.ServiceAccount){theirs}, "theirs regcred", "", "-", []string{"regcred"}, false},
		{"one that regcred gave it to", []func(*corev1.ServiceAccount){theirs, func(a *corev1.ServiceAccount) { givenIt(a, "regcred") }}, "-", "", "theirs", nil, false},
		{"one that regcred gave another one to", []func(*corev1.ServiceAccount){func(a *corev1.ServiceAccount) { givenIt(a, "other") }}, "other regcred", "", "-", []string{"other", "regcred"}, false},
		{"one that regcred gave it and another one to", []func(*corev1.ServiceAccount){func(a *corev1.ServiceAccount) { givenIt(a, "other", "regcred") }}, "-", "", "other", []string{"other"}, false},
		{"one whose list somebody applies", []func(*corev1.ServiceAccount){theirs, appliedBy}, "-", v1alpha1.ReasonServiceAccountApplied, "-", nil, false},
		{"one whose list somebody applies since, with it", []func(*corev1.ServiceAccount){func(a *corev1.ServiceAccount) { givenIt(a, "regcred") }, appliedBy}, "-", "", "regcred", nil, false},
		{"one that is being deleted", []func(*corev1.ServiceAccount){theirs, leaving}, "-", "", "-", nil, false},
		{"one that is being deleted and has it", []func(*corev1.ServiceAccount){func(a *corev1.ServiceAccount) { givenIt(a, "regcred") }, leaving}, "-", "", "-", nil, false},
		{"one that is not there", nil, "-", v1alpha1.ReasonServiceAccountNotFound, "-", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, way := range []string{"attach", "detach"} {
				g := newRig(t, 1)
				account := g.account()
				account.UID = "account"
				for _, change := range test.change {
					change(account)
				}
				seen := recording(g)
				seen.refuse = func(request) error { return nil }
				shown := client.Object(account)
				if test.nothing {
					shown = nil
				}
				g.r.ServiceAccounts = lagging{everyName{g.c}, shown}
				f := facts{place: first, memory: &memory{}}
				var p *problem
				want := test.detach
				if way == "attach" {
					want = test.attach
					p = g.r.attachTo(t.Context(), f, "default")
				} else {
					p = g.r.detachFrom(t.Context(), f, "default")
				}
				if way == "attach" && (p != nil) != (test.reason != "") || p != nil && (p.reason != test.reason || !p.account || p.retry) || way == "detach" && p != nil {
					t.Errorf("%s: %+v", way, p)
				}
				if want == "-" {
					if len(seen.requests) > 0 {
						t.Errorf("%s: written is %v", way, seen.requests)
					}
					continue
				}
				made := seen.find(t, "patch ServiceAccount default")
				if got := namesOf(made.sent); got != want || made.uid != "account" || made.version != account.ResourceVersion {
					t.Errorf("%s: it lists %q, want %q; uid %q, version %q", way, got, want, made.uid, made.version)
				}
				noted := notedIn(t, made.sent)
				if len(noted) != len(test.noted) {
					t.Errorf("%s: noted is %v, want %q", way, noted, test.noted)
				}
				for name, at := range noted {
					if fresh := at.Time.Equal(g.now); !slices.Contains(test.noted, name) || fresh != (way == "attach" && name == "regcred") {
						t.Errorf("%s: noted is %s at %s", way, name, at)
					}
				}
			}
		})
	}
}

func TestWhatIsSaidOfAServiceAccountWhoseListSomebodyApplies(t *testing.T) {
	g := newRig(t, 1)
	account := g.account()
	appliedBy(account)
	g.r.ServiceAccounts = lagging{everyName{g.c}, account}
	p := g.r.attachTo(t.Context(), facts{place: first, memory: &memory{}}, "default")
	for _, words := range []string{"ServiceAccount default", "argocd-controller", "imagePullSecrets: [{name: regcred}]", "attach: Pods"} {
		if !strings.Contains(p.message, words) {
			t.Errorf("it does not say %q: %s", words, p.message)
		}
	}
}

// Each ServiceAccount that somebody wants to have the Secret is given it once, by who has something in it and may write.
func TestWhichServiceAccountsAreToNameASecret(t *testing.T) {
	asks := func(name string, accounts ...string) *v1alpha1.RegistryCredential {
		one := credential(name)
		one.Spec.Target.ServiceAccounts = &accounts
		return one
	}
	suspended := asks("suspended", "of-suspended")
	suspended.Spec.Suspend = true
	f := facts{selecting: []*v1alpha1.RegistryCredential{asks("a", "z", "builder"), asks("b", "builder", "default"), asks("empty", "of-empty"), suspended}}
	got := f.wanted(pullsecret.Sources{"a": {}, "b": {}, "suspended": {}, "gone": {}})
	if want := []string{"builder", "default", "z"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhoKeepsASecretAtAServiceAccount(t *testing.T) {
	asks, pods := credential("asks"), credential("pods")
	asks.Spec.Target.ServiceAccounts = &[]string{"builder"}
	pods.Spec.Target.Attach = v1alpha1.AttachPods
	list := func(all ...*v1alpha1.RegistryCredential) []*v1alpha1.RegistryCredential { return all }
	for _, test := range []struct {
		name    string
		f       facts
		account string
		want    bool
	}{
		{"one that selects the place wants it", facts{selecting: list(asks)}, "builder", true},
		{"one that stays wants it", facts{staying: list(asks)}, "builder", true},
		{"one that leaves wants it no more", facts{leaves: list(asks)}, "builder", false},
		{"it wants it at another one", facts{selecting: list(asks)}, "default", false},
		{"it gives it to pods, and the policy does not stand", facts{selecting: list(pods)}, "default", true},
		{"it gives it to pods, and the policy stands", facts{selecting: list(pods), injected: true}, "default", false},
		{"one that is gone left its entries", facts{recorded: pullsecret.Sources{"gone": {}}}, "default", true},
		{"one that is there is recorded", facts{recorded: pullsecret.Sources{"here": {}}}, "default", false},
	} {
		test.f.exists = func(name string) bool { return name == "here" }
		if got := test.f.keeps(test.account); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// The Secret goes on to be rotated where it cannot be taken from somebody.
func TestASecretThatCannotBeTakenFromAServiceAccountIsWrittenAllTheSame(t *testing.T) {
	g, seen := delivers(t, nil)
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &[]string{} })
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	seen.refuse = func(made request) error {
		if made.kind == "ServiceAccount" {
			return refusal("serviceaccounts")
		}
		return nil
	}
	if _, err := g.reconcile("n-00000"); err == nil || g.having(1, `"two"`) != 1 {
		t.Errorf("%q: %v", seen.lines(), err)
	}
	if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonForbidden || !d.ServiceAccounts {
		t.Errorf("%+v", d)
	}
}

// Who names the Secret must be known before it goes.
func TestASecretStaysWhereItCannotBeReadWhoNamesIt(t *testing.T) {
	for _, kind := range []string{"ServiceAccountList", "ServiceAccount"} {
		t.Run(kind, func(t *testing.T) {
			g, seen := delivers(t, nil)
			g.deselect()
			g.alsoThere("nobody")
			for range 2 {
				if _, err := g.reconcile("n-00000"); err != nil {
					break
				}
				g.now = g.now.Add(settle)
				g.unreadable(kind)
			}
			if _, err := g.reconcile("n-00000"); err == nil || g.secret("n-00000") == nil || len(seen.requests) > 0 {
				t.Errorf("written is %q: %v", seen.lines(), err)
			}
			if d, _ := g.r.Board.At(first, "company"); d.Reason != v1alpha1.ReasonWriteFailed {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A ServiceAccount is not patched once more because a cache does not show it yet, nor where a patch that failed had happened.
func TestAServiceAccountIsPatchedOnceHoweverLateItsCacheIs(t *testing.T) {
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("the patch fails and has happened: %t", fails), func(t *testing.T) {
			g := newRig(t, 1, credential("company", "r.example"))
			g.publish(record(t, "company", "1-x", "one", "r.example"))
			before := g.account()
			seen := recording(g)
			writer := g.r.Writer
			g.r.Writer = interceptor.NewClient(writer.(client.WithWatch), interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
					err := c.Patch(ctx, object, patch, options...)
					if fails {
						err = errors.Join(err, errAway)
					}
					return err
				},
			})
			if _, err := g.reconcile("n-00000"); (err != nil) != fails {
				t.Fatal(err)
			}
			g.r.Writer, g.r.ServiceAccounts = writer, lagging{everyName{g.c}, before}
			if _, err := g.reconcile("n-00000"); err != nil || !slices.Equal(seen.lines(), []string{"apply Secret regcred", "patch ServiceAccount default"}) {
				t.Errorf("%q: %v", seen.lines(), err)
			}
		})
	}
}

func TestWhatRegcredNotedAtAServiceAccountIsReadAsFarAsItCanBe(t *testing.T) {
	for text, want := range map[string]int{"": 0, "null": 0, "[]": 0, `{"a":"x"}`: 0, `{"a":"2026-01-01T00:00:00Z"}`: 1} {
		account := &corev1.ServiceAccount{}
		account.Annotations = map[string]string{v1alpha1.AttachedAnnotation: text}
		got := attachedTo(account)
		if len(got) != want || got == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestASecretThatIsNotThereIsGivenToNobody(t *testing.T) {
	g, seen := delivers(t, nil)
	f := facts{place: first, memory: &memory{}, selecting: []*v1alpha1.RegistryCredential{credential("company")}}
	if problems := g.r.attach(t.Context(), f, nil); len(problems) > 0 || len(seen.requests) > 0 {
		t.Errorf("%v; %q", problems, seen.lines())
	}
}

// A conflict at a ServiceAccount is looked at again, and told to nobody.
func TestSomebodyWhoWasFasterAtAServiceAccount(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	recording(g).refuse = func(made request) error {
		if made.kind == "ServiceAccount" {
			return apierrors.NewConflict(schema.GroupResource{Resource: "serviceaccounts"}, "default", nil)
		}
		return nil
	}
	if after, err := g.reconcile("n-00000"); err != nil || after != lookAgain {
		t.Errorf("again after %s: %v", after, err)
	}
	if d, told := g.r.Board.At(first, "company"); told {
		t.Errorf("%+v", d)
	}
}

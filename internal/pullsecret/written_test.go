package pullsecret

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

// manyEntries are so many entries of a docker config, as it is written.
func manyEntries(n int) string {
	var entries strings.Builder
	for i := range n {
		fmt.Fprintf(&entries, `,"a.b/%d":{}`, i)
	}
	return entries.String()[1:]
}

func decideOver(current *corev1.Secret, exists func(string) bool, contributions ...Contribution) Plan {
	return Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: exists, Current: current, Now: noon})
}

func TestANewSecretIsNamedAndMarked(t *testing.T) {
	made := decideOver(nil, everybody, contribution("shop", 2, "1", config(t, "a", "shop.example"))).Secret
	if made.APIVersion != "v1" || made.Kind != "Secret" || made.Namespace != "shop" || made.Name != "regcred" || made.Type != corev1.SecretTypeDockerConfigJson {
		t.Errorf("%+v %+v %s", made.TypeMeta, made.ObjectMeta, made.Type)
	}
	want := map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue, v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
	if diff := cmp.Diff(want, made.Labels); diff != "" {
		t.Errorf("labels (-want, +got):\n%s", diff)
	}
}

func TestACommonLabelThatAToolWroteOverIsLeftToIt(t *testing.T) {
	current := secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example")))
	current.Labels[v1alpha1.ManagedByLabel] = "Helm"
	plan := decideOver(current, everybody, contribution("shop", 2, "2", config(t, "b", "shop.example")))
	if plan.Action != Update || plan.Secret.Labels[v1alpha1.ManagedByLabel] != "Helm" {
		t.Errorf("%s: %v", plan.Action, plan.Secret)
	}
}

// What is in a Secret of ours that nobody recorded, nobody provides.
func TestAnEntryThatNobodyRecordedGoesThoughNothingElseChanged(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	current := secret(t, shop)
	current.Data[corev1.DockerConfigJsonKey] = config(t, "a", "shop.example", "theirs.example").Render()
	plan := decideOver(current, everybody, shop)
	if plan.Action != Update {
		t.Fatalf("it decides %s", plan.Action)
	}
	if diff := cmp.Diff(map[string]string{"shop.example": "a"}, entriesOf(t, plan.Secret)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEntryWhoseRemovalWaitsStaysUntilSomebodyProvidesIt(t *testing.T) {
	current := secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example", "waits.example")))
	waiting := contribution("shop", 2, "2", config(t, "b", "shop.example"))
	waiting.Keep = []string{"waits.example"}
	plan := decideOver(current, everybody, waiting)
	if diff := cmp.Diff(map[string]string{"shop.example": "b", "waits.example": "a"}, entriesOf(t, plan.Secret)); diff != "" {
		t.Errorf("while it waits (-want, +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"shop": {"shop.example", "waits.example"}}, sourcesOf(plan.Secret)); diff != "" {
		t.Errorf("while it waits (-want, +got):\n%s", diff)
	}
	plan = decideOver(plan.Secret, everybody, waiting, contribution("next", 1, "1", config(t, "n", "waits.example")))
	if diff := cmp.Diff(map[string][]string{"shop": {"shop.example"}, "next": {"waits.example"}}, sourcesOf(plan.Secret)); diff != "" {
		t.Errorf("once another one provides it (-want, +got):\n%s", diff)
	}
}

// Pods that were created before regcred took a Secret over had what is adopted: it is as old as the Secret.
func TestWhatIsAdoptedIsAsOldAsTheSecret(t *testing.T) {
	current := byHand(`{"auths":{"theirs.example":{"username":"u","password":"p"}}}`)
	plan := decideOver(current, everybody, adopting(contribution("shop", 2, "1", config(t, "a", "shop.example"))))
	if got := SourcesOf(plan.Secret.Annotations)[Adopted]; !got.Changed.Time.Equal(yesterday) {
		t.Errorf("it is said to be of %s, want %s", got.Changed, yesterday)
	}
}

func TestAFieldThatSaysFalseIsLikeOneThatIsMissing(t *testing.T) {
	mutable := func(s *corev1.Secret) { s.Immutable = ptr.To(false) }
	if owner := OwnerOf(marked(mutable)); !owner.Adoptable {
		t.Errorf("a Secret that is not immutable is not adoptable: %s", owner.Fix)
	}
	ours := changed(secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example"))), mutable)
	if plan := decideOver(ours, everybody, contribution("shop", 2, "2", config(t, "b", "shop.example"))); plan.Action != Update {
		t.Errorf("a Secret of ours that is not immutable is not updated: %s", plan.Action)
	}
}

func TestWhatAPersonIsToldOfASecretThatIsLeftAlone(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	fields := byHand(`{"auths":{"shop.example":{"username":"u"` + strings.Repeat(`,"x":0`, 9*MaxEntries) + `}}}`)
	entries := byHand(`{"auths":{` + manyEntries(MaxEntries+1) + `}}`)
	for name, test := range map[string]struct {
		current *corev1.Secret
		says    string
	}{
		"one of Helm's":                 {marked(withAnnotation("meta.helm.sh/release-name", "web")), "Helm release web"},
		"one with thousands of fields":  {fields, "it holds more than 10000 entries"},
		"one with thousands of entries": {entries, "it holds more than 10000 entries"},
	} {
		plan := decideOver(test.current, everybody, adopting(shop))
		if said := plan.Owner.Manager + ": " + plan.Owner.Fix; plan.Action != Refuse || plan.Owner.Adoptable || !strings.Contains(said, test.says) {
			t.Errorf("%s: %s, %+v", name, plan.Action, plan.Owner)
		}
	}
}

func TestASecretWithAsManyEntriesAsAreHandledIsHandled(t *testing.T) {
	racedetector.Skip(t)
	current := marked(withLabel(v1alpha1.ManagedLabel, v1alpha1.ManagedValue))
	current.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{` + manyEntries(MaxEntries) + `}}`)
	if plan := decideOver(current, everybody); plan.Action == Refuse {
		t.Errorf("it is refused: %s", plan.Owner.Fix)
	}
}

// What a Secret of several that are gone should hold cannot be read: it stays, for a person may save it.
func TestAnUnreadableSecretStaysForWhatOneOfThoseThatAreGoneLeft(t *testing.T) {
	left := Source{Keys: []string{"gone.example"}, Changed: metav1.NewTime(yesterday)}
	current := secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example")))
	record := func(sources Sources) *corev1.Secret {
		return changed(current, func(s *corev1.Secret) { s.Annotations[v1alpha1.SourcesAnnotation] = sources.String() })
	}
	shop := SourcesOf(current.Annotations)["shop"]
	broken := record(Sources{"amber": left, "birch": {}, "shop": shop})
	unreadable(broken)
	if plan := decideOver(broken, only("shop")); plan.Action != Keep {
		t.Errorf("it cannot be read, and the plan is %s", plan.Action)
	}
	empty := record(Sources{"amber": left, "shop": shop})
	emptied(empty)
	if plan := decideOver(empty, only("shop")); plan.Action != Delete {
		t.Errorf("it can be read, and there is nothing in it: the plan is %s", plan.Action)
	}
}

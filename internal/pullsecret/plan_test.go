package pullsecret

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestDecideAboutSecretsThatCannotBeUpdated(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	held := contribution("held", 1, "", nil)
	staying := contribution("staying", 1, "1", config(t, "s", "staying.example"))
	staying.Staying = true
	nothing := contribution("nothing", 1, "1", config(t, "n", "shop.example")) // an older one has it
	nothing.Staying, nothing.Created = true, shop.Created.AddDate(1, 0, 0)
	ours := secret(t, shop)
	immutable, next := immutableSecret, contribution("shop", 2, "2", config(t, "new", "shop.example"))
	tests := []struct {
		name          string
		current       *corev1.Secret
		contributions []Contribution
		exists        func(string) bool
		want          Action
	}{
		{"immutable and stale: recreated", changed(ours, immutable), []Contribution{next}, everybody, Recreate},
		{"immutable and right: left alone until there is something to write", changed(ours, immutable), []Contribution{shop}, everybody, Keep},
		{"of another type and stale: recreated", changed(ours, opaque), []Contribution{next}, everybody, Recreate},
		{"immutable with somebody's key: left to people", changed(ours, func(s *corev1.Secret) { immutable(s); s.Data["ca.crt"] = []byte("theirs") }), []Contribution{next}, everybody, Refuse},
		{"immutable with entries that only it has: left to people", changed(secret(t, shop, contribution("held", 1, "1", config(t, "h", "held.example"))), immutable), []Contribution{next, held}, everybody, Refuse},
		{"immutable with entries that stay of one that does not select the namespace: left to people", changed(secret(t, shop, staying), immutable), []Contribution{next, staying}, everybody, Refuse},
		{"of another type, with entries that stay of one that does not select the namespace: left to people", changed(secret(t, shop, staying), opaque), []Contribution{next, staying}, everybody, Refuse},
		{"immutable, and nothing is there of one that does not select the namespace: recreated", changed(ours, immutable), []Contribution{next, nothing}, everybody, Recreate},
		{"immutable with what a deleted credential left: left to people", changed(secret(t, shop, contribution("gone", 1, "1", config(t, "g", "gone.example"))), immutable), []Contribution{next}, only("shop"), Refuse},
		{"immutable, and all credentials deleted: left alone", changed(ours, immutable), nil, only(), Keep},
		{"immutable, and the last credential deselected: removed", changed(ours, immutable), nil, everybody, Delete},
		{"immutable, taken over and stale: left to people", changed(ours, func(s *corev1.Secret) { immutable(s); takenOver(s) }), []Contribution{next}, everybody, Refuse},
		{"immutable with somebody's key, and the last credential deselected: left to people", changed(ours, func(s *corev1.Secret) { immutable(s); s.Data["ca.crt"] = []byte("theirs") }), nil, everybody, Refuse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: test.contributions, Exists: test.exists, Current: test.current, Now: noon})
			if plan.Action != test.want {
				t.Fatalf("the action is %s, it should be %s", plan.Action, test.want)
			}
			if test.want == Refuse && (plan.Owner.Fix == "" || !plan.Owner.Ours) {
				t.Errorf("a refusal says what to do: %+v", plan.Owner)
			}
			if test.want == Recreate && (plan.Secret.Immutable != nil || plan.Secret.Type != corev1.SecretTypeDockerConfigJson || plan.Secret.ResourceVersion != "") {
				t.Errorf("what is recreated is an ordinary pull Secret: %+v", plan.Secret.ObjectMeta)
			}
		})
	}
}

func TestWhatOthersAddedStays(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	theirs := changed(secret(t, shop), func(s *corev1.Secret) {
		s.Labels["team"], s.Annotations["note"] = "shop", "call us"
		s.Data["ca.crt"] = []byte("theirs")
		s.Finalizers, s.OwnerReferences = []string{"shop.example/keep"}, []metav1.OwnerReference{{Kind: "ConfigMap", Name: "x"}}
		s.Annotations[corev1.LastAppliedConfigAnnotation] = `{"the old": "password"}`
	})
	for name, contributions := range map[string][]Contribution{
		"a rotation":                 {contribution("shop", 2, "2", config(t, "new", "shop.example"))},
		"the last one is deselected": nil,
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Current: theirs, Now: noon})
			if plan.Action != Update {
				t.Fatalf("the action is %s, it should be Update", plan.Action)
			}
			s := plan.Secret
			if s.Labels["team"] != "shop" || s.Annotations["note"] != "call us" || string(s.Data["ca.crt"]) != "theirs" || len(s.Finalizers) != 1 || len(s.OwnerReferences) != 1 {
				t.Errorf("something of others is gone: %+v", s)
			}
			if s.UID != theirs.UID || s.ResourceVersion != theirs.ResourceVersion {
				t.Error("an update names the UID and the resourceVersion that were looked at")
			}
			if _, there := s.Annotations[corev1.LastAppliedConfigAnnotation]; there {
				t.Error("the annotation of kubectl holds the old password and must go")
			}
			if s.Labels[v1alpha1.ManagedLabel] != v1alpha1.ManagedValue {
				t.Error("our label is gone")
			}
		})
	}
}

func TestASecretThatIsBeingDeletedIsWaitedFor(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	going := changed(secret(t, shop), func(s *corev1.Secret) { s.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) })
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{shop}, Exists: everybody, Current: going, Now: noon})
	if plan.Action != Wait {
		t.Errorf("the action is %s, it should be Wait", plan.Action)
	}
}

func takenOver(s *corev1.Secret) { s.Annotations[v1alpha1.AdoptedAnnotation] = v1alpha1.AdoptedValue }

// What was there before regcred is never deleted: the policy regcred-secrets holds the operator to that by the mark.
func TestASecretThatWasTakenOverIsEmptiedAndNeverDeleted(t *testing.T) {
	shop := adopting(contribution("shop", 2, "1", config(t, "new", "shop.example")))
	decide := func(current *corev1.Secret, contributions ...Contribution) Plan {
		return Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Current: current, Now: noon})
	}
	taken := decide(byHand(`{"auths":{"shop.example":{"username":"u","password":"old"}}}`), shop)
	if taken.Action != Update || taken.Secret.Annotations[v1alpha1.AdoptedAnnotation] != v1alpha1.AdoptedValue {
		t.Fatalf("%s, and the mark is not there: %v", taken.Action, taken.Secret)
	}
	left := decide(taken.Secret)
	if left.Action != Update || len(entriesOf(t, left.Secret)) != 0 || left.Secret.Annotations[v1alpha1.AdoptedAnnotation] != v1alpha1.AdoptedValue {
		t.Fatalf("nothing of regcred is left in it, and it is to be emptied: %s of %v", left.Action, left.Secret)
	}
	if again := decide(left.Secret); again.Action != Keep {
		t.Errorf("an empty one stays as it is, and the plan is %s", again.Action)
	}
	if mine := decide(nil, shop); mine.Secret.Annotations[v1alpha1.AdoptedAnnotation] != "" || decide(mine.Secret).Action != Delete {
		t.Error("a Secret that regcred made bears no mark, and goes")
	}
}

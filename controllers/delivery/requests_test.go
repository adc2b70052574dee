package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// request is a write as the API server would get it.
type request struct {
	verb, kind, name string
	// uid and version that the object must have for the write to count, "" for any.
	uid, version string
	// manager is who writes, and forced is true where that takes fields from others.
	manager string
	forced  bool
	// sent is the object, or the patch.
	sent map[string]any
}

func (r request) String() string { return r.verb + " " + r.kind + " " + r.name }

// recorded has the writes of a rig noted, and answers some of them with an error.
type recorded struct {
	requests []request
	// refuse says which error a write gets, nil for none.
	refuse func(request) error
}

func recording(g *rig) *recorded {
	seen := &recorded{refuse: func(request) error { return nil }}
	note := func(verb string, object any, made request) error {
		made.verb = verb
		content, err := json.Marshal(object)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(content, &made.sent); err != nil {
			return err
		}
		metadata, _ := made.sent["metadata"].(map[string]any)
		text := func(key string) string { got, _ := metadata[key].(string); return got }
		if verb != "delete" {
			made.uid, made.version = text("uid"), text("resourceVersion")
		}
		if made.name == "" {
			made.name = text("name")
		}
		seen.requests = append(seen.requests, made)
		return seen.refuse(made)
	}
	kind := func(object client.Object) string { return strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1.") }
	g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			var given client.UpdateOptions
			if err := note("update", object, request{kind: kind(object), manager: given.ApplyOptions(options).FieldManager}); err != nil {
				return err
			}
			return c.Update(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			var given client.DeleteOptions
			given.ApplyOptions(options)
			conditions := ptr.Deref(given.Preconditions, metav1.Preconditions{})
			if err := note("delete", object, request{kind: kind(object), uid: string(ptr.Deref(conditions.UID, "")), version: ptr.Deref(conditions.ResourceVersion, "")}); err != nil {
				return err
			}
			return c.Delete(ctx, object, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			var given client.PatchOptions
			given.ApplyOptions(options)
			body, err := patch.Data(object)
			if err == nil {
				err = note("patch", json.RawMessage(body), request{kind: kind(object), name: object.GetName(), manager: given.FieldManager, forced: ptr.Deref(given.Force, false)})
			}
			if err != nil {
				return err
			}
			return c.Patch(ctx, object, patch, options...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, configuration runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			var given client.ApplyOptions
			given.ApplyOptions(options)
			if err := note("apply", configuration, request{kind: "Secret", manager: given.FieldManager, forced: ptr.Deref(given.Force, false)}); err != nil {
				return err
			}
			return c.Apply(ctx, configuration, options...)
		},
	})
	return seen
}

func (s *recorded) lines() []string {
	var lines []string
	for _, one := range s.requests {
		lines = append(lines, one.String())
	}
	return lines
}

func (s *recorded) find(t *testing.T, line string) request {
	t.Helper()
	i := slices.IndexFunc(s.requests, func(r request) bool { return r.String() == line })
	if i < 0 {
		t.Fatalf("no %q in %q", line, s.lines())
	}
	return s.requests[i]
}

// account is the ServiceAccount of the first namespace.
func (g *rig) account() *corev1.ServiceAccount {
	g.t.Helper()
	var account corev1.ServiceAccount
	if err := g.c.Get(context.Background(), client.ObjectKey{Namespace: "n-00000", Name: "default"}, &account); err != nil {
		g.t.Fatal(err)
	}
	return &account
}

// identified gives the Secret and the ServiceAccount of the first namespace a UID, which the fake server does not.
func (g *rig) identified() {
	g.t.Helper()
	account := g.account()
	account.UID = "account"
	if err := g.c.Update(context.Background(), account); err != nil {
		g.t.Fatal(err)
	}
	if secret := g.secret("n-00000"); secret != nil {
		secret.UID = "secret"
		if err := g.c.Update(context.Background(), secret); err != nil {
			g.t.Fatal(err)
		}
	}
}

// delivers is a rig whose first namespace has what is published, and that notes what is written from here on.
func delivers(t *testing.T, change func(*v1alpha1.RegistryCredential)) (*rig, *recorded) {
	t.Helper()
	company := credential("company", "r.example")
	if change != nil {
		change(company)
	}
	g := newRig(t, 1, company)
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	g.all(1)
	g.identified()
	g.r.memories = memories{} // what was remembered of the objects before they had a UID
	return g, recording(g)
}

// leave has the operator find nothing more that is lost, so that removals are decided.
func (g *rig) leave() {
	g.t.Helper()
	for range 3 {
		if _, err := g.reconcile("n-00000"); err != nil {
			g.t.Fatal(err)
		}
		g.now = g.now.Add(settle)
	}
}

func refusal(kind string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "regcred", nil)
}

// deselect has the RegistryCredential select another namespace: one that selects none any more waits for a person.
func (g *rig) deselect() {
	g.alsoThere("nobody")
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.NamespaceSelector.MatchLabels["team"] = "nobody" })
}

func TestASecretIsCreatedOnlyWhereNoneIsAndBeforeAnybodyNamesIt(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	seen := recording(g)
	g.all(1)
	if got, want := seen.lines(), []string{"apply Secret regcred", "patch ServiceAccount default"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if version := seen.requests[0].version; version == "" {
		t.Error("the Secret is sent without a resourceVersion: it would be merged into one of somebody else")
	}
}

// An update that names no version overwrites what somebody wrote since.
func TestASecretIsUpdatedOnlyAsItWasLookedAt(t *testing.T) {
	g, seen := delivers(t, nil)
	before := g.secret("n-00000").ResourceVersion
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	made := seen.find(t, "update Secret regcred")
	if made.uid != "secret" || made.version != before || len(seen.requests) != 1 {
		t.Errorf("of %q: uid %q, resourceVersion %q, want %q", seen.lines(), made.uid, made.version, before)
	}
}

// A deletion that names no version takes what somebody added since.
func TestASecretIsDeletedOnlyAsItWasLookedAtAndAfterNobodyNamesIt(t *testing.T) {
	g, seen := delivers(t, nil)
	before := g.secret("n-00000").ResourceVersion
	g.deselect()
	g.leave()
	if got, want := seen.lines(), []string{"patch ServiceAccount default", "delete Secret regcred"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if made := seen.requests[1]; made.uid != "secret" || made.version != before {
		t.Errorf("uid %q, resourceVersion %q, want %q: what somebody adds meanwhile is lost", made.uid, made.version, before)
	}
}

// Pods that are created with the name of a Secret that is gone cannot pull with it.
func TestASecretThatAServiceAccountStillNamesIsNotDeleted(t *testing.T) {
	g, seen := delivers(t, nil)
	seen.refuse = func(r request) error {
		if r.kind == "ServiceAccount" {
			return refusal("serviceaccounts")
		}
		return nil
	}
	g.deselect()
	for range 3 {
		_, _ = g.reconcile("n-00000")
		g.now = g.now.Add(settle)
	}
	seen.find(t, "patch ServiceAccount default")
	if slices.Contains(seen.lines(), "delete Secret regcred") || g.secret("n-00000") == nil {
		t.Errorf("%q: pods name a Secret that is gone", seen.lines())
	}
}

// The list is written whole: without the version that was looked at, entries of others are lost.
func TestAServiceAccountIsChangedOnlyAsItWasLookedAtAndKeepsWhatOthersListed(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.publish(record(t, "company", "1-x", "one", "r.example"))
	account := g.account()
	account.UID, account.ImagePullSecrets = "account", []corev1.LocalObjectReference{{Name: "theirs"}}
	if err := g.c.Update(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	seen := recording(g)
	g.all(1)
	attach := seen.find(t, "patch ServiceAccount default")
	if attach.uid != "account" || attach.version != account.ResourceVersion {
		t.Errorf("uid %q, resourceVersion %q, want %q: an entry that somebody adds meanwhile is lost", attach.uid, attach.version, account.ResourceVersion)
	}
	if got := fmt.Sprint(attach.sent["imagePullSecrets"]); got != "[map[name:theirs] map[name:regcred]]" {
		t.Errorf("it lists %s", got)
	}
	seen.requests = nil
	g.deselect()
	g.leave()
	detach := seen.find(t, "patch ServiceAccount default")
	if detach.uid != "account" || detach.version == "" || detach.version == attach.version {
		t.Errorf("taken back with uid %q, resourceVersion %q", detach.uid, detach.version)
	}
	if got := fmt.Sprint(detach.sent["imagePullSecrets"]); got != "[map[name:theirs]]" {
		t.Errorf("it lists %s afterwards", got)
	}
	annotations := detach.sent["metadata"].(map[string]any)["annotations"].(map[string]any)
	if value, there := annotations[v1alpha1.AttachedAnnotation]; !there || value != nil {
		t.Errorf("the note that regcred added it stays: %v", annotations)
	}
}

func TestASecretOfAnotherTypeIsDeletedAsItWasLookedAtAndCreatedAgain(t *testing.T) {
	g, seen := delivers(t, nil)
	secret := g.secret("n-00000")
	if err := g.c.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	secret.Immutable, secret.ResourceVersion = ptr.To(true), ""
	if err := g.c.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	g.r.memories = memories{}
	before := g.secret("n-00000").ResourceVersion
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	if got, want := seen.lines(), []string{"delete Secret regcred", "apply Secret regcred"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if made := seen.requests[0]; made.uid != "secret" || made.version != before {
		t.Errorf("uid %q, resourceVersion %q, want %q", made.uid, made.version, before)
	}
}

// What a deleted RegistryCredential left stays of use only as long as ServiceAccounts name it.
func TestARetainedSecretStaysAttached(t *testing.T) {
	g, seen := delivers(t, nil)
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Delete(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	g.leave()
	if len(seen.requests) > 0 || !lists(g.account(), "regcred") {
		t.Errorf("the RegistryCredential is gone and its entries are to stay: %q", seen.lines())
	}
}

// An entry that was written while its object went, with deletionPolicy Delete, would look like one that is to be retained, and stay for ever.
func TestAnEntryThatWasWrittenWhileItsObjectWentIsRemoved(t *testing.T) {
	g, seen := delivers(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.DeletionPolicy, c.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	})
	var object v1alpha1.RegistryCredential
	if err := g.c.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	g.r.departed.leaves("company", g.now) // as when nothing was left
	object.Finalizers = nil
	if err := g.c.Update(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	if err := g.c.Delete(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	g.leave()
	if g.secret("n-00000") != nil {
		t.Errorf("the entry is kept for ever: %q", seen.lines())
	}
}

// Where the Secret of the new name cannot be made, pods have the old one alone: without it there is an outage.
func TestARenamedSecretThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	g, seen := delivers(t, nil)
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n-00000", Name: "registry", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}}
	if err := g.c.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry" })
	both := func() {
		t.Helper()
		if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: "n-00000", Name: "registry"}); err != nil {
			t.Fatal(err)
		}
		g.leave()
		g.now = g.now.Add(time.Minute)
	}
	both()
	if g.secret("n-00000") == nil || !lists(g.account(), "regcred") {
		t.Fatalf("the new Secret is not there, and the old one goes: %q", seen.lines())
	}
	if err := g.c.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	both()
	both()
	order := seen.lines()
	created, removed := slices.Index(order, "apply Secret registry"), slices.Index(order, "delete Secret regcred")
	if created < 0 || removed < created || !lists(g.account(), "registry") || lists(g.account(), "regcred") {
		t.Errorf("%q", order)
	}
}

// The Secret of the new name is there, for another registry: that is not yet the one that pods can go by.
func TestARenamedSecretThatIsThereForOthersLeavesTheOldOne(t *testing.T) {
	g, seen := delivers(t, nil)
	other := credential("other", "other.example")
	other.Spec.Target.SecretName = "registry"
	if err := g.c.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	g.publish(record(t, "other", "1-x", "three", "other.example"))
	place := delivered.Place{Namespace: "n-00000", Name: "registry"}
	if _, err := g.r.Reconcile(t.Context(), place); err != nil {
		t.Fatal(err)
	}
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "registry" })
	seen.refuse = func(made request) error {
		if made.String() == "update Secret registry" {
			return refusal("secrets")
		}
		return nil
	}
	_, _ = g.r.Reconcile(t.Context(), place) // it fails, as the next ones do
	g.leave()
	if g.secret("n-00000") == nil || !lists(g.account(), "regcred") {
		t.Errorf("its registry is not in the new Secret, and the old one goes: %q", seen.lines())
	}
}

// Two that repair without a bound write against each other for ever.
func TestARivalIsRepairedThreeTimesAndThenOnceInTenMinutes(t *testing.T) {
	g, seen := delivers(t, nil)
	wrecked := func() int {
		t.Helper()
		before := len(seen.requests)
		secret := g.secret("n-00000")
		secret.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`)
		if err := g.c.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if _, err := g.reconcile("n-00000"); err != nil {
			t.Fatal(err)
		}
		return len(seen.requests) - before
	}
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	writes := 0
	for range 20 {
		writes += wrecked()
		g.now = g.now.Add(time.Second)
	}
	if writes != 3 {
		t.Errorf("%d repairs within 20 s, want 3", writes)
	}
	if d, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company"); d.Reason != v1alpha1.ReasonContested {
		t.Errorf("it is said to be %q: %s", d.Reason, d.Message)
	}
	g.now = g.now.Add(10 * time.Minute)
	if wrecked()+wrecked() != 1 {
		t.Error("ten minutes later it is not repaired once")
	}
}

// Whoever changes both back is bounded at each: a write of the one is no new beginning at the other.
func TestARivalAtSecretAndServiceAccountIsRepairedThreeTimesAtEach(t *testing.T) {
	g, seen := delivers(t, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	g.all(1)
	before := len(seen.requests)
	for range 10 {
		secret, account := g.secret("n-00000"), g.account()
		secret.Data[corev1.DockerConfigJsonKey], account.ImagePullSecrets = []byte(`{"auths":{}}`), nil
		for _, object := range []client.Object{secret, account} {
			if err := g.c.Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
		g.all(1)
		g.now = g.now.Add(time.Second)
	}
	writes := map[string]int{}
	for _, line := range seen.lines()[before:] {
		writes[line]++
	}
	if secrets, accounts := writes["update Secret regcred"], writes["patch ServiceAccount default"]; secrets != 3 || accounts > 3 || len(writes) > 2 {
		t.Errorf("in ten seconds there are these writes: %v", writes)
	}
}

func TestAConflictIsLookedAtAgainAndTellsNobody(t *testing.T) {
	g, seen := delivers(t, nil)
	g.publish(record(t, "company", "2-x", "two", "r.example"))
	seen.refuse = func(request) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "regcred", nil)
	}
	place := delivered.Place{Namespace: "n-00000", Name: "regcred"}
	before, _ := g.r.Board.At(place, "company")
	first, err := g.reconcile("n-00000")
	if err != nil || first <= 0 {
		t.Fatalf("again after %s: %v", first, err)
	}
	var last time.Duration
	for range 20 {
		if last, err = g.reconcile("n-00000"); err != nil {
			t.Fatal(err)
		}
	}
	if after, _ := g.r.Board.At(place, "company"); after.Reason != before.Reason || after.Version != before.Version {
		t.Errorf("%+v became %+v", before, after)
	}
	if last <= first {
		t.Errorf("after 21 conflicts in a row it is tried again after %s, at first after %s", last, first)
	}
	seen.refuse = func(request) error { return nil }
	g.all(1)
	if again := g.r.memories.of(place, types.UID("n-00000")).conflicts; again != 0 {
		t.Errorf("%d conflicts are counted after a success", again)
	}
}

// emptyCache shows no Secret, as one that has not heard of any yet.
type emptyCache struct{ everyName }

func (emptyCache) List(_ context.Context, _ string, _ client.ObjectList, visit func()) error {
	visit()
	return nil
}

// By a cache that has not heard of a Secret yet the finalizer would go, and its entries would be left.
func TestThatNothingIsLeftIsNotBelievedToACacheThatShowsNothing(t *testing.T) {
	g, _ := delivers(t, func(c *v1alpha1.RegistryCredential) {
		c.Spec.DeletionPolicy, c.Finalizers = v1alpha1.DeletionDelete, []string{v1alpha1.Finalizer}
	})
	g.r.Secrets, g.r.ledger = emptyCache{everyName{g.c}}, ledger{}
	object := credential("company", "r.example")
	object.Spec.DeletionPolicy, object.DeletionTimestamp = v1alpha1.DeletionDelete, ptr.To(metav1.NewTime(g.now))
	got, err := g.r.Removal(t.Context(), object)
	if err != nil || got.Holding != 1 {
		t.Errorf("%d namespaces hold entries, want 1: the finalizer would go: %v", got.Holding, err)
	}
	if err := g.c.Delete(t.Context(), g.secret("n-00000")); err != nil {
		t.Fatal(err)
	}
	if got, err := g.r.Removal(t.Context(), object); err != nil || got.Holding != 0 {
		t.Errorf("%d namespaces hold entries, want none: %v", got.Holding, err)
	}
}

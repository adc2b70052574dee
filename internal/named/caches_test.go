package named

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// shelf is a cache of objects of one name.
type shelf struct {
	cache.Cache
	secrets []corev1.Secret
	fails   error
}

func (s shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for i := range s.secrets {
		if s.secrets[i].Namespace == key.Namespace && s.secrets[i].Name == key.Name {
			*into.(*corev1.Secret) = s.secrets[i]
			return nil
		}
	}
	if s.fails != nil {
		return s.fails
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
}

func (s shelf) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var given client.ListOptions
	given.ApplyOptions(options)
	into := list.(*corev1.SecretList)
	into.Items = nil
	for _, secret := range s.secrets {
		if given.Namespace == "" || given.Namespace == secret.Namespace {
			into.Items = append(into.Items, secret)
		}
	}
	return s.fails
}

func named(namespace, name string, generation int64) corev1.Secret {
	return corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: generation}}
}

// The operator's role names what it may touch: what it was not given it does not look for.
func TestWhatIsReadOfTheNamesThatTheOperatorWasGiven(t *testing.T) {
	few := &Caches{names: []string{"a", "b"}, byName: map[string]cache.Cache{
		"a": shelf{secrets: []corev1.Secret{named("shop", "a", 0), named("web", "a", 0)}}, "b": shelf{secrets: []corev1.Secret{named("shop", "b", notHeld)}},
	}}
	wide := &Caches{names: []string{Any}, byName: map[string]cache.Cache{Any: shelf{secrets: []corev1.Secret{named("shop", "c", 0)}}}}
	for _, test := range []struct {
		name    string
		caches  *Caches
		object  string
		allowed bool
		is      func(error) bool
	}{
		{"one that is there", few, "a", true, func(err error) bool { return err == nil }},
		{"one of which only the name is kept", few, "b", true, func(err error) bool {
			return errors.Is(err, ErrNotHeld) && strings.Contains(err.Error(), "namespace shop")
		}},
		{"one that it was not given", few, "c", false, func(err error) bool { return errors.Is(err, ErrNotAllowed) && strings.Contains(err.Error(), "c") }},
		{"one of all", wide, "c", true, func(err error) bool { return err == nil }},
		{"one that is not there", wide, "d", true, apierrors.IsNotFound},
	} {
		var secret corev1.Secret
		err := test.caches.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: test.object}, &secret)
		if !test.is(err) || test.caches.Allowed(test.object) != test.allowed || err == nil && secret.Name != test.object {
			t.Errorf("%s: %v, allowed %t", test.name, err, test.caches.Allowed(test.object))
		}
	}
	if names := few.Names(); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q", names)
	}
	few.Names()[0] = "changed"
	if few.Names()[0] != "a" {
		t.Error("the names are shared")
	}
}

func TestAListHasTheObjectsOfAllNames(t *testing.T) {
	away := errors.New("away")
	c := &Caches{names: []string{"a", "b", "broken", "last"}, byName: map[string]cache.Cache{
		"a": shelf{secrets: []corev1.Secret{named("shop", "a", 0), named("web", "a", 0)}}, "b": shelf{secrets: []corev1.Secret{named("shop", "b", 0)}},
		"broken": shelf{fails: away}, "last": shelf{secrets: []corev1.Secret{named("shop", "last", 0)}},
	}}
	for namespace, want := range map[string]string{"shop": "shop/a shop/b", "": "shop/a web/a shop/b", "none": ""} {
		var list corev1.SecretList
		var got []string
		err := c.List(t.Context(), namespace, &list, func() {
			for _, one := range list.Items {
				got = append(got, one.Namespace+"/"+one.Name)
			}
		})
		if strings.Join(got, " ") != want || !errors.Is(err, away) {
			t.Errorf("of %q there is %q: %v", namespace, got, err)
		}
	}
}

func TestForWhichNamesThereAreCaches(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	options := cache.Options{Scheme: scheme, Mapper: testrestmapper.TestOnlyStaticRESTMapper(scheme)}
	for want, names := range map[string][]string{"[a b]": {"a", "b", "a"}, "[*]": {"a", Any, "b"}, "[]": nil} {
		c, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, options, names)
		if err != nil || fmt.Sprint(c.Names()) != want || len(c.byName) != len(c.names) {
			t.Errorf("of %q there are %v: %v", names, c, err)
		}
	}
	if _, err := New(&rest.Config{Host: "://"}, cache.Options{Scheme: scheme}, []string{"a"}); err == nil || !strings.Contains(err.Error(), "named a") {
		t.Errorf("%v", err)
	}
}

// broken is an API server that answers with something else.
type broken struct {
	list runtime.Object
	err  error
}

func (b *broken) ListWithContext(context.Context, metav1.ListOptions) (runtime.Object, error) {
	return b.list, b.err
}

func (b *broken) WatchWithContext(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return nil, b.err
}

func TestWhatIsNoListIsAnError(t *testing.T) {
	away := errors.New("away")
	for name, source := range map[string]*broken{
		"no answer": {err: away}, "no list": {list: &corev1.Secret{}}, "a list of something else": {list: &metav1.List{Items: []runtime.RawExtension{{Object: &metav1.Status{}}}}},
	} {
		b := &bounded{source: source, kept: &kept{}}
		if read, err := b.List(metav1.ListOptions{}); err == nil || read != nil || source.err != nil && !errors.Is(err, away) {
			t.Errorf("%s: %v, %v", name, read, err)
		}
	}
	b := &bounded{source: &broken{err: away}, kept: &kept{}}
	if _, err := b.Watch(metav1.ListOptions{}); !errors.Is(err, away) {
		t.Errorf("a watch that is refused: %v", err)
	}
}

// A list, and a watch that begins with all objects, tells everything again.
func TestTheCountBeginsAgainWithEverything(t *testing.T) {
	server := &served{secrets: []corev1.Secret{*secretOf("shop", "a", corev1.SecretTypeDockerConfigJson, mostBytes/2)}, events: make(chan watch.Event)}
	b := &bounded{source: server, kept: &kept{}}
	for range 3 {
		read, err := b.List(metav1.ListOptions{})
		if err != nil || !Held(&read.(*corev1.SecretList).Items[0]) {
			t.Fatalf("%v, %v", read, err)
		}
		server.secrets[0].Name += "x"
	}
	if _, err := b.Watch(metav1.ListOptions{SendInitialEvents: ptr.To(true)}); err != nil || len(b.kept.namespaces) != 0 {
		t.Errorf("%d namespaces are counted: %v", len(b.kept.namespaces), err)
	}
	b.kept.admit(secretOf("shop", "a", corev1.SecretTypeDockerConfigJson, 10))
	if _, err := b.Watch(metav1.ListOptions{}); err != nil || len(b.kept.namespaces) != 1 {
		t.Errorf("a watch that goes on has %d namespaces counted: %v", len(b.kept.namespaces), err)
	}
}

func TestAWatchPassesOnWhatIsNoObject(t *testing.T) {
	server := &served{events: make(chan watch.Event, 1)}
	b := &bounded{source: server, kept: &kept{}}
	events, err := b.Watch(metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	server.events <- watch.Event{Type: watch.Error, Object: &metav1.Status{Code: 410}}
	if event := <-events.ResultChan(); event.Type != watch.Error || event.Object.(*metav1.Status).Code != 410 {
		t.Errorf("%+v", event)
	}
}

func TestWhatGoesLeavesItsShare(t *testing.T) {
	var k kept
	k.release(secretOf("shop", "unknown", corev1.SecretTypeDockerConfigJson, 10))
	fits := secretOf("shop", "a", corev1.SecretTypeDockerConfigJson, 0)
	fits.Data = map[string][]byte{"x": make([]byte, mostBytes-1024)}
	for fits.Size() < mostBytes {
		fits.Data["x"] = append(fits.Data["x"], 0)
	}
	if one, keep := k.admit(fits); !keep || !Held(one) || fits.Size() != mostBytes {
		t.Fatalf("one of just its share (%d of %d bytes) is not kept", fits.Size(), mostBytes)
	}
	if one, _ := k.admit(secretOf("shop", "b", corev1.SecretTypeDockerConfigJson, 1)); Held(one) {
		t.Error("there is no room, and it is kept")
	}
	k.release(fits)
	if one, _ := k.admit(secretOf("shop", "c", corev1.SecretTypeDockerConfigJson, mostBytes/2)); !Held(one) {
		t.Error("what went leaves no room")
	}
	for _, name := range []string{"b", "c", "c"} {
		k.release(secretOf("shop", name, corev1.SecretTypeDockerConfigJson, 1))
	}
	if len(k.namespaces) != 0 {
		t.Errorf("of %d namespaces something is remembered", len(k.namespaces))
	}
	k.admit(secretOf("shop", "stays", corev1.SecretTypeDockerConfigJson, 1))
	for n := range 4 * mostObjects {
		kind := corev1.SecretTypeDockerConfigJson
		if n%2 == 0 {
			kind = corev1.SecretTypeOpaque
		}
		secret := secretOf("shop", fmt.Sprint(n), kind, 1)
		if _, keep := k.admit(secret); !keep {
			t.Fatalf("after %d that came and went one is not kept", n)
		}
		k.release(secret)
	}
}

func TestWhichSecretsCanBeMeant(t *testing.T) {
	label := func(key, value string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{key: value}}, Type: corev1.SecretTypeOpaque}
	}
	for name, test := range map[string]struct {
		object client.Object
		want   bool
	}{
		"a pull Secret":                 {&corev1.Secret{Type: corev1.SecretTypeDockerConfigJson}, true},
		"one of the old form":           {&corev1.Secret{Type: corev1.SecretTypeDockercfg}, true},
		"one that bears regcred's mark": {label(v1alpha1.ManagedLabel, v1alpha1.ManagedValue), true},
		"one of an earlier version":     {label(v1alpha1.ManagedByLabel, v1alpha1.ManagedByValue), true},
		"one of Helm's":                 {label(v1alpha1.ManagedByLabel, "Helm"), false},
		"another one":                   {&corev1.Secret{Type: corev1.SecretTypeOpaque}, false},
		"a ServiceAccount":              {&corev1.ServiceAccount{}, true},
	} {
		if got := isMeant(test.object); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestWhatIsKeptOfAnObjectBesideItsName(t *testing.T) {
	going := metav1.Now()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "regcred", UID: "u", ResourceVersion: "7", CreationTimestamp: metav1.Now(), DeletionTimestamp: &going, Generation: 3,
	}, Type: corev1.SecretType(strings.Repeat("x", 1000))}
	got := stub(secret).(*corev1.Secret)
	if got.Namespace != "shop" || got.Name != "regcred" || got.UID != "u" || got.ResourceVersion != "7" || got.DeletionTimestamp == nil || got.CreationTimestamp.IsZero() || Held(got) || len(got.Type) != 253 {
		t.Errorf("%+v", got)
	}
	pod := &corev1.Pod{}
	if stub(pod) != client.Object(pod) || apart(pod) != client.Object(pod) {
		t.Error("of another kind all is kept")
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	if copied := apart(account); copied == client.Object(account) || copied.GetName() != "a" {
		t.Error("it keeps the page in memory that it came with")
	}
	if copied := apart(secret); copied == client.Object(secret) || copied.GetName() != "regcred" {
		t.Error("it keeps the page in memory that it came with")
	}
}

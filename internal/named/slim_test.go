package named

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestOfManagedFieldsThoseOfOthersAreKept(t *testing.T) {
	fields := func(managers ...string) (all []metav1.ManagedFieldsEntry) {
		for _, name := range managers {
			all = append(all, metav1.ManagedFieldsEntry{Manager: name})
		}
		return all
	}
	for _, test := range []struct {
		name         string
		before, want []metav1.ManagedFieldsEntry
	}{
		{"the operator alone", fields(v1alpha1.FieldManager, v1alpha1.FieldManager), nil},
		{"a tool beside it", fields("helm", v1alpha1.FieldManager, "kubectl"), fields("helm", "kubectl")},
		{"nobody", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			stripped, err := slimmed(newShared())(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: test.before}})
			if err != nil {
				t.Fatal(err)
			}
			got := stripped.(*corev1.Secret).ManagedFields
			if len(got) != len(test.want) {
				t.Fatalf("%+v is kept, want %+v", got, test.want)
			}
			for i := range got {
				if got[i].Manager != test.want[i].Manager {
					t.Errorf("%s is kept, want %s", got[i].Manager, test.want[i].Manager)
				}
			}
		})
	}
	if other, err := slimmed(newShared())("a tombstone"); err != nil || other != "a tombstone" {
		t.Errorf("%v, %v", other, err)
	}
}

// secretFrom is a Secret that came from the API server: nothing of it is shared with another one.
func secretFrom(namespace, config string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "regcred", Labels: map[string]string{strings.Clone("a"): strings.Clone("b")}, Annotations: map[string]string{"c": "d"},
		},
		Type: corev1.SecretType(strings.Clone(string(corev1.SecretTypeDockerConfigJson))), Data: map[string][]byte{"x": []byte(config)},
	}
}

func TestWhatIsEqualIsKeptOnce(t *testing.T) {
	slim := slimmed(newShared())
	through := func(object any) any {
		got, err := slim(object)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, second := through(secretFrom("one", "value")).(*corev1.Secret), through(secretFrom("two", "value")).(*corev1.Secret)
	if !reflect.DeepEqual(second, secretFrom("two", "value")) {
		t.Fatalf("it is changed: %+v", second)
	}
	same := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	if !same(first.Labels, second.Labels) || !same(first.Annotations, second.Annotations) || !same(first.Data, second.Data) {
		t.Error("labels, annotations and data of two equal Secrets are kept twice")
	}
	if unsafe.StringData(string(first.Type)) != unsafe.StringData(string(second.Type)) {
		t.Error("the type is kept twice")
	}
	other := through(secretFrom("three", "other")).(*corev1.Secret)
	if same(first.Data, other.Data) || string(other.Data["x"]) != "other" || string(first.Data["x"]) != "value" {
		t.Errorf("%q is kept for another value", other.Data)
	}
	accounts := []*corev1.ServiceAccount{}
	for _, names := range [][]string{{"a", "b"}, {"a", "b"}, {"b", "a"}} {
		account := &corev1.ServiceAccount{}
		for _, name := range names {
			account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		}
		accounts = append(accounts, through(account).(*corev1.ServiceAccount))
	}
	if !same(accounts[0].ImagePullSecrets, accounts[1].ImagePullSecrets) || accounts[2].ImagePullSecrets[0].Name != "b" {
		t.Errorf("%v, %v and %v", accounts[0], accounts[1], accounts[2])
	}
	if bare := through(&corev1.Secret{}).(*corev1.Secret); bare.Labels != nil || bare.Data != nil {
		t.Errorf("%+v", bare)
	}
}

// Each value is shared by those that have it, and not the first one alone.
func TestOfSeveralValuesEachIsKeptOnce(t *testing.T) {
	pools := newShared()
	same := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	for _, value := range []string{"one", "two", "three"} {
		texts := func() map[string]string { return map[string]string{"key": value} }
		data := func() map[string][]byte { return map[string][]byte{"key": []byte(value)} }
		references := func() []corev1.LocalObjectReference { return []corev1.LocalObjectReference{{Name: value}} }
		if !same(pools.texts.of(texts()), pools.texts.of(texts())) || !same(pools.data.of(data()), pools.data.of(data())) || !same(pools.references.of(references()), pools.references.of(references())) {
			t.Errorf("%s is kept twice", value)
		}
	}
	pools.texts.of(nil)
	if empty := pools.texts.of(map[string]string{}); empty == nil {
		t.Error("what is empty became nothing")
	}
}

// Two values may have one print. Nobody can bring that about from outside: the prints are others in each process.
func TestWhatOnlyHasTheSamePrintIsNotShared(t *testing.T) {
	p := newPool(func(a, b string) bool { return a == b }, func(value string) (uint64, int) { return 1, len(value) })
	if first, second := p.of("first"), p.of("second"); first != "first" || second != "second" {
		t.Errorf("%s and %s", first, second)
	}
}

// Each look at a place asks for the Secrets and ServiceAccounts of one namespace, and most have one of each.
func TestToListOneNamespaceCostsNoListOfAll(t *testing.T) {
	c := &Caches{names: []string{"a", "b"}, byName: map[string]cache.Cache{
		"a": onlyGet{shelf{secrets: []corev1.Secret{named("shop", "a", 0)}}}, "b": onlyGet{shelf{}},
	}}
	var list corev1.SecretList
	seen := 0
	if err := c.List(t.Context(), "shop", &list, func() { seen += len(list.Items) }); err != nil || seen != 1 {
		t.Errorf("%d are seen: %v", seen, err)
	}
	if err := c.List(t.Context(), "shop", &corev1.PodList{}, func() { t.Error("there are pods") }); err == nil {
		t.Error("pods are not read by name, and there is no error")
	}
	var accounts corev1.ServiceAccountList
	kept := &Caches{names: []string{"default"}, byName: map[string]cache.Cache{"default": accountShelf{}}}
	for namespace, want := range map[string]int{"shop": 1, "none": 0} {
		if err := kept.List(t.Context(), namespace, &accounts, func() {}); err != nil || len(accounts.Items) != want || want == 1 && accounts.Items[0].Name != "default" {
			t.Errorf("in %s: %v, %v", namespace, accounts.Items, err)
		}
	}
}

// onlyGet has no index by namespace.
type onlyGet struct{ shelf }

func (onlyGet) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("a list of one namespace needs an index")
}

// accountShelf has one ServiceAccount, in the namespace shop.
type accountShelf struct{ cache.Cache }

func (accountShelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if key.Namespace != "shop" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccounts"}, key.Name)
	}
	into.(*corev1.ServiceAccount).Name = key.Name
	return nil
}

// The informer of a name has no index, which would hold a map for each namespace.
func TestAnInformerOfOneNameHasNoIndex(t *testing.T) {
	informer := newNamedInformer(&toolscache.ListWatch{}, &corev1.Secret{}, 0, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	if indexers := informer.GetIndexer().GetIndexers(); len(indexers) > 0 {
		t.Errorf("%v", indexers)
	}
}

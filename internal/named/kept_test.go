package named

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatChangesOrWasNeverCountedTakesNoPlaceOfOthers(t *testing.T) {
	small := func(name string) *corev1.Secret { return secretOf("shop", name, corev1.SecretTypeDockerConfigJson, 1) }
	for name, before := range map[string]func(*kept){
		"one that changes again and again counts once": func(k *kept) {
			for range 2 * mostObjects {
				k.admit(small("first"))
			}
		},
		"one that becomes another that can be meant, again and again": func(k *kept) {
			for range mostObjects {
				other := secretOf("shop", "first", corev1.SecretTypeOpaque, 1)
				other.Labels = nil
				k.admit(other)
				k.admit(small("first"))
			}
		},
		"one that went without having been counted": func(k *kept) {
			k.admit(small("first"))
			for n := range 5 {
				unknown := secretOf("shop", fmt.Sprint("unknown-", n), corev1.SecretTypeOpaque, 1)
				unknown.Labels = nil
				k.release(unknown)
				k.release(small(fmt.Sprint("unknown-", n)))
			}
		},
	} {
		for _, kind := range []corev1.SecretType{corev1.SecretTypeDockerConfigJson, corev1.SecretTypeOpaque} {
			var k kept
			before(&k)
			there := 0
			for n := range mostObjects + 10 {
				one := secretOf("shop", fmt.Sprint(n), kind, 1)
				one.Labels = nil
				if _, keep := k.admit(one); keep {
					there++
				}
			}
			want := mostObjects
			if kind == corev1.SecretTypeDockerConfigJson {
				want-- // beside the first
			}
			if there != want {
				t.Errorf("%s: of the type %s %d more are kept, want %d", name, kind, there, want)
			}
		}
	}
}

func TestWhatStaysKeepsItsShareWhenAnotherOneGoes(t *testing.T) {
	var k kept
	k.admit(secretOf("shop", "large", corev1.SecretTypeDockerConfigJson, mostBytes*3/4))
	k.admit(secretOf("shop", "small", corev1.SecretTypeDockerConfigJson, 1))
	k.release(secretOf("shop", "small", corev1.SecretTypeDockerConfigJson, 1))
	if one, _ := k.admit(secretOf("shop", "more", corev1.SecretTypeDockerConfigJson, mostBytes/2)); Held(one) {
		t.Error("there is no room, and it is kept")
	}
	k.admit(secretOf("shop", "as large", corev1.SecretTypeDockerConfigJson, mostBytes*3/4))
	k.release(secretOf("shop", "as large", corev1.SecretTypeDockerConfigJson, mostBytes*3/4))
	if one, _ := k.admit(secretOf("shop", "more", corev1.SecretTypeDockerConfigJson, mostBytes/2)); Held(one) {
		t.Error("what was not held makes room for others as it goes")
	}
}

func TestAWatchDoesNotPassOnMoreThanTheNamesThatAreKept(t *testing.T) {
	server := &served{events: make(chan watch.Event, 3)}
	b := &bounded{source: server, kept: &kept{}}
	for n := range mostObjects {
		b.kept.admit(secretOf("shop", fmt.Sprint(n), corev1.SecretTypeDockerConfigJson, 1))
	}
	events, err := b.Watch(metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	for _, name := range []string{"one-more", "7"} {
		server.events <- watch.Event{Type: watch.Added, Object: secretOf("shop", name, corev1.SecretTypeDockerConfigJson, 1)}
	}
	if event := <-events.ResultChan(); event.Object.(*corev1.Secret).Name != "7" {
		t.Errorf("%+v is passed on", event.Object)
	}
}

// What tells nothing of its size counts, so that it has an end.
func TestWhatTellsNothingOfItsSizeHasOne(t *testing.T) {
	if size := sizeOf(&v1alpha1.RegistryCredential{}); size != 1 {
		t.Errorf("%d", size)
	}
	var k kept
	if one, keep := k.admit(&v1alpha1.RegistryCredential{}); !keep || !Held(one) {
		t.Errorf("%+v is kept: %t", one, keep)
	}
}

// The operator may read no kind of which it started no informer.
func TestWhatWasNotStartedIsNotRead(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := cachesFor(t, "http://127.0.0.1:1", "a")
	go func() { _ = c.byName["a"].Start(ctx) }()
	var none *cache.ErrResourceNotCached
	if err := c.Get(ctx, client.ObjectKey{Namespace: "shop", Name: "a"}, &corev1.Secret{}); !errors.As(err, &none) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsDoneWithEachCacheEndsWithAnError(t *testing.T) {
	away := errors.New("away")
	c := &Caches{names: []string{"a", "b", "c"}, byName: map[string]cache.Cache{"a": shelf{}, "b": shelf{fails: away}, "c": shelf{}}}
	var seen []error
	err := c.Each(func(one cache.Cache) error {
		seen = append(seen, one.(shelf).fails)
		return one.(shelf).fails
	})
	if !errors.Is(err, away) || !slices.Equal(seen, []error{nil, away}) {
		t.Errorf("%v after %v", err, seen)
	}
	if err = c.Each(func(cache.Cache) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestInTheWideModeAllOfANamespaceAreListed(t *testing.T) {
	c := &Caches{names: []string{Any}, byName: map[string]cache.Cache{Any: shelf{secrets: []corev1.Secret{named("shop", "a", 0), named("shop", "b", 0), named("web", "a", 0)}}}}
	var list corev1.SecretList
	if err := c.List(t.Context(), "shop", &list, func() {}); err != nil || len(list.Items) != 2 {
		t.Errorf("%d, %v", len(list.Items), err)
	}
}

// brokenShelf is a cache that cannot be read.
type brokenShelf struct {
	cache.Cache
	fails error
}

func (s brokenShelf) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return s.fails
}

func TestACacheThatCannotBeReadIsNotOneThatHasNothing(t *testing.T) {
	away := errors.New("away")
	c := &Caches{names: []string{"a"}, byName: map[string]cache.Cache{"a": brokenShelf{fails: away}}}
	for _, list := range []client.ObjectList{&corev1.SecretList{}, &corev1.ServiceAccountList{}} {
		if err := c.List(t.Context(), "shop", list, func() { t.Errorf("%T is shown", list) }); !errors.Is(err, away) {
			t.Errorf("%T: %v", list, err)
		}
	}
}

func TestATypeStaysAsItIs(t *testing.T) {
	for _, kind := range []corev1.SecretType{corev1.SecretTypeDockerConfigJson, corev1.SecretTypeDockercfg, corev1.SecretTypeOpaque, ""} {
		slim, err := slimmed(newShared())(&corev1.Secret{Type: kind})
		if err != nil || slim.(*corev1.Secret).Type != kind {
			t.Errorf("%s becomes %+v: %v", kind, slim, err)
		}
	}
}

// The people of a namespace decide how large a value is, and of how many parts: one that takes much memory is not remembered.
func TestWhatTakesMuchMemoryIsNotRemembered(t *testing.T) {
	pools := newShared()
	same := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	const most = shareBound / 8
	large, parts := strings.Repeat("x", most), most/overhead
	texts, data, references := map[string]string{}, map[string][]byte{}, []corev1.LocalObjectReference{}
	for n := range parts {
		texts[fmt.Sprint(n)], data[fmt.Sprint(n)] = "", nil
		references = append(references, corev1.LocalObjectReference{Name: "a"})
	}
	for name, shared := range map[string]bool{
		"a large text":    same(pools.texts.of(map[string]string{"k": large}), pools.texts.of(map[string]string{"k": large})),
		"a large value":   same(pools.data.of(map[string][]byte{"k": []byte(large)}), pools.data.of(map[string][]byte{"k": []byte(large)})),
		"a large name":    same(pools.references.of([]corev1.LocalObjectReference{{Name: large}}), pools.references.of([]corev1.LocalObjectReference{{Name: large}})),
		"many texts":      same(pools.texts.of(maps.Clone(texts)), pools.texts.of(maps.Clone(texts))),
		"many values":     same(pools.data.of(maps.Clone(data)), pools.data.of(maps.Clone(data))),
		"many references": same(pools.references.of(slices.Clone(references)), pools.references.of(slices.Clone(references))),
	} {
		if shared {
			t.Errorf("%s is remembered", name)
		}
	}
}

func TestWhichDataIsTheSame(t *testing.T) {
	one := map[string][]byte{"a": []byte("x"), "b": []byte("y")}
	for name, other := range map[string]map[string][]byte{
		"another value": {"a": []byte("x"), "b": []byte("z")}, "another key": {"a": []byte("x"), "c": []byte("y")}, "less": {"a": []byte("x")}, "nothing": nil,
	} {
		if sameData(one, other) || sameData(other, one) {
			t.Errorf("%s is taken for the same", name)
		}
	}
	if !sameData(one, map[string][]byte{"b": []byte("y"), "a": []byte("x")}) {
		t.Error("the same is not")
	}
}

// A list begins the count again in one goroutine while a watch goes on with it in another.
func TestAListBeginsTheCountAgainWhileAWatchGoesOnWithIt(t *testing.T) {
	k := &kept{}
	var workers sync.WaitGroup
	for n := range 4 {
		secret := secretOf("shop", fmt.Sprint(n%2), corev1.SecretTypeDockerConfigJson, 1)
		for _, work := range []func(){func() { k.admit(secret) }, func() { k.release(secret) }, k.reset} {
			workers.Go(func() {
				for range 100 {
					work()
				}
			})
		}
	}
	workers.Wait()
	k.reset()
	if one, keep := k.admit(secretOf("shop", "a", corev1.SecretTypeDockerConfigJson, mostBytes/2)); !keep || !Held(one) {
		t.Error("what is over takes a share")
	}
}

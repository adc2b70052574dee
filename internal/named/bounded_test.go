package named

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
)

func secretOf(namespace, name string, kind corev1.SecretType, bytes int) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "u", ResourceVersion: "1", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue, "a": "b"}},
		Type:       kind, Data: map[string][]byte{"x": []byte(strings.Repeat("x", bytes))},
	}
}

// held is what of the Secrets of a namespace is kept whole, and of how many the name.
type held struct{ bytes, whole, names int }

func heldOf(items []corev1.Secret) map[string]held {
	all := map[string]held{}
	for i := range items {
		one := all[items[i].Namespace]
		one.bytes += len(items[i].Data["x"])
		if Held(&items[i]) {
			one.whole++
		} else {
			one.names++
		}
		all[items[i].Namespace] = one
	}
	return all
}

// served is an API server that lists and watches.
type served struct {
	secrets []corev1.Secret
	events  chan watch.Event
	limits  []int64
}

func (s *served) ListWithContext(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
	s.limits = append(s.limits, options.Limit)
	from := 0
	_, _ = fmt.Sscan(options.Continue, &from)
	to := min(from+int(options.Limit), len(s.secrets))
	list := &corev1.SecretList{ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(7 + from)}, Items: append([]corev1.Secret{}, s.secrets[from:to]...)}
	if to < len(s.secrets) {
		list.Continue = fmt.Sprint(to)
	}
	return list, nil
}

func (s *served) WatchWithContext(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return watch.NewProxyWatcher(s.events), nil
}

var _ toolscache.ListerWatcherWithContext = &served{}

func TestOfANamespaceNoMoreIsKeptThanItsShare(t *testing.T) {
	server := &served{}
	for i := range 3000 {
		server.secrets = append(server.secrets, *secretOf("tenant", fmt.Sprint("pull-", i), corev1.SecretTypeDockerConfigJson, 1<<10))
	}
	server.secrets = append(server.secrets,
		*secretOf("shop", "helm", "helm.sh/release.v1", 1<<20), *secretOf("shop", "regcred", corev1.SecretTypeDockerConfigJson, 1<<10),
		*secretOf("large", "one", corev1.SecretTypeDockerConfigJson, 1<<20), *secretOf("large", "two", corev1.SecretTypeDockercfg, 1<<20))
	server.secrets[3000].Labels = nil
	b := &bounded{source: server, kept: &kept{}}
	read, err := b.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	list := read.(*corev1.SecretList)
	got := heldOf(list.Items)
	if tenant := got["tenant"]; tenant.bytes > mostBytes || tenant.whole == 0 || tenant.whole+tenant.names != mostObjects {
		t.Errorf("of the tenant %+v is kept", tenant)
	}
	if want := (held{bytes: 1 << 10, whole: 1, names: 1}); got["shop"] != want {
		t.Errorf("of the shop %+v is kept, wanted %+v", got["shop"], want)
	}
	if large := got["large"]; large.whole != 1 || large.names != 1 {
		t.Errorf("of two large ones %+v is kept", large)
	}
	if list.ResourceVersion != "7" || list.Continue != "" {
		t.Errorf("the list has version %q and goes on with %q", list.ResourceVersion, list.Continue)
	}
	for _, limit := range server.limits {
		if limit != page {
			t.Errorf("%d are read at once", limit)
		}
	}
}

func TestAStubSaysWhatItIsAndNothingElse(t *testing.T) {
	whole := secretOf("n", "s", "helm.sh/release.v1", 10)
	whole.Annotations, whole.Labels = map[string]string{"a": "b"}, map[string]string{"a": "b"}
	one, keep := (&kept{}).admit(whole)
	if !keep || Held(one) || len(one.GetAnnotations()) > 0 || len(one.GetLabels()) > 0 || one.(*corev1.Secret).Type != whole.Type || one.GetUID() != whole.UID {
		t.Errorf("%+v", one)
	}
	large := secretOf("n", "s", "Opaque", mostBytes)
	if one, _ = (&kept{}).admit(large); Held(one) || one.GetLabels()[v1alpha1.ManagedLabel] != v1alpha1.ManagedValue || len(one.GetLabels()) != 1 {
		t.Errorf("of a large one with regcred's label %+v is kept", one)
	}
	account, _ := (&kept{}).admit(&corev1.ServiceAccount{ImagePullSecrets: make([]corev1.LocalObjectReference, 2_000_000)})
	if Held(account) {
		t.Error("a ServiceAccount beyond the share is kept whole")
	}
}

func TestTheShareIsCountedByWhatTheWatchTells(t *testing.T) {
	server := &served{events: make(chan watch.Event)}
	b := &bounded{source: server, kept: &kept{}}
	events, err := b.WatchWithContext(t.Context(), metav1.ListOptions{SendInitialEvents: ptr.To(true)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	tell := func(kind watch.EventType, name string, bytes int) *corev1.Secret {
		server.events <- watch.Event{Type: kind, Object: secretOf("n", name, corev1.SecretTypeDockerConfigJson, bytes)}
		event := <-events.ResultChan()
		if event.Type != kind {
			t.Fatalf("%s came as %s", kind, event.Type)
		}
		return event.Object.(*corev1.Secret)
	}
	const most = mostBytes - 1<<10
	for _, step := range []struct {
		name  string
		kind  watch.EventType
		who   string
		bytes int
		held  bool
	}{
		{"one that fills the share", watch.Added, "a", most, true},
		{"one more", watch.Added, "b", 1 << 20, false},
		{"the first one grows", watch.Modified, "a", 2 * mostBytes, false},
		{"now the second one fits", watch.Modified, "b", 1 << 20, true},
		{"and the first one does, smaller", watch.Modified, "a", 1 << 19, true},
		{"it goes", watch.Deleted, "b", 1 << 20, true},
		{"another one has its place", watch.Added, "c", 1 << 20, true},
	} {
		if got := tell(step.kind, step.who, step.bytes); Held(got) != step.held {
			t.Errorf("%s: it is held: %t", step.name, Held(got))
		}
	}
	server.events <- watch.Event{Type: watch.Bookmark, Object: secretOf("", "", "", 0)}
	if event := <-events.ResultChan(); event.Type != watch.Bookmark || !Held(event.Object.(*corev1.Secret)) {
		t.Errorf("a bookmark comes as %+v", event)
	}
}

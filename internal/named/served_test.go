package named

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/silentserver"
)

// api is an API server that has a Secret of each name in the namespace shop. It streams no lists.
type api struct {
	names []string

	mu    sync.Mutex
	lists []url.Values
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid})
	case query.Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		silentserver.Handle(w, r)
	default:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lists = append(a.lists, query)
		list := corev1.SecretList{TypeMeta: metav1.TypeMeta{Kind: "SecretList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
		for _, name := range a.names {
			if selector := query.Get("fieldSelector"); selector == "" || selector == "metadata.name="+name {
				secret := secretOf("shop", name, corev1.SecretTypeDockerConfigJson, 10)
				secret.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: v1alpha1.FieldManager}, {Manager: "kubectl"}}
				list.Items = append(list.Items, *secret)
			}
		}
		_ = json.NewEncoder(w).Encode(list)
	}
}

// selectors are those of the lists that were asked for.
func (a *api) selectors() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, one := range a.lists {
		selector := one.Get("fieldSelector")
		if selector == "" {
			selector = "all, in pages of " + one.Get("limit")
		}
		all = append(all, selector)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// running is a manager that runs nothing by itself.
type running struct {
	manager.Manager
	added []manager.Runnable
	fails error
}

func (r *running) Add(one manager.Runnable) error {
	r.added = append(r.added, one)
	return r.fails
}

func cachesFor(t *testing.T, host string, names ...string) *Caches {
	t.Helper()
	options := cache.Options{Scheme: clientgoscheme.Scheme, Mapper: testrestmapper.TestOnlyStaticRESTMapper(clientgoscheme.Scheme)}
	c, err := New(&rest.Config{Host: host, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, options, names)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The role lets the operator read Secrets by their names alone: a list without the selector would be refused, or read everybody's Secrets.
func TestOfTheAPIServerOnlyTheGivenNamesAreAsked(t *testing.T) {
	for _, test := range []struct {
		name         string
		names        []string
		asked        []string
		read, unread string
	}{
		{"two names", []string{"a", "b"}, []string{"metadata.name=a", "metadata.name=b"}, "b", "c"},
		{"all names", []string{Any}, []string{"all, in pages of 32"}, "c", "d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := &api{names: []string{"a", "b", "c"}}
			http := httptest.NewServer(server)
			ctx, cancel := context.WithCancel(t.Context())
			defer http.Close()
			defer cancel()
			c, mgr := cachesFor(t, http.URL, test.names...), &running{}
			if err := c.AddTo(ctx, mgr, &corev1.Secret{}); err != nil || len(mgr.added) != len(test.names) {
				t.Fatalf("%d caches run: %v", len(mgr.added), err)
			}
			for _, one := range mgr.added {
				go func() { _ = one.Start(ctx) }()
			}
			if err := c.Each(func(one cache.Cache) error {
				if !one.WaitForCacheSync(ctx) {
					return errors.New("it does not fill")
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if got := server.selectors(); !slices.Equal(got, test.asked) {
				t.Errorf("it asks for %q, want %q", got, test.asked)
			}
			var first, second, none corev1.Secret
			key := client.ObjectKey{Namespace: "shop", Name: test.read}
			if err := errors.Join(c.Get(ctx, key, &first), c.Get(ctx, key, &second)); err != nil {
				t.Fatal(err)
			}
			if &first.Data["x"][0] != &second.Data["x"][0] {
				t.Error("each look copies what the Secret holds")
			}
			if len(first.ManagedFields) != 1 || first.ManagedFields[0].Manager != "kubectl" {
				t.Errorf("the field managers are %+v", first.ManagedFields)
			}
			if err := c.Get(ctx, client.ObjectKey{Namespace: "shop", Name: test.unread}, &none); err == nil {
				t.Errorf("%s is read", test.unread)
			}
		})
	}
}

func TestACacheThatCannotRunIsAnError(t *testing.T) {
	away := errors.New("away")
	c := cachesFor(t, "http://127.0.0.1:1", "a", "b")
	if err := c.AddTo(t.Context(), &running{fails: away}, &corev1.Secret{}); !errors.Is(err, away) {
		t.Errorf("a manager that takes none: %v", err)
	}
	mgr := &running{}
	if err := c.AddTo(t.Context(), mgr, &v1alpha1.RegistryCredential{}); err == nil || len(mgr.added) != 0 {
		t.Errorf("a kind that nobody knows: %v, and %d run", err, len(mgr.added))
	}
}

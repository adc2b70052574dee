package records

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	v1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/test/inmemory"
)

// server keeps Secrets as an API server does, and notes what it is asked for.
type server struct {
	version int
	secrets map[string]*corev1.Secret
	asked   []string
	// refuse is the answer to a verb, nil for none.
	refuse map[string]error
}

func (s *server) kept(name string) *corev1.Secret { return s.secrets[name] }

func (s *server) put(secret *corev1.Secret) *corev1.Secret {
	s.version++
	secret = secret.DeepCopy()
	secret.ResourceVersion = strconv.Itoa(s.version)
	s.secrets[secret.Name] = secret
	return secret.DeepCopy()
}

var resource = schema.GroupResource{Resource: "secrets"}

func (s *server) handle(action clienttesting.Action) (bool, apiruntime.Object, error) {
	verb, manager := action.GetVerb(), ""
	if err := s.refuse[verb]; err != nil {
		return true, nil, err
	}
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		manager = a.CreateOptions.FieldManager
	case clienttesting.UpdateActionImpl:
		manager = a.UpdateOptions.FieldManager
	case clienttesting.ListActionImpl:
		manager = a.ListRestrictions.Labels.String()
	}
	s.asked = append(s.asked, strings.TrimSpace(verb+" "+action.GetNamespace()+" "+manager))
	switch a := action.(type) {
	case clienttesting.CreateActionImpl:
		secret := a.GetObject().(*corev1.Secret)
		if s.secrets[secret.Name] != nil {
			return true, nil, apierrors.NewAlreadyExists(resource, secret.Name)
		}
		return true, s.put(secret), nil
	case clienttesting.UpdateActionImpl:
		secret := a.GetObject().(*corev1.Secret)
		switch known := s.secrets[secret.Name]; {
		case known == nil:
			return true, nil, apierrors.NewNotFound(resource, secret.Name)
		case secret.ResourceVersion == "" || secret.ResourceVersion != known.ResourceVersion:
			return true, nil, apierrors.NewConflict(resource, secret.Name, errors.New("it changed"))
		}
		return true, s.put(secret), nil
	case clienttesting.GetActionImpl:
		if known := s.secrets[a.GetName()]; known != nil {
			return true, known.DeepCopy(), nil
		}
		return true, nil, apierrors.NewNotFound(resource, a.GetName())
	case clienttesting.DeleteActionImpl:
		switch known := s.secrets[a.GetName()]; {
		case known == nil:
			return true, nil, apierrors.NewNotFound(resource, a.GetName())
		case a.DeleteOptions.Preconditions == nil || *a.DeleteOptions.Preconditions.ResourceVersion != known.ResourceVersion:
			return true, nil, apierrors.NewConflict(resource, a.GetName(), errors.New("it changed"))
		}
		delete(s.secrets, a.GetName())
		return true, nil, nil
	}
	list := &corev1.SecretList{}
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		list.Items = append(list.Items, *s.secrets[name])
	}
	return true, list, nil
}

// client asks the server. It is asked one thing at a time.
func (s *server) client() v1.CoreV1Interface {
	clientset := inmemory.Clientset()
	clientset.PrependReactor("*", "secrets", s.handle)
	return clientset.CoreV1()
}

// leader is a store before a server, with those of whom it told.
type leader struct {
	*Store
	told []string
}

func (s *server) leader() *leader {
	l := &leader{}
	l.Store = NewStore(s.client(), "regcred-system", func(credential string) { l.told = append(l.told, credential) })
	return l
}

func newServer() *server {
	return &server{secrets: map[string]*corev1.Secret{}, refuse: map[string]error{}}
}

func TestWhatIsSavedIsThereAfterARestart(t *testing.T) {
	server := newServer()
	one := server.leader()
	if err := one.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1", Serial: 4}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		next := record(t)
		next.Revision = fmt.Sprint(i)
		if err := one.Save(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	kept := server.kept(secretName("company"))
	if string(kept.Data[nameKey]) != "company" {
		t.Errorf("it is of %q", kept.Data[nameKey])
	}
	if kept.Type != SecretType || kept.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedByValue || kept.Labels[recordLabel] != "true" || kept.Namespace != "regcred-system" {
		t.Errorf("%+v", kept.ObjectMeta)
	}
	want := []string{"list regcred-system " + recordLabel + "=true", "create regcred-system regcred-published-store"}
	for range 3 {
		want = append(want, "update regcred-system regcred-published-store")
	}
	if !slices.Equal(server.asked, want) {
		t.Errorf("%q, want %q", server.asked, want)
	}
	two := server.leader()
	for range 2 { // it is read once
		if err := two.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(server.asked) != len(want)+1 {
		t.Errorf("%q", server.asked)
	}
	if got := two.All(); len(got) != 1 || got["company"].Revision != "2" || two.Get("company").Format != Format || two.Removals("company").Serial != 4 {
		t.Errorf("%+v", got)
	}
	next := record(t)
	next.Revision = "3"
	if err := two.Save(t.Context(), next); err != nil {
		t.Errorf("after a restart it cannot be written: %v", err)
	}
}

func TestOneBrokenRecordHidesNoOther(t *testing.T) {
	server := newServer()
	for _, name := range []string{"a", "b", "c"} {
		one := record(t)
		one.Credential = name
		secret, err := encode(one, "regcred-system")
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "a":
			secret.Data[memoKey] = []byte("{")
		case "b":
			secret.Data[memoKey] = []byte(newerMemos["with a field more"])
		}
		server.put(secret)
	}
	store := server.leader()
	var said strings.Builder
	logger := funcr.New(func(_, line string) { said.WriteString(line + "\n") }, funcr.Options{})
	if err := store.Load(log.IntoContext(t.Context(), logger)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a newer version of regcred, and is left alone", "regcred-published-a: its memo is not readable"} {
		if !strings.Contains(said.String(), want) || strings.Contains(said.String(), password) {
			t.Errorf("want a word of %q in the log:\n%s", want, said.String())
		}
	}
	if lines := strings.Count(said.String(), "\n"); lines != 2 {
		t.Errorf("of two records %d lines are logged:\n%s", lines, said.String())
	}
	if got := store.All(); len(got) != 1 || !got["c"].Published() || store.IsLeftAlone("a") || !store.IsLeftAlone("b") || store.IsLeftAlone("c") {
		t.Errorf("%v", slices.Sorted(maps.Keys(got)))
	}
	server.refuse["list"] = errors.New("away")
	if err := server.leader().Load(t.Context()); err == nil || !strings.Contains(err.Error(), "regcred-system") {
		t.Errorf("a store that could not be read counts as empty: %v", err)
	}
}

func TestWhereNothingIsKnownOfRemovalsNothingIsKeptOfThem(t *testing.T) {
	server := newServer()
	if err := server.leader().Save(t.Context(), record(t)); err != nil {
		t.Fatal(err)
	}
	if _, kept := server.kept(secretName("company")).Data[removalsKey]; kept {
		t.Error("something is kept")
	}
}

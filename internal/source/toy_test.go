package source_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/source"
)

// toy is a whole source: it keeps secrets in memory. The API has no member for it, so it claims the paths of one mount.
type toy map[string]payload.Fields

const toyMount = "toy"

func (t toy) Read(_ context.Context, request source.Request) (source.Snapshot, error) {
	place := request.Source.Vault
	fields, found := t[place.Path]
	if !found {
		return source.Snapshot{}, source.Stalled(v1alpha1.ReasonSecretNotFound, place.Path+": nothing is there")
	}
	made, err := payload.Render(fields, payload.Want{
		Registries: request.Registries, Keys: payload.Keys(place.KeyNames()), Username: place.Username, Where: place.Path,
	})
	if err != nil {
		return source.Snapshot{}, &source.Error{Reason: v1alpha1.ReasonMalformed, Message: place.Path + ": " + err.Error(), Stalled: true, Err: err}
	}
	return source.Snapshot{
		Config: made.Config, Revision: payload.Revision(request.Salt, made.Config), ExpireTime: made.Expire, Findings: made.Findings,
		ReadTime: time.Now(), Lease: &source.Lease{ID: place.Path},
	}, nil
}

func (t toy) Release(_ context.Context, lease source.Lease) error {
	delete(t, lease.ID)
	return nil
}

func toyMember(t toy) source.Member {
	return source.Member{
		Name: "toy", Reader: t, Releaser: t,
		Claims: func(s v1alpha1.Source) bool { return s.Vault != nil && s.Vault.Mount == toyMount },
	}
}

func toySpec(path string) *v1alpha1.RegistryCredentialSpec {
	return &v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"registry.example"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: toyMount, Path: path}},
	}
}

func TestANewSourceIsReadThroughTheMux(t *testing.T) {
	kept := toy{"a": {"username": "u", "password": "p"}, "b": {"username": "u"}}
	mux := source.Mux{toyMember(kept)}
	snapshot, err := mux.Read(t.Context(), source.NewRequest(toySpec("a"), []byte("salt-of-sixteen-b"), 0))
	if err != nil || snapshot.Config["registry.example"].Password() != "p" {
		t.Fatalf("%v, %v", snapshot.Config, err)
	}
	if _, err := mux.Read(t.Context(), source.NewRequest(toySpec("b"), nil, 0)); !errors.Is(err, payload.ErrKeyMissing) {
		t.Errorf("got %v", err)
	}
	if err := mux.Release(t.Context(), *snapshot.Lease); err != nil || kept["a"] != nil {
		t.Errorf("the lease is not given back to its source: %v", err)
	}
	other := toySpec("a")
	other.Source.Vault.Mount = "secret"
	if _, err := mux.Read(t.Context(), source.NewRequest(other, nil, 0)); source.AsError(err) == nil || !source.AsError(err).Stalled {
		t.Errorf("a spec that nobody claims: %v", err)
	}
	if err := mux.Release(t.Context(), source.Lease{ID: "of an older operator"}); err == nil {
		t.Error("a lease of Vault is given to another source")
	}
}

func TestAPlaceIsWhatIsReadAndNotHow(t *testing.T) {
	first, second := toySpec("a"), toySpec("a")
	second.Registries, second.Source.Vault.Username = nil, "u"
	second.Source.Vault.Connection, second.Source.Vault.Engine = v1alpha1.DefaultConnection, v1alpha1.EngineKVv2
	if source.PlaceOf(first) != source.PlaceOf(second) {
		t.Error("defaults, registries and keys make another place")
	}
	split := toySpec("b/c")
	split.Source.Vault.Mount = "toy/a"
	joined := toySpec("a/b/c")
	if source.PlaceOf(first) == source.PlaceOf(toySpec("b")) || source.PlaceOf(split) == source.PlaceOf(joined) {
		t.Error("two paths are one place")
	}
}

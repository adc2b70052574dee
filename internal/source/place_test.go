package source_test

import (
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func TestAPlaceIsWhatDecidesTheAnswer(t *testing.T) {
	at := func(change func(*v1alpha1.VaultSource)) source.Place {
		vault := &v1alpha1.VaultSource{Mount: "dockerhub", Path: "token/a/pull", Engine: v1alpha1.EngineDynamic}
		change(vault)
		return source.PlaceOf(&v1alpha1.RegistryCredentialSpec{Source: v1alpha1.Source{Vault: vault}})
	}
	asking := func(method v1alpha1.VaultMethod, parameters map[string]v1alpha1.ParameterValue) func(*v1alpha1.VaultSource) {
		return func(v *v1alpha1.VaultSource) {
			v.Request = &v1alpha1.VaultRequest{Method: method, Parameters: parameters}
		}
	}
	plain := at(func(*v1alpha1.VaultSource) {})
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.VaultSource)
		same   bool
	}{
		{"other keys", func(v *v1alpha1.VaultSource) { v.Keys = &v1alpha1.VaultKeys{Password: "token"} }, true},
		{"another path", func(v *v1alpha1.VaultSource) { v.Path = "token/b/pull" }, false},
		{"another connection", func(v *v1alpha1.VaultSource) { v.Connection = "other" }, false},
		{"another method", asking(v1alpha1.VaultPost, nil), false},
		{"a parameter", asking("", map[string]v1alpha1.ParameterValue{"ttl": "1h"}), false},
	} {
		if got := at(test.change); (got == plain) != test.same {
			t.Errorf("%s: the same place: %t, want %t", test.name, got == plain, test.same)
		}
	}
	if plain.Member != source.MemberVault || plain.Server != v1alpha1.DefaultConnection {
		t.Errorf("it is asked for at %+v", plain)
	}
	if none := source.PlaceOf(&v1alpha1.RegistryCredentialSpec{}); none != (source.Place{}) {
		t.Errorf("no source is at %+v", none)
	}
	short, told := at(asking("", map[string]v1alpha1.ParameterValue{"ttl": "1h"})), at(asking("", map[string]v1alpha1.ParameterValue{"ttl": "2h"}))
	if !strings.Contains(short.Name, `"1h"`) || short == told {
		t.Errorf("short parameters can be read, and other ones are another place: %q, %q", short.Name, told.Name)
	}
	long := at(asking("", map[string]v1alpha1.ParameterValue{"a": v1alpha1.ParameterValue(strings.Repeat("x", 1024)), "b": "1"}))
	other := at(asking("", map[string]v1alpha1.ParameterValue{"a": v1alpha1.ParameterValue(strings.Repeat("x", 1024)), "b": "2"}))
	if long == other || len(long.Name) > 200 {
		t.Errorf("long parameters make the places %q and %q", long.Name, other.Name)
	}
	one := at(asking("", map[string]v1alpha1.ParameterValue{"a": "1", "b": "2", "c": "3"}))
	for range 20 { // a map has no order
		if at(asking("", map[string]v1alpha1.ParameterValue{"c": "3", "b": "2", "a": "1"})) != one {
			t.Fatal("the same parameters make two places")
		}
	}
}

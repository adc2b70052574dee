package source_test

import (
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

// Two specs with one Place share an answer: whatever decides the answer is part of it, and each part of it alone makes another.
func TestEachPartOfWhatIsReadMakesAnotherPlace(t *testing.T) {
	request := func(method v1alpha1.VaultMethod, parameters map[string]v1alpha1.ParameterValue) *v1alpha1.VaultRequest {
		return &v1alpha1.VaultRequest{Method: method, Parameters: parameters}
	}
	parameters := map[string]v1alpha1.ParameterValue{"ttl": "1h"}
	seen := map[source.Place]string{}
	for name, vault := range map[string]v1alpha1.VaultSource{
		"KV version 2":                        {Mount: "secret", Path: "a/b"},
		"KV version 1":                        {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineKVv1},
		"another engine":                      {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineDynamic},
		"a mount that is longer by a segment": {Mount: "secret/a", Path: "b"},
		"another connection":                  {Mount: "secret", Path: "a/b", Connection: "other"},
		"parameters":                          {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineDynamic, Request: request("", parameters)},
		"parameters in a POST":                {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineDynamic, Request: request(v1alpha1.VaultPost, parameters)},
		"a POST without parameters":           {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineDynamic, Request: request(v1alpha1.VaultPost, nil)},
		"other parameters in a POST":          {Mount: "secret", Path: "a/b", Engine: v1alpha1.EngineDynamic, Request: request(v1alpha1.VaultPost, map[string]v1alpha1.ParameterValue{"ttl": "2h"})},
	} {
		spec := &v1alpha1.RegistryCredentialSpec{Source: v1alpha1.Source{Vault: &vault}}
		place, asked := source.PlaceOf(spec), source.NewRequest(spec, nil, 0)
		if other, twice := seen[place]; twice {
			t.Errorf("%s and %s are one place: %+v", name, other, place)
		}
		if seen[place] = name; asked.Place() != place {
			t.Errorf("%s: a request for it is at %+v", name, asked.Place())
		}
	}
}

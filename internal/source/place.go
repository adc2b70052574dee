package source

import (
	"crypto/sha256"
	"fmt"

	"regcred.dev/regcred/api/v1alpha1"
)

// Place is the identity of what a spec reads: two specs with equal Places get the same answer, so that they can share it and keep
// one rhythm. How a value is read from the answer, such as the names of keys, is no part of it. Places are compared with ==.
type Place struct {
	// Member of spec.source, such as "vault".
	Member string
	// Server is who is asked, in the member's own terms: the name of a VaultConnection.
	Server string
	// Name is what is asked for there.
	Name string
}

// PlaceOf is the place that a spec reads; the zero Place where it names no source.
func PlaceOf(spec *v1alpha1.RegistryCredentialSpec) Place { return placeOf(spec.Source) }

// Place is the place that a request reads.
func (r *Request) Place() Place { return placeOf(r.Source) }

func placeOf(s v1alpha1.Source) Place {
	v := s.Vault
	if v == nil {
		return Place{}
	}
	name := fmt.Sprintf("%s %q %q", v.EngineKind(), v.Mount, v.Path)
	if r := v.Request; r != nil { // other parameters have another credential made
		name += fmt.Sprintf(" %s %s", r.Method, parametersOf(r))
	}
	return Place{Member: MemberVault, Server: v.ConnectionName(), Name: name}
}

// parametersOf are the parameters of a request as far as they are part of a Place. Places are kept for a day, and parameters can have
// thousands of bytes: of long ones there is a hash.
func parametersOf(r *v1alpha1.VaultRequest) string {
	text := fmt.Sprintf("%q", r.Parameters) // fmt sorts the keys of a map
	if len(text) > 2*sha256.Size {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	return text
}

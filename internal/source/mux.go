package source

import (
	"context"
	"errors"
	"fmt"

	"regcred.dev/regcred/api/v1alpha1"
)

// MemberVault is the member of spec.source that reads Vault and OpenBao.
const MemberVault = "vault"

// Reader reads credentials from one kind of source. The error is an [*Error], and never a reason to change what is published.
type Reader interface {
	Read(ctx context.Context, request Request) (Snapshot, error)
}

// Releaser gives a lease back whose credential is no longer used. A lease that is gone already is no error.
type Releaser interface {
	Release(ctx context.Context, lease Lease) error
}

// ErrNotRenewable is in the chain of an error of Renew where the source prolongs that lease no more: it ended or was revoked, or the
// operator may not renew it. Any other error may pass.
var ErrNotRenewable = errors.New("the lease is not prolonged")

// Renewer prolongs a lease by its term, or by what the source still gives, and returns it as it is then.
type Renewer interface {
	Renew(ctx context.Context, lease Lease) (Lease, error)
}

// Leases are what is done with leases.
type Leases interface {
	Releaser
	Renewer
}

// Member is one kind of source, with the specs that are its own.
type Member struct {
	// Name of the member of spec.source. It is kept with leases, and never changes.
	Name string
	// Claims reports whether a spec names this member.
	Claims func(v1alpha1.Source) bool
	// Reader reads it.
	Reader Reader
	// Releaser is nil where the source makes no leases. One that is a Renewer, too, prolongs them.
	Releaser Releaser
}

// VaultMember is spec.source.vault, read by vault.
func VaultMember(vault interface {
	Reader
	Leases
}) Member {
	return Member{
		Name: MemberVault, Claims: func(s v1alpha1.Source) bool { return s.Vault != nil },
		Reader: vault, Releaser: vault,
	}
}

// Mux chooses the source by the member of spec.source. It is a Reader, a Releaser and a Renewer itself.
type Mux []Member

// Read implements Reader.
func (m Mux) Read(ctx context.Context, request Request) (Snapshot, error) {
	for _, member := range m {
		if !member.Claims(request.Source) {
			continue
		}
		snapshot, err := member.Reader.Read(ctx, request)
		if snapshot.Lease != nil {
			snapshot.Lease.Member = member.Name
		}
		return snapshot, err
	}
	return Snapshot{}, Stalled(v1alpha1.ReasonMalformed, "spec.source names no source that this operator reads: set spec.source.vault")
}

// Release implements Releaser. Leases of operators that knew Vault alone name no member.
func (m Mux) Release(ctx context.Context, lease Lease) error {
	if releaser := m.releaserOf(lease); releaser != nil {
		return releaser.Release(ctx, lease)
	}
	return Stalled(v1alpha1.ReasonMalformed, fmt.Sprintf("a lease of source %q cannot be given back by this operator, and ends on its own", lease.Member))
}

// Renew implements Renewer.
func (m Mux) Renew(ctx context.Context, lease Lease) (Lease, error) {
	if renewer, can := m.releaserOf(lease).(Renewer); can {
		return renewer.Renew(ctx, lease)
	}
	return Lease{}, &Error{
		Reason: v1alpha1.ReasonMalformed, Message: fmt.Sprintf("a lease of source %q is not prolonged by this operator", lease.Member), Err: ErrNotRenewable,
	}
}

// releaserOf is nil where there is none.
func (m Mux) releaserOf(lease Lease) Releaser {
	name := lease.Member
	if name == "" {
		name = MemberVault
	}
	for _, member := range m {
		if member.Name == name {
			return member.Releaser
		}
	}
	return nil
}

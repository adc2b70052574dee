package vault

import (
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// session is one token with its client. A renewal or a new login makes a new session; nothing that a request uses ever
// changes under it.
type session struct {
	client    *api.Client
	token     string
	obtained  time.Time
	lifetime  time.Duration // as given at the login
	expires   time.Time     // zero: without end
	ends      time.Time     // beyond this it cannot be renewed; zero: not known, or it is replaced by a login
	renewable bool
	ours      bool // made by a login of ours, so ours to revoke
	sighted   bool // Vault lets the token look itself up
	users     *sync.WaitGroup

	// under the mutex of the token's life
	renewAt time.Time // zero: never
	leases  map[string]bool
}

func (s *session) alive(now time.Time) bool { return s.expires.IsZero() || now.Before(s.expires) }

func (s *session) due(now time.Time) bool { return !s.renewAt.IsZero() && !now.Before(s.renewAt) }

// newSession makes a session of a grant.
func (c *connection) newSession(g *grant, now time.Time) (*session, error) {
	client, err := newAPIClient(c.spec.Address, c.spec.VaultNamespace, g.token, c.http)
	if err != nil {
		return nil, err
	}
	s := &session{
		client: client, token: g.token, obtained: now, lifetime: g.lifetime, renewable: g.renewable, ends: g.ends,
		ours: c.spec.Auth.Token == nil, users: &sync.WaitGroup{}, leases: map[string]bool{},
	}
	s.limit(g.lifetime, now)
	return s, nil
}

// limit sets the end of the token, and renewal after about two thirds of its lifetime.
func (s *session) limit(lifetime time.Duration, now time.Time) {
	if lifetime <= 0 {
		return
	}
	s.expires = now.Add(lifetime)
	if s.renewable || s.ours {
		s.renewAt = now.Add(lifetime*2/3 - spread(lifetime/15))
	}
}

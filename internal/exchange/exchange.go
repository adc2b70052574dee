package exchange

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/registry"
)

// ConfigField is the field of the result that holds a docker config with an entry for each host.
const ConfigField = "dockerConfig"

// mostPlaces is how many registries of Azure, or regions of AWS, one RegistryCredential has logins for.
const mostPlaces = 8

// Exchanger asks the clouds.
type Exchanger struct {
	client *http.Client
	now    func() time.Time
	gates  gates
}

// New makes an Exchanger that sends by a transport. See NewTransport.
func New(transport http.RoundTripper, now func() time.Time) *Exchanger {
	return &Exchanger{client: boundedClient(transport), now: now, gates: gates{m: map[asker]shut{}}}
}

// login is what is delivered for a host.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Exchange trades the fields of a source for logins at the hosts of the registries. The fields that it gives hold a docker config under
// ConfigField, and the end of the login that ends first. The error is an [*Error].
func (e *Exchanger) Exchange(ctx context.Context, how *v1alpha1.VaultExchange, registries []v1alpha1.Registry, fields payload.Fields) (payload.Fields, error) {
	hosts := hostsOf(registries)
	var made made
	var err *Error
	switch {
	case how.ECR != nil:
		made, err = e.ecr(ctx, hosts, fields)
	case how.ACR != nil:
		made, err = e.acr(ctx, how.ACR.Tenant, hosts, fields)
	default:
		err = fault(ErrInput, "spec.source.vault.exchange names no cloud: set ecr or acr")
	}
	if err != nil {
		return nil, err
	}
	return made.fields(), nil
}

// made are the logins by host, and the end of the first that ends.
type made struct {
	logins map[string]login
	end    time.Time
}

func (m *made) add(host string, l login, end time.Time) {
	if m.logins == nil {
		m.logins = map[string]login{}
	}
	m.logins[host] = l
	m.end = payload.Earliest(m.end, end)
}

func (m *made) fields() payload.Fields {
	auths := map[string]any{}
	for host, l := range m.logins {
		auths[host] = map[string]any{"username": l.Username, "password": l.Password}
	}
	return payload.Fields{ConfigField: map[string]any{"auths": auths}, "expires_at": m.end.UTC().Format(time.RFC3339)}
}

// hostsOf are the hosts of the registries, each once.
func hostsOf(registries []v1alpha1.Registry) []string {
	var hosts []string
	for _, name := range registries {
		if host := registry.Host(string(name)); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// text is a field that holds text, under the first of the names that is there. Empty where none is.
func text(fields payload.Fields, names ...string) string {
	for _, name := range names {
		if value, is := fields[name].(string); is && value != "" {
			return value
		}
	}
	return ""
}

// longestSent is the most bytes of a field that is sent to a cloud. Tokens of Entra have a few thousand, and the clouds' front doors refuse
// much more.
const longestSent = 16 << 10

// sendable reports whether fields may be parts of a request: no login of a cloud has anything but printable ASCII in it, and in a header
// nothing else can be sent.
func sendable(fields ...string) bool {
	return !slices.ContainsFunc(fields, func(field string) bool {
		return len(field) > longestSent || strings.ContainsFunc(field, func(r rune) bool { return r < ' ' || r > '~' })
	})
}

// Package vault reads registry credentials from HashiCorp Vault and OpenBao. It is the only package that knows Vault's
// client.
//
// A Manager holds one connection per VaultConnection. Each has one login, renewed while it can be, a gate that one
// request at a time probes while the server is not well, and a memory through which objects share a read. What Vault
// answers becomes one of the outcomes of the table in outcome.go, and none of them is a reason to change what is
// published.
package vault

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/source"
)

// maintenance is how often tokens are looked at for renewal.
const maintenance = 5 * time.Second

// ValueReader reads one value of a ConfigMap of the operator's own namespace. The error is the API server's
// where the object does not exist; a missing key gives nothing.
type ValueReader func(ctx context.Context, name, key string) ([]byte, error)

// TokenRequester requests a token for a ServiceAccount of the operator's own namespace.
type TokenRequester func(ctx context.Context, serviceAccount string, audiences []string, lifetime time.Duration) (string, error)

// Metrics is told what happens. Labels stay few: connections, methods and reasons.
type Metrics interface {
	// Login is one login or check of a given token; reason is Read where it succeeded.
	Login(connection, method, reason string)
	// Read is one read for one object; reason is Read where it succeeded.
	Read(connection, reason string)
	// TokenExpires says when the present token ends; zero where it does not.
	TokenExpires(connection string, at time.Time)
	// EventsFollowed says for how long more a connection's events were followed.
	EventsFollowed(connection string, more time.Duration)
	// ForgetConnection says that the object of a connection is gone.
	ForgetConnection(connection string)
}

// Exchanger gives the fields of a docker config, under exchange.ConfigField, for those that Vault gave. The error is an *exchange.Error.
type Exchanger interface {
	Exchange(ctx context.Context, how *v1alpha1.VaultExchange, registries []v1alpha1.Registry, fields payload.Fields) (payload.Fields, error)
}

// Options of a Manager. The functions are required.
type Options struct {
	// Connection gets a VaultConnection by name; the error is the API server's where it does not exist.
	Connection func(ctx context.Context, name string) (*v1alpha1.VaultConnection, error)
	// Secret reads what connections log in with, ConfigMap values of the operator's own namespace.
	Secret    SecretReader
	ConfigMap ValueReader
	// RequestToken requests ServiceAccount tokens for logins.
	RequestToken TokenRequester
	// Exchange trades what Vault gave for a login at a registry of a cloud: see internal/exchange. Nil where that is not done.
	Exchange Exchanger
	// AllowedAddresses, where given, are the only servers that logins are sent to, as scheme://host:port. A redirect is
	// followed to one of them, and to nowhere else.
	AllowedAddresses []string
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Metrics defaults to none.
	Metrics Metrics
	// Troubled is called, and must not block, when readers see that a connection became usable or unusable, or unusable for another
	// reason than before. Defaults to nobody.
	Troubled func(connection string)
	// Told is called, and must not block, when a server tells by an event that a place may have another value, or when such an event may
	// have been missed. Nil where events are not followed.
	Told func(source.News)
	// EventsChanged is called when it changes whether a connection's events are followed, with a message for the log. Defaults to nobody.
	EventsChanged func(connection, message string)
}

// Manager reads from Vault for all RegistryCredentials.
type Manager struct {
	options Options
	allowed []string

	closing sync.WaitGroup
	inputs  inputs
	unused  unused

	mu          sync.Mutex
	closed      bool
	connections map[string]*connection
	troubles    map[string]string // the reason why a connection is not usable, by name
	interests   map[string]*interests
}

// New makes a Manager and removes all VAULT_* variables from the environment of this process, because Vault's client
// would follow them. The error says which allowed address is no address.
func New(options Options) (*Manager, error) {
	forgetEnvironment()
	prepareModules()
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Metrics == nil {
		options.Metrics = noMetrics{}
	}
	if options.EventsChanged == nil {
		options.EventsChanged = func(string, string) {}
	}
	if options.Troubled == nil {
		options.Troubled = func(string) {}
	}
	m := &Manager{options: options, connections: map[string]*connection{}, troubles: map[string]string{}, interests: map[string]*interests{}}
	m.inputs.unused = &m.unused
	for _, address := range options.AllowedAddresses {
		if fault := checkAddress(address, nil); fault != "" {
			return nil, fmt.Errorf("allowed Vault address %q: want scheme://host:port, such as https://vault.company.io:8200", address)
		}
		u, _ := url.Parse(address) // it is one, says checkAddress
		m.allowed = append(m.allowed, origin(u))
	}
	return m, nil
}

// Start renews tokens until ctx ends, and then closes the Manager.
func (m *Manager) Start(ctx context.Context) error {
	ticker := time.NewTicker(maintenance)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return m.Close(ctx)
		case <-ticker.C:
			m.beginMaintenance(ctx)
		}
	}
}

// maintain renews what is due, and closes what no longer has an object.
func (m *Manager) maintain(ctx context.Context) { m.beginMaintenance(ctx).Wait() }

// beginMaintenance is maintain, and gives what to wait for. A server that is slow delays no other: whatever is under way from an earlier
// round goes on, and is not begun again.
func (m *Manager) beginMaintenance(ctx context.Context) *sync.WaitGroup {
	m.mu.Lock()
	open := maps.Clone(m.connections)
	m.mu.Unlock()
	m.inputs.forgetOld(m.options.Now())
	var group sync.WaitGroup
	for name, c := range open {
		if _, err := m.options.Connection(ctx, name); apierrors.IsNotFound(err) {
			m.forget(name)
			continue
		}
		group.Go(func() { c.maintain(ctx) })
	}
	return &group
}

// Close revokes the tokens of our logins that hold no lease, and waits for what is under way. After it nothing is read
// any more. The error is that of ctx.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	for name := range m.connections {
		m.remove(name)
	}
	m.mu.Unlock()
	done := make(chan struct{})
	go func() { m.closing.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing the connections to Vault: %w", ctx.Err())
	}
}

// remove takes a connection out; it closes in the background. The caller holds the mutex.
func (m *Manager) remove(name string) {
	if c := m.connections[name]; c != nil {
		delete(m.connections, name)
		m.closing.Go(c.close)
	}
}

// connection gives the connection of that name as its object and material are now. The caller must leave its usage.
func (m *Manager) connection(ctx context.Context, name string) (*connection, *failure) {
	object, err := m.options.Connection(ctx, name)
	if apierrors.IsNotFound(err) {
		m.forget(name)
		return nil, outcomeNoConnection.at("VaultConnection " + name + " does not exist").because(err)
	}
	if err != nil {
		return nil, outcomeUnreachable.at("VaultConnection " + name).because(err).saying("it could not be read from the API server")
	}
	return m.connectionOf(ctx, object)
}

// connectionOf gives the connection of an object, a new one where object or material changed. The caller must leave its
// usage.
func (m *Manager) connectionOf(ctx context.Context, object *v1alpha1.VaultConnection) (*connection, *failure) {
	place := placeOf(object.Name, object.Spec.Address)
	if fault := checkAddress(object.Spec.Address, m.allowed); fault != "" {
		return nil, outcomeConnectionRefused.at(place).advising(fault)
	}
	if fault := m.proxyFault(object.Spec.Proxy); fault != "" {
		return nil, outcomeConnectionRefused.at(place).advising(fault)
	}
	if object.Spec.Auth.Azure != nil && len(m.allowed) == 0 {
		return nil, outcomeConnectionRefused.at(place).advising(azureNeedsAddresses)
	}
	collected, f := m.collect(ctx, object)
	if f != nil {
		return nil, f
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, outcomeUnreachable.at(place).saying("regcred is shutting down")
	}
	c := m.connections[object.Name]
	if c == nil || !c.madeOf(object, collected) {
		if c, f = m.newConnection(object, collected); f != nil {
			return nil, f
		}
		c.events = subscription{connection: c, interests: m.interestsOf(object.Name), tell: m.options.Told, say: m.options.EventsChanged}
		m.remove(object.Name)
		m.connections[object.Name] = c
	}
	c.usage.join() // those in the map are open
	return c, nil
}

func (m *Manager) newConnection(object *v1alpha1.VaultConnection, collected material) (*connection, *failure) {
	spec := object.Spec.DeepCopy()
	serverName := ""
	if spec.TLS != nil {
		serverName = spec.TLS.ServerName
	}
	config, err := tlsConfig(collected.roots, serverName, collected.certificate)
	if err != nil {
		return nil, outcomeConnectionRefused.at(placeOf(object.Name, spec.Address)).because(err).advising("the CA in spec.tls cannot be used (" + err.Error() + "): correct it")
	}
	c := &connection{
		name: object.Name, uid: object.UID, generation: object.Generation, spec: *spec, material: collected,
		http:         newHTTPClient(config, m.allowed, proxyOf(spec.Proxy, collected.proxyLogin, config)),
		limiter:      rate.NewLimiter(rate.Limit(spec.Rate()), spec.Rate()),
		now:          m.options.Now,
		metrics:      m.options.Metrics,
		requestToken: m.options.RequestToken,
		unused:       &m.unused,
	}
	c.tokens.begin(c)
	c.sharing.usage, c.sharing.gate = &c.usage, &c.gate
	return c, nil
}

// interestsOf gives what is read through the connection of that name. The caller holds the mutex.
func (m *Manager) interestsOf(name string) *interests {
	if m.interests[name] == nil {
		m.interests[name] = &interests{}
	}
	return m.interests[name]
}

// forget closes the connection of that name, whose object is gone. A later read makes a new one.
func (m *Manager) forget(name string) {
	m.mu.Lock()
	m.remove(name)
	delete(m.troubles, name)
	delete(m.interests, name)
	m.mu.Unlock()
	m.options.Metrics.ForgetConnection(name)
}

type noMetrics struct{}

func (noMetrics) Login(string, string, string)   {}
func (noMetrics) Read(string, string)            {}
func (noMetrics) TokenExpires(string, time.Time) {}
func (noMetrics) ForgetConnection(string)        {}

func (noMetrics) EventsFollowed(string, time.Duration) {}

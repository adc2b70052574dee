package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/command/server"
	"github.com/hashicorp/vault/helper/experiments"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// maxTTL is Vault's own default for system leases.
const maxTTL = 768 * time.Hour

// A node is one core with its listener.
type node struct {
	core     *vault.Core
	listener net.Listener
	server   *http.Server
}

// A cluster is the active node and, where asked for, a standby over the same storage and HA lock.
type cluster struct {
	active  *node
	standby *node
	tls     *tlsFiles
}

// backends is what the nodes of a cluster share.
type backends struct {
	storage physical.Backend
	ha      physical.HABackend // nil for a single node
}

func newCluster(o options, version Version, logger hclog.Logger) (*cluster, error) {
	certificates, err := newTLSFiles(o)
	if err != nil {
		return nil, err
	}
	storage, err := inmem.NewTransactionalInmem(nil, logger.Named("storage"))
	if err != nil {
		return nil, err
	}
	shared := backends{storage: storage}
	c := &cluster{tls: certificates}
	if o.standbyListen == "" {
		c.active, err = newNode(o, version, o.listen, shared, certificates, logger)
		return c, err
	}
	ha, err := inmem.NewInmemHA(nil, logger.Named("ha"))
	if err != nil {
		return nil, err
	}
	shared.ha = ha.(physical.HABackend)
	if c.active, err = newNode(o, version, o.listen, shared, certificates, logger.Named("first")); err != nil {
		return nil, err
	}
	c.standby, err = newNode(o, version, o.standbyListen, shared, certificates, logger.Named("second"))
	return c, err
}

func newNode(o options, version Version, address string, shared backends, certificates *tlsFiles, logger hclog.Logger) (*node, error) {
	listener, err := listen(address, o.allowAnyAddress)
	if err != nil {
		return nil, err
	}
	config := coreConfig(o, version, shared, logger)
	var clusterAddress *net.TCPAddr
	if shared.ha != nil {
		if clusterAddress, err = freeLoopbackAddress(); err != nil {
			return nil, err
		}
		config.RedirectAddr = certificates.scheme() + "://" + listener.Addr().String()
		config.ClusterAddr = "https://" + clusterAddress.String()
	}
	core, err := vault.NewCore(config)
	if err != nil {
		return nil, err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}})
	core.SetClusterHandler(handler)
	if o.events && version.Subscriptions != nil {
		handler = version.Subscriptions(core, handler)
	}
	if clusterAddress != nil {
		core.SetClusterListenerAddrs([]*net.TCPAddr{clusterAddress})
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          logger.StandardLogger(nil),
	}
	if certificates != nil {
		listener = tls.NewListener(listener, certificates.server)
	}
	return &node{core: core, listener: listener, server: server}, nil
}

func coreConfig(o options, version Version, shared backends, logger hclog.Logger) *vault.CoreConfig {
	engines := withEngines(version.Engines)
	config := &vault.CoreConfig{
		Physical:           shared.storage,
		HAPhysical:         shared.ha,
		Logger:             logger,
		DisableMlock:       true,
		RawConfig:          &server.Config{SharedConfig: &configutil.SharedConfig{}},
		DefaultLeaseTTL:    maxTTL,
		MaxLeaseTTL:        maxTTL,
		BuiltinRegistry:    catalogue{secrets: engines},
		LogicalBackends:    engines,
		CredentialBackends: authMethods,
		AuditBackends:      version.AuditDevices,
	}
	if o.events {
		config.Experiments = []string{experiments.VaultExperimentEventsAlpha1}
		config.RawConfig.Experiments = config.Experiments
	}
	return config
}

func (c *cluster) nodes() []*node {
	if c.standby == nil {
		return []*node{c.active}
	}
	return []*node{c.active, c.standby}
}

// serve starts serving on every node. The channel yields the first error of a server that stopped by itself.
func (c *cluster) serve() <-chan error {
	failed := make(chan error, len(c.nodes()))
	for _, n := range c.nodes() {
		go func() {
			if err := n.server.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving on %s: %w", n.listener.Addr(), err)
			}
		}()
	}
	return failed
}

// shutdown gives running requests a second; event subscriptions end with the process. The cores are not shut down:
// all they hold is memory, and a node that has just stepped down would make the process wait for 10 s.
func (c *cluster) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, n := range c.nodes() {
		if err := n.server.Shutdown(ctx); err != nil {
			_ = n.server.Close()
		}
	}
}

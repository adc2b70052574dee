// Package server is the Vault of the box: a real Vault core behind Vault's own HTTP handler, linked with the few engines that regcred's
// tests and demo need. The modules vault and vault121 build it with a version of Vault each, and give it what differs between them.
//
// Storage is memory and the root token is given on the command line: never use it for anything but tests.
package server

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

// Version is what differs between versions of Vault.
type Version struct {
	// AuditDevices by type.
	AuditDevices map[string]audit.Factory
	// Engines are secrets engines by type that not every version has, or that not every version compiles with.
	Engines map[string]logical.Factory
	// Subscriptions adds the subscription to events to Vault's handler where -events asks for it. Nil where Vault's own handler has it.
	Subscriptions func(core *vault.Core, next http.Handler) http.Handler
}

type options struct {
	listen          string
	standbyListen   string
	rootToken       string
	infoFile        string
	tlsDir          string
	tlsNames        string
	logLevel        string
	allowAnyAddress bool
	leaveSealed     bool
	events          bool
}

// Main runs the command.
func Main(version Version) {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8200", "address to listen on; port 0 picks one")
	flag.StringVar(&o.standbyListen, "standby-listen", "", "run a second, standby node on this address")
	flag.StringVar(&o.rootToken, "root-token", "root", "the root token")
	flag.StringVar(&o.infoFile, "info-file", "", "write address, token and unseal key as JSON to this file once ready")
	flag.StringVar(&o.tlsDir, "tls-dir", "", "serve TLS with a fresh CA and write ca.pem, client.pem and client-key.pem to this folder")
	flag.StringVar(&o.tlsNames, "tls-names", "", "more host names and IP addresses for the serving certificate, separated by commas")
	flag.StringVar(&o.logLevel, "log-level", "warn", "trace, debug, info, warn or error")
	flag.BoolVar(&o.allowAnyAddress, "allow-any-address", false, "allow to listen on addresses that are not loopback")
	flag.BoolVar(&o.leaveSealed, "leave-sealed", false, "set everything up, then seal")
	flag.BoolVar(&o.events, "events", false, "serve subscriptions to events (sys/events/subscribe)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, version); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, version Version) error {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Output: os.Stderr, Level: hclog.LevelFromString(o.logLevel)})
	c, err := newCluster(o, version, logger)
	if err != nil {
		return err
	}
	defer c.shutdown()

	unsealKey, err := c.setUp(o)
	if err != nil {
		return err
	}
	serveErrors := c.serve()
	if err := writeInfo(o.infoFile, c.info(o.rootToken, unsealKey)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-serveErrors:
		return err
	}
}

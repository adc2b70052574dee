// Command registry is the container registry of the box: the CNCF distribution registry, twice over the same storage.
// One port wants basic auth, the other token auth with a token server at /token, so that what is pushed through one can
// be pulled through the other and both kinds of failure are real.
//
// Users are kept in memory and changed through an admin API on a third port, which can also inject faults and tells
// which requests came. The admin API asks for no credentials: never use it for anything but tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
)

type options struct {
	basic           string
	token           string
	admin           string
	data            string
	infoFile        string
	tlsDir          string
	tlsNames        string
	adminPassword   string
	users           userFlags
	allowAnyAddress bool
}

func main() {
	var o options
	flag.StringVar(&o.basic, "basic", "127.0.0.1:5000", "address of the registry with basic auth; port 0 picks one")
	flag.StringVar(&o.token, "token", "127.0.0.1:5001", "address of the registry with token auth and of its token server")
	flag.StringVar(&o.admin, "admin", "127.0.0.1:5002", "address of the admin API")
	flag.StringVar(&o.data, "data", "", "folder for blobs and manifests (required)")
	flag.StringVar(&o.infoFile, "info-file", "", "write the addresses as JSON to this file once ready")
	flag.StringVar(&o.tlsDir, "tls-dir", "", "serve both registries over TLS with a fresh CA and write ca.pem to this folder")
	flag.StringVar(&o.tlsNames, "tls-names", "", "more host names and IP addresses for the certificate, separated by commas")
	flag.StringVar(&o.adminPassword, "admin-password", "admin", "password of the user admin, who may do everything")
	flag.Var(&o.users, "user", "name:password:prefix,... : a user who may pull the repositories with these prefixes; repeatable")
	flag.BoolVar(&o.allowAnyAddress, "allow-any-address", false, "allow to listen on addresses that are not loopback")
	flag.Parse()
	logrus.SetLevel(logrus.FatalLevel) // it logs every 404 as an error

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	servers, err := newServers(o)
	if err != nil {
		return err
	}
	failed := servers.serve()
	defer servers.shutdown()
	if err := writeInfo(o.infoFile, servers.info()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

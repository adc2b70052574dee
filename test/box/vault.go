package box

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// startTimeout is long, because tests share a machine with builds.
const startTimeout = 60 * time.Second

// VaultOptions says what kind of Vault to start.
type VaultOptions struct {
	Standby     bool     // run a second node over the same storage, so that StepDown fails over
	TLS         bool     // serve TLS with a fresh CA, and make a client certificate for the cert auth method
	LeaveSealed bool     // start sealed; Unseal opens it
	Events      bool     // enable sys/events/subscribe
	Env         []string // added to its environment, as Cloud.Env
}

// Vault is a handle on a Vault with KV version 2 mounted at secret/.
type Vault struct {
	Address          string // URL
	StandbyAddress   string // URL of the second node, if there is one
	AddressInCluster string // URL as the operator reaches it in a box that runs already
	Token            string // the root token
	UnsealKey        string // the only key share, in hex
	CAFile           string // PEM, with TLS

	client  *api.Client
	process *process
}

// StartVault starts a Vault on free loopback ports. The context bounds the start; the Vault runs until Stop, or until
// this process ends.
func StartVault(ctx context.Context, o VaultOptions) (*Vault, error) {
	binary, err := existingPath("BOX_VAULT_BIN")
	if err != nil {
		return nil, err
	}
	var info struct {
		Address, StandbyAddress, RootToken, UnsealKey, CAFile string
	}
	process, err := startProcess(ctx, "vault", binary, &info, o.flags, o.Env...)
	if err != nil {
		return nil, err
	}
	v := &Vault{
		Address: info.Address, StandbyAddress: info.StandbyAddress, AddressInCluster: info.Address,
		Token: info.RootToken, UnsealKey: info.UnsealKey, CAFile: info.CAFile, process: process,
	}
	if v.client, err = v.NewClient(v.Token); err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	return v, nil
}

func (o VaultOptions) flags(folder string) []string {
	flags := []string{"-listen", "127.0.0.1:0"}
	if o.Standby {
		flags = append(flags, "-standby-listen", "127.0.0.1:0")
	}
	if o.TLS {
		flags = append(flags, "-tls-dir", folder)
	}
	if o.LeaveSealed {
		flags = append(flags, "-leave-sealed")
	}
	if o.Events {
		flags = append(flags, "-events")
	}
	return flags
}

// VaultForTest starts a Vault that stops with the test, and fails the test where there is none.
func VaultForTest(t testing.TB, o VaultOptions) *Vault {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	v, err := StartVault(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the Vault of this test said: %s", v.process.output())
		}
		if err := v.Stop(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// Stop ends a Vault that was started here. A Vault of a running box goes on.
func (v *Vault) Stop() error {
	if v.process == nil {
		return nil
	}
	return v.process.stop()
}

// Client is the root token's client for the first node. Tests share it: use NewClient to change anything.
func (v *Vault) Client() *api.Client { return v.client }

// NewClient returns a client for the first node. Nothing of it comes from VAULT_* in the environment.
func (v *Vault) NewClient(token string) (*api.Client, error) {
	return v.newClient(v.Address, token, &tls.Config{MinVersion: tls.VersionTLS12})
}

// NewCertificateClient returns a client without a token that shows the client certificate, for the cert auth method.
func (v *Vault) NewCertificateClient() (*api.Client, error) {
	certificate, err := tls.LoadX509KeyPair(v.ClientCertificate())
	if err != nil {
		return nil, err
	}
	return v.newClient(v.Address, "", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}})
}

// ClientCertificate returns the files of the client certificate, whose common name is regcred. It needs TLS.
func (v *Vault) ClientCertificate() (certificateFile, keyFile string) {
	folder := filepath.Dir(v.CAFile)
	return filepath.Join(folder, "client.pem"), filepath.Join(folder, "client-key.pem")
}

func (v *Vault) newClient(address, token string, tlsConfig *tls.Config) (*api.Client, error) {
	if v.CAFile != "" {
		bundle, err := os.ReadFile(v.CAFile)
		if err != nil {
			return nil, err
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(bundle) {
			return nil, fmt.Errorf("%s holds no certificate", v.CAFile)
		}
	}
	client, err := api.NewClient(&api.Config{
		Address: address,
		HttpClient: &http.Client{
			Transport: &http.Transport{TLSClientConfig: tlsConfig},
			// The client follows redirects itself, and keeps its token when it does.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Timeout: 30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	// The client has read token, namespace and headers from the environment.
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	client.SetToken(token)
	return client, nil
}

// Package box gives tests and demos a real Vault and a real registry: handles on servers that a test starts for
// itself, or on those of a box that runs already, and the container images to fill the registry with.
//
// Vault is a Vault core, the registry is the CNCF distribution; both are built from the modules in hack/cluster. Nothing
// here is a fake but the clouds (Cloud), which nobody can run at home: they check what they are asked as the real ones do.
package box

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// defaultAdminPassword is what a registry starts with unless it is told otherwise.
const defaultAdminPassword = "admin"

// BinaryPaths says where the programs of the box are.
type BinaryPaths struct {
	Assets   string // folder with etcd, kube-apiserver and kubectl, as envtest wants it (KUBEBUILDER_ASSETS)
	Vault    string // BOX_VAULT_BIN
	Registry string // BOX_REGISTRY_BIN
	Pause    string // a static program that waits for ever (BOX_PAUSE_BIN)
}

// Binaries reads where the programs are from the environment. The error names every variable that is missing and the
// command that sets it.
func Binaries() (BinaryPaths, error) {
	var paths BinaryPaths
	var failures []error
	for variable, path := range map[string]*string{
		"KUBEBUILDER_ASSETS": &paths.Assets,
		"BOX_VAULT_BIN":      &paths.Vault,
		"BOX_REGISTRY_BIN":   &paths.Registry,
		"BOX_PAUSE_BIN":      &paths.Pause,
	} {
		var err error
		*path, err = existingPath(variable)
		failures = append(failures, err)
	}
	return paths, errors.Join(failures...)
}

// Assets is where the control plane's programs are: BinaryPaths.Assets alone.
func Assets() (string, error) { return existingPath("KUBEBUILDER_ASSETS") }

// Pause is where the program that waits for ever is: BinaryPaths.Pause alone.
func Pause() (string, error) { return existingPath("BOX_PAUSE_BIN") }

func existingPath(variable string) (string, error) {
	path := os.Getenv(variable)
	if path == "" {
		return "", fmt.Errorf(`%s is not set: run "make test", or set it with: eval "$(go -C hack/cluster run . build)"`, variable)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf(`%s: %w: build it with "make test" or: eval "$(go -C hack/cluster run . build)"`, variable, err)
	}
	return path, nil
}

// Box is a box that runs already: a cluster with its Vault and its registry.
type Box struct {
	Vault              *Vault
	Registry           *Registry
	APIServerInCluster string // URL of the API server as Vault and pods reach it
	HasNode            bool   // whether pods run
}

// FromEnv returns handles on the running box that the environment describes. Vault and registry are not stopped by
// their Stop methods.
func FromEnv() (*Box, error) {
	env := environment{}
	b := &Box{
		Registry: &Registry{
			Basic:          env.get("BOX_REGISTRY_BASIC"),
			Token:          env.get("BOX_REGISTRY_TOKEN"),
			Admin:          env.get("BOX_REGISTRY_ADMIN"),
			BasicInCluster: env.get("BOX_REGISTRY_BASIC_IN_CLUSTER"),
			TokenInCluster: env.get("BOX_REGISTRY_TOKEN_IN_CLUSTER"),
			adminPassword:  defaultAdminPassword,
		},
		Vault: &Vault{
			Address:          env.get("BOX_VAULT_ADDR"),
			AddressInCluster: env.get("BOX_VAULT_ADDR_IN_CLUSTER"),
			Token:            env.get("BOX_VAULT_TOKEN"),
			UnsealKey:        env.get("BOX_VAULT_UNSEAL_KEY"),
		},
		APIServerInCluster: env.get("BOX_APISERVER_IN_CLUSTER"),
	}
	hasNode := env.get("BOX_NODE")
	if len(env.missing) > 0 {
		return nil, fmt.Errorf(`no running box: %v not set: start one with "go -C hack/cluster run . up" and then: eval "$(go -C hack/cluster run . env)"`, env.missing)
	}
	var err error
	if b.HasNode, err = strconv.ParseBool(hasNode); err != nil {
		return nil, fmt.Errorf("BOX_NODE: %w", err)
	}
	b.Vault.client, err = b.Vault.NewClient(b.Vault.Token)
	return b, err
}

type environment struct {
	missing []string
}

func (e *environment) get(variable string) string {
	value := os.Getenv(variable)
	if value == "" {
		e.missing = append(e.missing, variable)
	}
	return value
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/podlist"
)

// access is how commands reach the API server: with the kubeconfig and the rights of whoever calls.
type access struct {
	clientcmd.ClientConfig
	// clock goes by the answers of the API server.
	clock *serverClock
}

// now is the time by the API server's clock, once it has answered.
func (a access) now() time.Time { return a.clock.now() }

// restConfig leaves it to the API server's priority and fairness how fast a command may ask.
func (a access) restConfig() (*rest.Config, error) {
	config, err := a.ClientConfig.ClientConfig()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1
	if a.clock != nil {
		a.clock.listening(config)
	}
	actingAs(config)
	return config, nil
}

func (a access) client() (client.WithWatch, error) {
	config, err := a.restConfig()
	if err != nil {
		return nil, err
	}
	bounding(config)
	made, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return named{made}, nil
}

// pods lists pods without holding more of each than is needed.
func (a access) pods() (*podlist.Lister, error) {
	config, err := a.restConfig()
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return podlist.New(config, transport)
}

// credentialNames completes the name of a RegistryCredential.
func (a access) credentialNames(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list v1alpha1.RegistryCredentialList
	if err := c.List(command.Context(), &list); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// The exit codes beside 0, for those who run commands in scripts.
const (
	// exitFailed: the command could not do its work, such as without the rights or without an API server.
	exitFailed = 1
	// exitProblem: it did its work, and what it found is not in order.
	exitProblem = 2
	// exitTimeout: what it waited for did not happen in time.
	exitTimeout = 3
)

// exit is an error with an exit code of its own.
type exit struct {
	code int
	error
}

func (e exit) Unwrap() error { return e.error }

func exitCode(err error) int {
	if e := (exit{}); errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}

// unreadable says why RegistryCredentials could not be read, and who can help.
func unreadable(err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return errors.New("you may not read RegistryCredentials: ask for the ClusterRole regcred-viewer. " +
			"With the rights in a namespace alone you can ask: kubectl regcred explain pods -n NAMESPACE")
	case meta.IsNoMatchError(err):
		return errors.New("the cluster does not know RegistryCredentials: regcred is not installed here, or the kubeconfig leads to another cluster")
	}
	return fmt.Errorf("read RegistryCredentials: %w", err)
}

// readCredential reads one RegistryCredential.
func readCredential(ctx context.Context, reader client.Reader, name string) (*v1alpha1.RegistryCredential, error) {
	var object v1alpha1.RegistryCredential
	err := reader.Get(ctx, client.ObjectKey{Name: name}, &object)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no RegistryCredential %s. All of them: kubectl regcred status", foreign.Name(name))
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return &object, nil
}

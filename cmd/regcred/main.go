// Command regcred is the operator: it delivers registry credentials from Vault into namespaces.
package main

import (
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	options := defaults()
	command := &cobra.Command{
		Use:           "regcred",
		Short:         "Deliver registry credentials from Vault into namespaces, and restart the pods that were stuck without them",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(command *cobra.Command, _ []string) error { return run(command.Context(), options) },
	}
	options.bind(command.Flags())
	if err := command.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		ctrl.Log.Error(err, "regcred stopped")
		os.Exit(1)
	}
}

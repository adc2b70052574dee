// Command regcred is the operator: it delivers registry credentials from Vault into namespaces.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"

	"regcred.dev/regcred/internal/version"
)

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		setLogger(zapcore.InfoLevel, false) // a wrong flag ends the program before it has a logger; one that is set stays
		ctrl.Log.Error(err, "regcred stopped")
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	options := defaults()
	command := &cobra.Command{
		Use:               "regcred",
		Short:             "Deliver registry credentials from Vault into namespaces, and restart the pods that were stuck without them",
		Version:           version.Get().Version,
		Args:              cobra.NoArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(command *cobra.Command, _ []string) error {
			options.given = given(command.Flags())
			return run(command.Context(), options)
		},
	}
	command.SetVersionTemplate(version.Get().String() + "\n")
	options.bind(command.Flags())
	command.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(command *cobra.Command, _ []string) { fmt.Fprintln(command.OutOrStdout(), version.Get()) },
	})
	return command
}

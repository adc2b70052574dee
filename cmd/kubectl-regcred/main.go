// Command kubectl-regcred is a plugin for kubectl: it shows the state of RegistryCredentials and says why pods cannot pull their images. It works with
// the kubeconfig and the rights of whoever calls it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // whatever a kubeconfig may use
	"k8s.io/client-go/tools/clientcmd"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends what goes on after the first
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", foreign.Text(err.Error(), maxLine))
		os.Exit(exitCode(err))
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:               "kubectl-regcred",
		Short:             "Show the state of registry credentials, and why pods cannot pull their images",
		Version:           version.Get().Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl regcred"},
	}
	root.SetVersionTemplate(version.Get().String() + "\n")
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{}
	flags := root.PersistentFlags()
	flags.StringVar(&rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path of the kubeconfig file")
	clientcmd.BindOverrideFlags(overrides, flags, clientcmd.RecommendedConfigOverrideFlags(""))
	a := access{clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), &serverClock{}}
	root.AddCommand(newStatus(a), newRefresh(a), newVerify(a), newAudit(a), newAdopt(a), newDoctor(a), newPlan(a), newExplain(a), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this plugin",
		Args:  takes(0, 0, ""),
		Run:   func(command *cobra.Command, _ []string) { fmt.Fprintln(command.OutOrStdout(), version.Get()) },
	}
}

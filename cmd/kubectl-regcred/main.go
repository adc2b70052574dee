// Command kubectl-regcred is a plugin for kubectl: it explains why pods cannot pull their images. It works with the kubeconfig and
// the rights of whoever calls it, and changes nothing.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", foreign.Text(err.Error(), maxLine))
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:               "kubectl-regcred",
		Short:             "See why pods cannot pull their images, and what regcred does about it",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl regcred"},
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{}
	flags := root.PersistentFlags()
	flags.StringVar(&rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path of the kubeconfig file")
	clientcmd.BindOverrideFlags(overrides, flags, clientcmd.RecommendedConfigOverrideFlags(""))
	root.AddCommand(newExplain(clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)))
	return root
}

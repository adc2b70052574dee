package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"regcred.dev/regcred/internal/foreign"
)

// explain are the options of the command.
type explain struct {
	access        access
	allNamespaces bool
	output        string
	operator      string
}

const example = `  # Why does this pod not start?
  kubectl regcred explain pod web-5d4c9-x2x7p -n shop

  # The pods of a Deployment, StatefulSet, DaemonSet, ReplicaSet or Job that cannot pull
  kubectl regcred explain deployment web -n shop

  # All pods of a namespace, or of the cluster, that cannot pull their images, by cause
  kubectl regcred explain pods -n shop
  kubectl regcred explain pods -A -o json`

func newExplain(a access) *cobra.Command {
	e := &explain{access: a}
	command := &cobra.Command{
		Use:     "explain [pod NAME | deployment NAME | pods]",
		Short:   "Explain why pods cannot pull their images, and what regcred does about it",
		Long:    "Explain why pods cannot pull their images: the cause, the evidence, whose the pull secrets are, what regcred does and when,\nand what you can do. It reads with your own rights, and says where they do not suffice. It changes nothing.",
		Example: example,
		Args:    takes(0, 2, ""),

		ValidArgsFunction: kinds,
		RunE: func(command *cobra.Command, args []string) error {
			return e.run(command.Context(), command.OutOrStdout(), args)
		},
	}
	command.Flags().BoolVarP(&e.allNamespaces, "all-namespaces", "A", false, "look at the pods of all namespaces")
	command.Flags().StringVarP(&e.output, "output", "o", "text", "text, json or yaml")
	operatorNamespace(command.Flags(), &e.operator)
	return command
}

// kinds completes what can be explained.
func kinds(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	known := []string{"pod", "pods"}
	for i := range workloadKinds {
		known = append(known, workloadKinds[i].names[0])
	}
	return known, cobra.ShellCompDirectiveNoFileComp
}

func (e *explain) run(ctx context.Context, out io.Writer, args []string) error {
	subject, err := subjectOf(args)
	if err != nil {
		return err
	}
	if err := e.check(subject); err != nil {
		return err
	}
	namespace, _, err := e.access.Namespace()
	if err != nil {
		return err
	}
	reader, err := e.access.client()
	if err != nil {
		return err
	}
	l := &look{reader: reader, operator: e.operator, now: e.access.now}
	var r report
	switch {
	case subject.kind != nil:
		r, err = l.workload(ctx, namespace, subject)
	case subject.name != "":
		r, err = l.pod(ctx, namespace, subject.name)
	case e.allNamespaces:
		r, err = l.stuck(ctx, "")
	default:
		r, err = l.stuck(ctx, namespace)
		r.namespace = namespace
	}
	switch {
	case err != nil:
		return err
	case e.output == "text":
		return printText(out, r)
	}
	return printObject(out, e.output, r)
}

// check refuses flags that do not go together, or mean nothing.
func (e *explain) check(s subject) error {
	switch {
	case e.allNamespaces && s.name != "":
		return fmt.Errorf("-A looks at all pods of all namespaces: name the namespace of %s with -n instead", foreign.Name(s.name))
	case !slices.Contains([]string{"text", "json", "yaml"}, e.output):
		return fmt.Errorf("-o %s: write text, json or yaml", e.output)
	}
	return nil
}

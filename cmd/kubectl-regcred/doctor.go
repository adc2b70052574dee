package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
)

// doctor are the options of the command.
type doctor struct {
	access   access
	operator string
	output   string
	bundle   string
}

func newDoctor(a access) *cobra.Command {
	d := &doctor{access: a}
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with the installation of regcred, and say what to do next",
		Long: "Look for what is wrong with the installation of regcred: its CRDs, Deployment, leader, admission policies, VaultConnections,\n" +
			"RegistryCredentials and InjectionIndex, and your own rights. Each finding has a next step. Exit codes: 0 no problem was found; 1 the command failed;\n" +
			"2 there are problems. What you may not read is shown as Unknown. It changes nothing.",
		Args: takes(0, 0, ""),
		RunE: func(command *cobra.Command, _ []string) error {
			return d.run(command.Context(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	command.Flags().StringVarP(&d.output, "output", "o", "text", "text, json or yaml")
	operatorNamespace(command.Flags(), &d.operator)
	command.Flags().StringVar(&d.bundle, "support-bundle", "", "write an archive (tar.gz) without secrets to this new file, for whoever helps")
	return command
}

func (d *doctor) run(ctx context.Context, out, complaints io.Writer) error {
	if !slices.Contains([]string{"text", "json", "yaml"}, d.output) {
		return fmt.Errorf("-o %s: write text, json or yaml", d.output)
	}
	c, err := d.access.client()
	if err != nil {
		return err
	}
	config, err := d.access.restConfig()
	if err != nil {
		return err
	}
	g := &gathering{client: c, config: config, namespace: d.operator, now: d.access.now}
	facts, err := g.facts(ctx)
	if err != nil {
		return err
	}
	if d.bundle != "" {
		if err := writeBundle(d.bundle, g.bundle(ctx, facts)); err != nil {
			return err
		}
		fmt.Fprintf(complaints, "Wrote %s: read it before you give it away. It names namespaces, registries and servers\n", foreign.Text(d.bundle, maxMessage))
	}
	findings := checkup.Findings(facts)
	if d.output == "text" {
		err = printFindings(out, findings)
	} else {
		err = printObject(out, d.output, struct {
			Findings []checkup.Finding `json:"findings"`
		}{findings})
	}
	if err == nil && checkup.HasProblem(findings) {
		err = exit{exitProblem, errors.New("the installation has problems: follow the next steps above")}
	}
	return err
}

var levelColours = map[checkup.Level]string{checkup.OK: green, checkup.Problem: red, checkup.Warning: yellow, checkup.Unknown: yellow}

func printFindings(out io.Writer, findings []checkup.Finding) error {
	w := newWriter(out)
	rows := [][]cell{cells("CHECK", "RESULT", "FINDING")}
	for _, f := range findings {
		rows = append(rows, []cell{{text: f.Check}, {text: string(f.Level), colour: levelColours[f.Level]}, {text: f.Message}})
		if f.Next != "" {
			rows = append(rows, cells("", "", "-> "+f.Next))
		}
	}
	w.table("", rows)
	return w.err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/adoption"
	"regcred.dev/regcred/internal/foreign"
)

// adopt are the options of the command.
type adopt struct {
	access             access
	current            string
	mount, path, vault string
	unused             bool
	output             string
	operator           string
}

const adoptExample = `  # Which pull Secrets are there for this registry, whose are they, and which have the password in use?
  kubectl regcred adopt registry.company.io

  # The same, and the manifest that takes over those that are hand-made
  kubectl regcred adopt registry.company.io --vault-path platform/registries/company > company.yaml
  kubectl regcred plan -f company.yaml`

func newAdopt(a access) *cobra.Command {
	d := &adopt{access: a}
	command := &cobra.Command{
		Use:   "adopt REGISTRY",
		Short: "Find the pull Secrets for a registry, and write the manifest that takes over the hand-made ones",
		Long: "Find the pull Secrets for a registry in all namespaces that you may read, or in that of -n: whose they are, whether they have the\n" +
			"password in use, and which pods and ServiceAccounts name them. Passwords are compared and not shown: Secrets with the same letter have\n" +
			"the same one. With --vault-path the RegistryCredentials that take over the hand-made ones in use are written to standard output, and the\n" +
			"list to standard error. It changes nothing. Exit codes: 0; 1 the command failed; 2 there is nothing to take over.",
		Example: adoptExample,
		Args:    takes(1, 1, "name the registry, as host[:port][/path]"),

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			return d.run(command.Context(), command.OutOrStdout(), command.ErrOrStderr(), args[0])
		},
	}
	flags := command.Flags()
	flags.StringVar(&d.current, "current", "", "a Secret, as NAMESPACE/NAME, that is known to have the password in use")
	flags.StringVar(&d.path, "vault-path", "", "path of the secret in Vault from which the password will come. With it, the manifest is written")
	flags.StringVar(&d.mount, "vault-mount", "secret", "mount of the secrets engine in Vault")
	flags.StringVar(&d.vault, "vault-connection", "", "the VaultConnection to read through, if it is not the one named default")
	flags.BoolVar(&d.unused, "include-unused", false, "take over those, too, that no pod and no ServiceAccount names: their namespaces are given the password")
	flags.StringVarP(&d.output, "output", "o", "text", "text, wide, json or yaml, for the list")
	operatorNamespace(flags, &d.operator)
	return command
}

// adoptable is what the command says. Its JSON form is stable. It holds no secret.
type adoptable struct {
	Registry string           `json:"registry"`
	Secrets  []adoption.Found `json:"secrets"`
	// Manifests are the RegistryCredentials that take over what can be and is in use.
	Manifests []v1alpha1.RegistryCredential `json:"manifests,omitempty"`
	Notes     []string                      `json:"notes,omitempty"`
}

func (d *adopt) run(ctx context.Context, out, complaints io.Writer, registry string) error {
	if !slices.Contains([]string{"text", "wide", "json", "yaml"}, d.output) {
		return fmt.Errorf("-o %s: write text, wide, json or yaml", d.output)
	}
	finder, err := adoption.New(registry)
	if err != nil {
		return fmt.Errorf("name a registry as images do, such as registry.company.io or quay.io/team: %w", err)
	}
	c, err := d.access.client()
	if err != nil {
		return err
	}
	pods, err := d.access.pods()
	if err != nil {
		return err
	}
	namespace, named, err := d.access.Namespace()
	if err != nil {
		return err
	}
	if !named {
		namespace = ""
	}
	h := &hunt{reader: c, pods: pods, finder: finder, namespace: namespace}
	if err := h.run(ctx, d.current); err != nil {
		return err
	}
	result, err := d.decide(ctx, c, registry, finder)
	if err != nil {
		return err
	}
	result.Notes = append(h.sorted(), result.Notes...)
	return errors.Join(d.print(out, complaints, result), d.failure(&result))
}

// decide says what regcred can take over of what was found, within the limits of what it may write.
func (d *adopt) decide(ctx context.Context, c client.Reader, registry string, finder *adoption.Finder) (adoptable, error) {
	l := &look{reader: c, operator: d.operator}
	limits, err := l.readLimits(ctx)
	if err != nil {
		return adoptable{}, err
	}
	finder.Refuse(limits.RefusesSecret)
	result := adoptable{Registry: foreign.Name(registry), Secrets: finder.All(), Notes: l.sorted()}
	if d.path == "" {
		return result, nil
	}
	d.write(registry, limits, &result)
	return result, nil
}

// failure is that there is nothing to take over. What nobody uses counts where a person asks for it.
func (d *adopt) failure(r *adoptable) error {
	taken, left := adoption.InManifest(r.Secrets, d.unused)
	switch {
	case len(taken) > 0:
		return nil
	case len(left) > 0:
		return exit{exitProblem, fmt.Errorf("there is no hand-made pull Secret for %s to take over that a pod or a ServiceAccount names. To take over the others: --include-unused", r.Registry)}
	}
	return exit{exitProblem, fmt.Errorf("there is no hand-made pull Secret for %s to take over", r.Registry)}
}

func (d *adopt) print(out, complaints io.Writer, result adoptable) error {
	if d.output == "json" || d.output == "yaml" {
		return printObject(out, d.output, result)
	}
	if d.path == "" {
		return d.printFound(out, result)
	}
	if err := d.printFound(complaints, result); err != nil {
		return err
	}
	for _, manifest := range result.Manifests {
		text, err := manifestText(&manifest)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(out, "---\n"+text); err != nil {
			return err
		}
	}
	return nil
}

var currentColours = map[adoption.Current]string{adoption.CurrentYes: green, adoption.CurrentNo: red}

func (d *adopt) printFound(out io.Writer, r adoptable) error {
	w := newWriter(out)
	if len(r.Secrets) == 0 {
		w.line("There is no pull Secret for %s that you may read.", r.Registry)
	} else {
		header := cells("NAMESPACE", "SECRET", "BELONGS TO", "PASSWORD", "IN USE", "PODS", "SERVICEACCOUNTS", "TAKE OVER")
		if d.output == "wide" {
			header = slices.Insert(header, 5, cells("ENTRIES", "WRITTEN BY", "POD NAMES")...)
		}
		rows := [][]cell{header}
		for i := range r.Secrets {
			rows = append(rows, d.rowOf(&r.Secrets[i]))
		}
		w.table("", rows)
	}
	for _, note := range r.Notes {
		w.line("Note: %s", note)
	}
	return w.err
}

func (d *adopt) rowOf(f *adoption.Found) []cell {
	takeOver := "yes"
	switch {
	case !f.Adoptable && f.Fix == "":
		takeOver = "regcred has it"
	case !f.Adoptable:
		takeOver = "no: " + f.Fix
	case !d.unused && !f.Used():
		takeOver = "with --include-unused"
	}
	row := []cell{{text: f.Namespace}, {text: f.Name}, {text: f.Owner}, {text: f.Value}, {text: string(f.Current), colour: currentColours[f.Current]},
		{text: fmt.Sprint(f.Pods)}, {text: dash(firstOf(f.ServiceAccounts))}, {text: takeOver}}
	if d.output == "wide" {
		row = slices.Insert(row, 5, cells(firstOf(f.Keys), dash(firstOf(f.Managers)), dash(firstOf(f.PodNames)))...)
	}
	return row
}

// namesShown are the names that a cell has: one with thousands would make every row as wide. JSON has all.
const namesShown = 5

// firstOf are the first of names, and how many more there are.
func firstOf(names []string) string {
	text := strings.Join(names[:min(len(names), namesShown)], ",")
	if more := len(names) - namesShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

package main

import (
	"context"
	"encoding/json"
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
			"the same one. With --vault-path the RegistryCredentials that take over the hand-made ones are written to standard output, and the list\n" +
			"to standard error. It changes nothing. Exit codes: 0; 1 the command failed; 2 there is nothing to take over.",
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
	flags.StringVarP(&d.output, "output", "o", "text", "text, wide, json or yaml, for the list")
	operatorNamespace(flags, &d.operator)
	return command
}

// adoptable is what the command says. Its JSON form is stable. It holds no secret.
type adoptable struct {
	Registry string           `json:"registry"`
	Secrets  []adoption.Found `json:"secrets"`
	// Manifests are the RegistryCredentials that take over what can be.
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
	return errors.Join(d.print(out, complaints, result), result.failure())
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
	source := v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: d.vault, Mount: d.mount, Path: d.path}}
	result.Manifests = adoption.Manifests(registry, source, result.Secrets)
	for i := range result.Manifests {
		if left := adoption.LeftOut(&result.Manifests[i], result.Secrets); left > 0 {
			result.Notes = append(result.Notes, fmt.Sprintf("RegistryCredential %s of the manifest lists the ServiceAccounts that most namespaces have, and one may list no more: %s that also name the Secret are left out",
				result.Manifests[i].Name, countOf(left, "ServiceAccount")))
		}
		for _, missing := range limits.NotGiven(&result.Manifests[i]) {
			result.Notes = append(result.Notes, fmt.Sprintf("RegistryCredential %s of the manifest would be Stalled, because %s", result.Manifests[i].Name, missing))
		}
	}
	return result, nil
}

func (r *adoptable) failure() error {
	if slices.ContainsFunc(r.Secrets, func(f adoption.Found) bool { return f.Adoptable }) {
		return nil
	}
	return exit{exitProblem, fmt.Errorf("there is no hand-made pull Secret for %s to take over", r.Registry)}
}

func (d *adopt) print(out, complaints io.Writer, result adoptable) error {
	if d.output == "json" || d.output == "yaml" {
		return printObject(out, d.output, result)
	}
	if d.path == "" {
		return printFound(out, result, d.output == "wide")
	}
	if err := printFound(complaints, result, d.output == "wide"); err != nil {
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

// manifestText is a RegistryCredential as a person would write it.
func manifestText(object *v1alpha1.RegistryCredential) (string, error) {
	encoded, err := json.Marshal(map[string]any{
		"apiVersion": object.APIVersion, "kind": object.Kind, "metadata": map[string]string{"name": object.Name}, "spec": object.Spec,
	})
	if err != nil {
		return "", err
	}
	text, err := visibleYAML(encoded)
	return string(text), err
}

var currentColours = map[adoption.Current]string{adoption.CurrentYes: green, adoption.CurrentNo: red}

func printFound(out io.Writer, r adoptable, wide bool) error {
	w := newWriter(out)
	if len(r.Secrets) == 0 {
		w.line("There is no pull Secret for %s that you may read.", r.Registry)
	} else {
		header := cells("NAMESPACE", "SECRET", "BELONGS TO", "PASSWORD", "IN USE", "PODS", "SERVICEACCOUNTS", "TAKE OVER")
		if wide {
			header = slices.Insert(header, 5, cells("ENTRIES", "WRITTEN BY", "POD NAMES")...)
		}
		rows := [][]cell{header}
		for i := range r.Secrets {
			rows = append(rows, rowOf(&r.Secrets[i], wide))
		}
		w.table("", rows)
	}
	for _, note := range r.Notes {
		w.line("Note: %s", note)
	}
	return w.err
}

func rowOf(f *adoption.Found, wide bool) []cell {
	takeOver := "yes"
	switch {
	case !f.Adoptable && f.Fix == "":
		takeOver = "regcred has it"
	case !f.Adoptable:
		takeOver = "no: " + f.Fix
	}
	row := []cell{{text: f.Namespace}, {text: f.Name}, {text: f.Owner}, {text: f.Value}, {text: string(f.Current), colour: currentColours[f.Current]},
		{text: fmt.Sprint(f.Pods)}, {text: dash(firstOf(f.ServiceAccounts))}, {text: takeOver}}
	if wide {
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

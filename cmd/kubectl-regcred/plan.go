package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/preview"
)

// plan are the options of the command.
type plan struct {
	access   access
	files    []string
	operator string
	output   string
}

const planExample = `  # What would applying this do in each namespace?
  kubectl regcred plan -f company-registry.yaml

  # In a pipeline: fail where a namespace would lose its credential
  kustomize build . | kubectl regcred plan -f -`

func newPlan(a access) *cobra.Command {
	p := &plan{access: a}
	command := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Say what applying RegistryCredentials would do in each namespace",
		Long: "Say what applying the RegistryCredentials of a file would do in each namespace: create, update, adopt, refuse or remove Secrets, and\n" +
			"attach them to ServiceAccounts. It writes nothing: the API server checks the objects by a dry run. Exit codes: 0; 1 the command\n" +
			"failed; 2 something would be removed. It needs the right to read Secrets of the name in all namespaces to say whose they are.",
		Example: planExample,
		Args:    takes(0, 0, ""),
		RunE: func(command *cobra.Command, _ []string) error {
			return p.run(command.Context(), command.InOrStdin(), command.OutOrStdout())
		},
	}
	command.Flags().StringArrayVarP(&p.files, "filename", "f", nil, "the file with RegistryCredentials, - for standard input. May be given several times")
	command.Flags().StringVarP(&p.output, "output", "o", "text", "text, json or yaml")
	operatorNamespace(command.Flags(), &p.operator)
	return command
}

// planned is what applying one RegistryCredential would do. Its JSON form is stable.
type planned struct {
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
	// Unchanged says that its spec is the same already.
	Unchanged bool          `json:"unchanged"`
	Rows      []preview.Row `json:"namespaces"`
	// Stalls are why nothing at all would be delivered.
	Stalls []string `json:"stalls,omitempty"`
	// Losses are what namespaces lose that stay selected.
	Losses []string `json:"losses,omitempty"`
	Notes  []string `json:"notes,omitempty"`
}

func (p *plan) run(ctx context.Context, in io.Reader, out io.Writer) error {
	if len(p.files) == 0 || slices.Contains(p.files, "") {
		return errors.New("name the file: -f FILE, or -f - for standard input")
	}
	if !slices.Contains([]string{"text", "json", "yaml"}, p.output) {
		return fmt.Errorf("-o %s: write text, json or yaml", p.output)
	}
	objects, err := readAllOf(ctx, in, p.files)
	if err != nil {
		return err
	}
	c, err := p.access.client()
	if err != nil {
		return err
	}
	l := &look{reader: c, operator: p.operator}
	plans := []planned{}
	for _, object := range objects {
		one, err := l.plan(ctx, c, object)
		if err != nil {
			return err
		}
		plans = append(plans, one)
	}
	if p.output == "text" {
		err = printPlans(out, plans)
	} else {
		err = printObject(out, p.output, struct {
			Plans []planned `json:"plans"`
		}{plans})
	}
	if err == nil && slices.ContainsFunc(plans, func(one planned) bool { return len(one.Losses) > 0 || preview.Removes(one.Rows) }) {
		err = exit{exitProblem, errors.New("namespaces would lose entries")}
	}
	return err
}

// plan says what applying one object would do.
func (l *look) plan(ctx context.Context, c client.Client, after *v1alpha1.RegistryCredential) (planned, error) {
	one := planned{Name: foreign.Name(after.Name)}
	l.forget()
	before := &v1alpha1.RegistryCredential{}
	switch err := c.Get(ctx, client.ObjectKeyFromObject(after), before); {
	case apierrors.IsNotFound(err):
		before = nil
	case err != nil:
		return one, unreadable(err)
	}
	one.Exists, one.Unchanged, one.Losses = before != nil, preview.Unchanged(before, after), preview.Losses(before, after)
	if err := l.dryRun(ctx, c, before, after); err != nil {
		return one, err
	}
	limits, err := l.readLimits(ctx)
	if err != nil {
		return one, err
	}
	selectors, err := preview.SelectorsOf(before, after, limits)
	if err != nil {
		return one, err
	}
	// What may not be read in a namespace is said in its row.
	namespaces, err := (&look{reader: l.reader, operator: l.operator}).concerned(ctx, after, selectors)
	if err != nil {
		return one, err
	}
	if after.Spec.Target.Attachment() == v1alpha1.AttachPods {
		l.lookAtInjection(ctx, c)
	}
	if after.Spec.Suspend {
		l.note("spec.suspend is true: nothing of this is done until it is false.")
	}
	one.Rows, one.Stalls, one.Notes = preview.Rows(after, selectors, limits, namespaces), limits.NotGiven(after), l.sorted()
	return one, nil
}

// dryRun has the API server check an object without storing it.
func (l *look) dryRun(ctx context.Context, c client.Client, before, after *v1alpha1.RegistryCredential) error {
	checked, err := after.DeepCopy(), error(nil)
	if before == nil {
		err = c.Create(ctx, checked, client.DryRunAll)
	} else {
		checked.ResourceVersion = before.ResourceVersion
		err = c.Update(ctx, checked, client.DryRunAll)
	}
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		if verb := map[bool]string{true: "create", false: "update"}[before == nil]; mayNot(ctx, c, verb, after.Name) {
			l.note("You may not write RegistryCredentials, so that the API server did not check this one.")
			return nil
		}
	}
	return fmt.Errorf("the API server would refuse RegistryCredential %s: %w", foreign.Name(after.Name), err)
}

// mayNot tells a right that is missing from what admission refuses: both have the same answer. Where the API server does not say, it refused.
func mayNot(ctx context.Context, c client.Client, verb, name string) bool {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "registrycredentials", Name: name}}}
	return c.Create(ctx, review) == nil && !review.Status.Allowed
}

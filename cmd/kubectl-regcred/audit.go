package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"regcred.dev/regcred/internal/audit"
)

// auditing are the options of the command.
type auditing struct {
	access        access
	allNamespaces bool
	exitCode      bool
	output        string
	operator      string
}

const auditExample = `  # Which images of this namespace would fail on a node that does not have them?
  kubectl regcred audit -n shop

  # All namespaces, one line for each image of each workload
  kubectl regcred audit -A -o wide

  # In a pipeline: fail where a pull would fail
  kubectl regcred audit -A --exit-code`

func newAudit(a access) *cobra.Command {
	u := &auditing{access: a}
	command := &cobra.Command{
		Use:   "audit",
		Short: "Say for every image of every workload which credential can pull it, and which would fail on another node",
		Long: "Say for every image of every workload what becomes of its pull by a new pod on a node that does not have it: which credential can pull\n" +
			"it, whether the pod names it itself, gets it from its ServiceAccount or from the admission policy, and until when it works. It reads\n" +
			"with your own rights and says where they do not suffice. No registry is asked: regcred's own tests tell. It changes nothing.\n" +
			"Exit codes: 0; 1 the command failed; 2 with --exit-code where a pull would fail.",
		Example: auditExample,
		Args:    takes(0, 0, ""),
		RunE: func(command *cobra.Command, _ []string) error {
			return u.run(command.Context(), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&u.allNamespaces, "all-namespaces", "A", false, "look at the workloads of all namespaces")
	flags.BoolVar(&u.exitCode, "exit-code", false, "exit with 2 where a pull would fail")
	flags.StringVarP(&u.output, "output", "o", "text", "text, wide, json or yaml")
	operatorNamespace(flags, &u.operator)
	return command
}

// audited is what the command says. Its JSON form is stable. It holds no secret.
type audited struct {
	// Sum counts the pulls by result, in words: one for each image of each workload.
	Sum    string        `json:"sum"`
	Groups []audit.Group `json:"groups"`
	Images []audit.Row   `json:"images"`
	// Notes say what could not be read.
	Notes []string `json:"notes,omitempty"`
	// place is where it was looked, in words, and hint how to look elsewhere.
	place, hint string
}

func (u *auditing) run(ctx context.Context, out io.Writer) error {
	if !slices.Contains([]string{"text", "wide", "json", "yaml"}, u.output) {
		return fmt.Errorf("-o %s: write text, wide, json or yaml", u.output)
	}
	namespace, _, err := u.access.Namespace()
	if err != nil {
		return err
	}
	place, hint := "namespace "+namespace, " All namespaces: kubectl regcred audit -A"
	if u.allNamespaces {
		namespace, place, hint = "", "all namespaces", ""
	}
	c, err := u.access.client()
	if err != nil {
		return err
	}
	pods, err := u.access.pods()
	if err != nil {
		return err
	}
	s := &survey{reader: c, pods: pods, namespace: namespace, operator: u.operator, now: u.access.now}
	facts, err := s.facts(ctx)
	if err != nil {
		return err
	}
	rows := audit.Rows(facts)
	a := audited{Sum: audit.Sum(rows), Groups: audit.Groups(rows), Images: rows, Notes: s.sorted(), place: place, hint: hint}
	if u.output == "json" || u.output == "yaml" {
		err = printObject(out, u.output, a)
	} else {
		err = printAudit(out, a, u.output == "wide")
	}
	if err != nil {
		return err
	}
	return u.failure(rows, a.Sum)
}

// failure is that a pull would fail, for who asked that the command ends with it.
func (u *auditing) failure(rows []audit.Row, sum string) error {
	if !u.exitCode || !audit.Fail(rows) {
		return nil
	}
	return exit{exitProblem, errors.New("some pulls would fail, those with the result Fails: " + sum)}
}

var resultColours = map[audit.Result]string{
	audit.Fails: red, audit.Unknown: yellow, audit.Unproven: yellow, audit.Anonymous: plain, audit.Accepted: green, audit.NotPulled: plain,
}

func printAudit(out io.Writer, a audited, wide bool) error {
	w := newWriter(out)
	switch {
	case len(a.Images) == 0:
		w.line("There is no workload that you may list in %s.%s", a.place, a.hint)
	case wide:
		w.line("%s in %s: %s", a.pulls(), a.place, a.Sum)
		rows := [][]cell{cells("RESULT", "NAMESPACE", "WORKLOAD", "IMAGE", "CREDENTIAL", "FROM", "UNTIL", "REASON", "MESSAGE")}
		for _, r := range a.Images {
			rows = append(rows, []cell{{text: string(r.Result), colour: resultColours[r.Result]}, {text: r.Namespace}, {text: r.Kind + "/" + r.Workload}, {text: r.Image},
				{text: dash(r.ProvidedBy())}, {text: dash(r.From)}, {text: dateOf(r.Until)}, {text: string(r.Reason)}, {text: r.Message}})
		}
		w.table("", rows)
	default:
		w.line("%s in %s: %s", a.pulls(), a.place, a.Sum)
		rows := [][]cell{cells("RESULT", "REGISTRY", "CREDENTIAL", "FROM", "UNTIL", "IMAGES", "WORKLOADS", "PODS", "REASON", "FIRST")}
		for _, g := range a.Groups {
			first := g.First
			if g.Message != "" {
				first += ": " + g.Message
			}
			rows = append(rows, []cell{{text: string(g.Result), colour: resultColours[g.Result]}, {text: dash(g.Registry)}, {text: dash(g.ProvidedBy)}, {text: dash(g.From)},
				{text: dateOf(g.Until)}, {text: fmt.Sprint(g.Images)}, {text: fmt.Sprint(g.Workloads)}, {text: fmt.Sprint(g.Pods)}, {text: string(g.Reason)}, {text: first}})
		}
		w.table("", rows)
	}
	for _, note := range a.Notes {
		w.line("Note: %s", note)
	}
	return w.err
}

// pulls are what Sum counts, and of how many different images they are.
func (a *audited) pulls() string {
	images := map[string]bool{}
	for i := range a.Images {
		images[a.Images[i].Image] = true
	}
	return countOf(len(a.Images), "pull") + " of " + countOf(len(images), "image")
}

func dateOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func countOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

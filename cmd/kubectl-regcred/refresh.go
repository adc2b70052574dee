package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// refresh are the options of the command.
type refresh struct {
	access  access
	wait    bool
	timeout time.Duration
	output  string
}

const refreshExample = `  # Read the source now
  kubectl regcred refresh company-registry

  # The last step of a job that rotates a password: succeed when every namespace has the new one
  kubectl regcred refresh company-registry --wait --timeout 10m`

func newRefresh(a access) *cobra.Command {
	r := &refresh{access: a}
	command := &cobra.Command{
		Use:   "refresh NAME",
		Short: "Have the source of a RegistryCredential read now, and follow the rotation",
		Long: "Have the source of a RegistryCredential read now. With --wait, follow what it gave: read, tested at the registry, in use, in\n" +
			"every namespace. Exit codes: 0 every namespace has it, and the registry accepts it; 1 the command failed; 2 a person must act, such as\n" +
			"where the registry refuses the value; 3 not done in time. It needs the right to patch RegistryCredentials (ClusterRole regcred-credential-editor).",
		Example:           refreshExample,
		Args:              takesName(),
		ValidArgsFunction: a.credentialNames,
		RunE: func(command *cobra.Command, args []string) error {
			return r.run(command.Context(), command.OutOrStdout(), args[0])
		},
	}
	command.Flags().BoolVar(&r.wait, "wait", false, "follow the rotation to its end")
	command.Flags().DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait")
	command.Flags().StringVarP(&r.output, "output", "o", "text", "text, json or yaml")
	return command
}

// outcome is how a refresh ended. Its JSON form is stable.
type outcome struct {
	Name string `json:"name"`
	// Request is the value of the annotation that asks for the read.
	Request string `json:"request"`
	// Stage is Requested, Read, Published or Delivered.
	Stage   string `json:"stage"`
	Failed  bool   `json:"failed"`
	Message string `json:"message"`
	// RevisionBefore was in use before the request, Revision is now. They are equal where the source has no new value.
	RevisionBefore string `json:"revisionBefore,omitempty"`
	Revision       string `json:"revision,omitempty"`
	// StuckBefore pods could not pull because they lacked the credential when the request was made, StuckPods still cannot.
	StuckBefore int32 `json:"stuckPodsBefore"`
	StuckPods   int32 `json:"stuckPods"`

	// changedBefore and changed are when the value in use was published: a revision that has the same value changes neither.
	changedBefore, changed *metav1.Time
	unreadable             bool
	// asked is the request before.
	asked string
}

var stages = map[overview.Stage]string{
	overview.StageRequested: "Requested", overview.StageRead: "Read", overview.StagePublished: "Published", overview.StageDelivered: "Delivered",
}

func (r *refresh) run(ctx context.Context, out io.Writer, name string) error {
	if !slices.Contains([]string{"text", "json", "yaml"}, r.output) {
		return fmt.Errorf("-o %s: write text, json or yaml", r.output)
	}
	c, err := r.access.client()
	if err != nil {
		return err
	}
	object, err := readCredential(ctx, c, name)
	if err != nil {
		return err
	}
	o := outcome{Name: object.Name, Request: time.Now().UTC().Format(time.RFC3339Nano), RevisionBefore: revisionOf(object), Revision: revisionOf(object),
		StuckBefore: stuckOf(object), StuckPods: stuckOf(object), changedBefore: changeOf(object),
		asked: object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]}
	if err := request(ctx, c, object, o.Request); err != nil {
		return err
	}
	w := newWriter(out)
	w.colours = w.colours && r.output == "text"
	o.note(overview.ProgressOf(object, o.Request))
	if r.wait {
		err = r.follow(ctx, c, w, &o)
		if err == nil {
			err = r.followPods(ctx, c, w, &o)
		}
	} else if r.output == "text" {
		o.requested(w)
	}
	if r.output != "text" {
		return errors.Join(err, printObject(out, r.output, o))
	}
	if err == nil && r.wait {
		w.line("Done: %s%s", o.rotated(), o.cured())
	}
	return errors.Join(err, w.err)
}

// requested is said where nobody waits.
func (o *outcome) requested(w *writer) {
	w.line("A read of the source of RegistryCredential %s was requested. Follow it: kubectl regcred status %s -w", o.Name, o.Name)
	if o.Failed {
		w.line("It does not go on: %s", o.Message)
	}
}

// request asks the operator to read the source. object becomes what the API server has then.
func request(ctx context.Context, c client.Client, object *v1alpha1.RegistryCredential, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1alpha1.RefreshRequestedAtAnnotation: value}}})
	if err != nil {
		return err
	}
	err = c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-regcred"))
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not change RegistryCredential %s: ask for the ClusterRole regcred-credential-editor", foreign.Name(object.Name))
	}
	if err != nil {
		return fmt.Errorf("ask for a read by an annotation of RegistryCredential %s: %w", foreign.Name(object.Name), err)
	}
	return nil
}

// follow prints each step until the refresh has ended, one way or the other.
func (r *refresh) follow(ctx context.Context, c client.WithWatch, w *writer, o *outcome) error {
	begun := time.Now()
	// Not a deadline: before one, the client's limiter refuses requests with an error of its own.
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(r.timeout, cancel).Stop()
	told, request := "", o.Request
	err := follow(bounded, c, o.Name, func(present map[string]*v1alpha1.RegistryCredential) (bool, error) {
		object := present[o.Name]
		if object == nil {
			return true, fmt.Errorf("RegistryCredential %s was deleted meanwhile", foreign.Name(o.Name))
		}
		request = o.overtaken(object, request)
		p := overview.ProgressOf(object, request)
		o.note(p)
		o.Revision, o.StuckPods, o.changed = revisionOf(object), stuckOf(object), changeOf(object)
		o.StuckBefore = max(o.StuckBefore, o.StuckPods)
		if r.output == "text" && !p.Failed {
			told = o.show(w, p, told, time.Since(begun))
		}
		return p.Done(), w.err
	})
	w.raw(w.clearLine())
	switch {
	case err == nil && o.Failed:
		return exit{exitProblem, fmt.Errorf("the refresh of RegistryCredential %s does not go on: %s", foreign.Name(o.Name), o.Message)}
	case err != nil && ctx.Err() == nil && bounded.Err() != nil:
		return o.timedOut(r.timeout)
	}
	return err
}

// timedOut says what the refresh still waited for. A source that cannot be read for so long needs a person.
func (o *outcome) timedOut(after time.Duration) error {
	said := fmt.Sprintf("the refresh of RegistryCredential %s was not done within %s: %s", foreign.Name(o.Name), after, o.Message)
	switch {
	case o.unreadable:
		o.Failed = true
		return exit{exitProblem, errors.New(said)}
	case o.Stage == stages[overview.StageRequested]:
		said += ". Whether it runs, says: kubectl regcred doctor"
	}
	return exit{exitTimeout, errors.New(said)}
}

// show prints where the refresh is, unless that was told last, and returns what was told: on a terminal a bar while namespaces are written.
func (o *outcome) show(w *writer, p overview.Progress, told string, after time.Duration) string {
	if w.colours && p.Stage == overview.StagePublished {
		w.raw(bar(p.Synced, p.Selected))
		return o.Stage
	}
	text := o.Stage + ": " + o.Message
	if text != told {
		w.raw(w.clearLine())
		w.line("%6.1fs  %s", after.Seconds(), text)
	}
	return text
}

func (o *outcome) note(p overview.Progress) {
	o.Stage, o.Failed, o.Message, o.unreadable = stages[p.Stage], p.Failed, p.Message, p.Unreadable
}

// rotated says whether the source had a new value.
func (o *outcome) rotated() string {
	switch {
	case o.RevisionBefore == "":
		return "revision " + o.Revision + " is in use"
	case o.RevisionBefore == o.Revision:
		return "the source still has revision " + o.Revision
	case o.changed != nil && o.changed.Equal(o.changedBefore):
		return "user name and password of revision " + o.Revision + " are the same as before, in revision " + o.RevisionBefore + ": nothing to rotate"
	}
	return "revision " + o.Revision + " took the place of " + o.RevisionBefore
}

func stuckOf(object *v1alpha1.RegistryCredential) int32 {
	if object.Status.Pods == nil {
		return 0
	}
	return object.Status.Pods.Stuck
}

func revisionOf(object *v1alpha1.RegistryCredential) string {
	if object.Status.Credential == nil {
		return ""
	}
	return foreign.Name(object.Status.Credential.Revision)
}

func changeOf(object *v1alpha1.RegistryCredential) *metav1.Time {
	if object.Status.Credential == nil {
		return nil
	}
	return object.Status.Credential.ChangeTime
}

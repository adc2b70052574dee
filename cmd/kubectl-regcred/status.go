package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// status are the options of the command.
type status struct {
	access access
	output string
	watch  bool
	client client.WithWatch
}

const statusExample = `  # Every RegistryCredential: is it ready, where is it, what is wrong?
  kubectl regcred status

  # One of them: conditions, the value before, revisions by namespace, namespaces that are not served, events
  kubectl regcred status company-registry

  # Follow a rotation
  kubectl regcred status -w`

func newStatus(a access) *cobra.Command {
	s := &status{access: a}
	command := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show the state of RegistryCredentials and VaultConnections",
		Long: "Show the state of RegistryCredentials: where their value is, how old it is, whether the source can be read, what is wrong;\n" +
			"and of VaultConnections: how and when regcred logged in. Of one RegistryCredential it also shows which revision each namespace has,\n" +
			"and whether the value before may be revoked. It needs the rights of the ClusterRole regcred-viewer.",
		Example:           statusExample,
		Args:              takes(0, 1, ""),
		ValidArgsFunction: a.credentialNames,
		RunE: func(command *cobra.Command, args []string) error {
			return s.run(command.Context(), command.OutOrStdout(), args)
		},
	}
	command.Flags().StringVarP(&s.output, "output", "o", "", "wide, json or yaml")
	command.Flags().BoolVarP(&s.watch, "watch", "w", false, "go on, and show each change: of one RegistryCredential by a line")
	return command
}

// printedDetail is what is printed of one.
type printedDetail struct {
	overview.Detail `json:",inline"`
	// Revisions say which revision is in which namespace. They are absent with --watch, and where Secrets may not be listed.
	Revisions []overview.Revision `json:"revisions,omitempty"`
	Events    []eventReport       `json:"events,omitempty"`
	// Notes say what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// eventReport is an event about a RegistryCredential.
type eventReport struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
}

func (s *status) run(ctx context.Context, out io.Writer, args []string) error {
	if !slices.Contains([]string{"", "wide", "json", "yaml"}, s.output) {
		return fmt.Errorf("-o %s: write wide, json or yaml", s.output)
	}
	var err error
	if s.client, err = s.access.client(); err != nil {
		return err
	}
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	if !s.watch {
		return s.once(ctx, out, name)
	}
	if name != "" && (s.output == "" || s.output == "wide") {
		err = s.watchOne(ctx, out, name)
	} else {
		err = s.watchAll(ctx, out, name)
	}
	if errors.Is(err, context.Canceled) {
		return nil // somebody has seen enough
	}
	return err
}

// watchAll prints all again after each change; of one, for programs.
func (s *status) watchAll(ctx context.Context, out io.Writer, name string) error {
	first := true
	return follow(ctx, s.client, name, func(present map[string]*v1alpha1.RegistryCredential) (bool, error) {
		if name != "" && present[name] == nil {
			return true, fmt.Errorf("there is no RegistryCredential %s", foreign.Name(name))
		}
		if err := separate(out, first, s.output); err != nil {
			return true, err
		}
		first = false
		if name != "" {
			return false, s.printOne(ctx, out, present[name])
		}
		return false, s.printAll(ctx, out, slices.Collect(maps.Values(present)))
	})
}

// separate parts one look from the one before: a terminal shows the latest alone.
func separate(out io.Writer, first bool, format string) error {
	between := "\n"
	switch format {
	case "json":
		return nil
	case "yaml":
		between = "---\n"
	default:
		if hasColours(out) {
			between = clearScreen
		} else if first {
			return nil
		}
	}
	_, err := io.WriteString(out, between)
	return err
}

func (s *status) once(ctx context.Context, out io.Writer, name string) error {
	if name != "" {
		object, err := readCredential(ctx, s.client, name)
		if err != nil {
			return err
		}
		return s.printOne(ctx, out, object)
	}
	var list v1alpha1.RegistryCredentialList
	if err := s.client.List(ctx, &list); err != nil {
		return unreadable(err)
	}
	var objects []*v1alpha1.RegistryCredential
	for i := range list.Items {
		objects = append(objects, &list.Items[i])
	}
	return s.printAll(ctx, out, objects)
}

func (s *status) printOne(ctx context.Context, out io.Writer, object *v1alpha1.RegistryCredential) error {
	now := s.access.now()
	d := printedDetail{Detail: overview.DetailOf(object, now)}
	var err error
	if !s.watch {
		var note string
		if d.Revisions, note, err = s.revisions(ctx, object, d.Revision); err != nil {
			return err
		}
		d.Notes = noted(d.Notes, note)
	}
	switch d.Events, err = s.events(ctx, object); {
	case apierrors.IsForbidden(err):
		d.Notes = append(d.Notes, eventsUnread)
	case err != nil:
		return fmt.Errorf("read the events about RegistryCredential %s: %w", object.Name, err)
	}
	switch s.output {
	case "json", "yaml":
		return printObject(out, s.output, d)
	}
	return printDetail(out, d, now)
}

// noted adds a note, where there is one.
func noted(notes []string, note string) []string {
	if note == "" {
		return notes
	}
	return append(notes, note)
}

const eventsUnread = "You may not read events in namespace default, where those about RegistryCredentials are."

// eventsShown are the latest that are shown.
const eventsShown = 10

// events about a RegistryCredential, the latest first. Those about cluster-scoped objects are in the namespace default.
func (s *status) events(ctx context.Context, object *v1alpha1.RegistryCredential) ([]eventReport, error) {
	return eventsAbout(ctx, s.client, metav1.NamespaceDefault, client.MatchingFields{"involvedObject.kind": "RegistryCredential", "involvedObject.name": object.Name})
}

// eventsAbout are the latest events of a namespace that match, the latest first.
func eventsAbout(ctx context.Context, reader client.Reader, namespace string, matching client.MatchingFields) ([]eventReport, error) {
	latest, err := latestEvents(ctx, reader, namespace, matching, eventsShown)
	var events []eventReport
	for i := range latest {
		e := &latest[i]
		events = append(events, eventReport{Time: timeOfEvent(e), Type: foreign.Name(e.Type), Reason: foreign.Name(e.Reason), Message: foreign.Message(e.Message)})
	}
	return events, err
}

// latestEvents are so many of a namespace that match, the latest first. All are read: an API server lists them by name, which mostly is the
// oldest first.
func latestEvents(ctx context.Context, reader client.Reader, namespace string, matching client.MatchingFields, most int) ([]corev1.Event, error) {
	var events []corev1.Event
	latest := func() []corev1.Event {
		slices.SortStableFunc(events, func(a, b corev1.Event) int { return timeOfEvent(&b).Compare(timeOfEvent(&a)) })
		return events[:min(len(events), most)]
	}
	err := each(ctx, reader, &corev1.EventList{}, othersAtOnce, func(object client.Object) {
		if e, ok := object.(*corev1.Event); ok {
			e.ManagedFields, e.Annotations, e.Message = nil, nil, foreign.Message(e.Message) // which can have 1.5 MB
			events = append(events, *e)
		}
		if len(events) >= most+othersAtOnce {
			events = latest()
		}
	}, client.InNamespace(namespace), matching)
	if err != nil {
		return nil, err
	}
	return latest(), nil
}

// timeOfEvent is when an event last happened, in any of the forms of the API.
func timeOfEvent(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.UTC()
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.UTC()
	case !e.EventTime.IsZero():
		return e.EventTime.UTC()
	}
	return e.CreationTimestamp.UTC()
}

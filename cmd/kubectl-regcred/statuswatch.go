package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// following shows one RegistryCredential, and then a line for each change of it.
type following struct {
	status *status
	w      *writer
	name   string
	// before is what was said last, nil at first.
	before []saying
	// passed are the events that need no line any more: those from before the start, and those that have one.
	passed map[eventReport]bool
	// unread says that events may not be read.
	unread bool
}

// saying is what is said of one thing: its state in few words, and more.
type saying struct{ what, state, message string }

// eventsEvery is how often it is looked for events: the operator writes one a moment after the change that it is about.
const eventsEvery = 2 * time.Second

func (s *status) watchOne(ctx context.Context, out io.Writer, name string) error {
	f := &following{status: s, w: newWriter(out), name: name, passed: map[eventReport]bool{}}
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	return followEvery(ctx, s.client, name, tick.C, func(present map[string]*v1alpha1.RegistryCredential) (bool, error) {
		if present[name] == nil {
			return true, fmt.Errorf("there is no RegistryCredential %s", foreign.Name(name))
		}
		return false, f.show(ctx, present[name], s.access.now())
	})
}

// show prints all at first, and what has changed since afterwards.
func (f *following) show(ctx context.Context, object *v1alpha1.RegistryCredential, now time.Time) error {
	d := printedDetail{Detail: overview.DetailOf(object, now)}
	events, err := f.newEvents(ctx, object)
	if err != nil {
		return err
	}
	said := sayingsOf(d.Detail)
	if f.before == nil {
		if f.unread {
			d.Notes = append(d.Notes, eventsUnread)
		}
		f.w.details(d, now)
		f.w.line("\nChanges")
	} else {
		slices.Reverse(events) // the latest was the first of them
		later := slices.IndexFunc(events, func(e eventReport) bool { return e.Time.After(now) })
		if later < 0 {
			later = len(events)
		}
		f.tell(events[:later], now)
		for _, line := range changesOf(f.before, said) {
			f.w.line("  %s  %s", now.Format(time.TimeOnly), line)
		}
		f.tell(events[later:], now)
	}
	f.before = said
	return f.w.err
}

// tell prints events, each with its own time.
func (f *following) tell(events []eventReport, now time.Time) {
	for _, e := range events {
		f.w.line("  %s  Event %s %s: %s", e.Time.In(now.Location()).Format(time.TimeOnly), e.Type, e.Reason, e.Message)
	}
}

// newEvents are those that were not there before.
func (f *following) newEvents(ctx context.Context, object *v1alpha1.RegistryCredential) ([]eventReport, error) {
	if f.unread {
		return nil, nil
	}
	all, err := f.status.events(ctx, object)
	if apierrors.IsForbidden(err) {
		f.unread = true
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the events about RegistryCredential %s: %w", object.Name, err)
	}
	var fresh []eventReport
	for _, e := range all {
		if !f.passed[e] {
			f.passed[e] = true
			fresh = append(fresh, e)
		}
	}
	return fresh, nil
}

// sayingsOf are what a change is told of: whatever does not change with time alone.
func sayingsOf(d overview.Detail) []saying {
	said := []saying{
		{what: "Value", state: dash(d.Revision)},
		{what: "Namespaces", state: namespacesText(d)},
		{what: "Pods", state: podsText(d.Row)},
		{what: "Old password", state: revocations[d.Revocation]},
	}
	for _, c := range d.Conditions {
		said = append(said, saying{c.Type, string(c.Status) + " " + c.Reason, c.Message})
	}
	return said
}

// changesOf are the differences, one in each line. A message that several of them have is told once.
func changesOf(before, now []saying) []string {
	var lines []string
	told := map[string]string{} // by message, what had it first
	find := func(among []saying, what string) (saying, bool) {
		i := slices.IndexFunc(among, func(s saying) bool { return s.what == what })
		if i < 0 {
			return saying{what: what, state: "-"}, false
		}
		return among[i], true
	}
	for _, is := range now {
		was, _ := find(before, is.what)
		line := is.what + ": " + is.state
		switch {
		case was == is:
			continue
		case was.state != is.state:
			line = is.what + ": " + was.state + " -> " + is.state
		}
		switch first := told[is.message]; {
		case is.message == "":
		case first != "":
			line += ", as " + first
		default:
			told[is.message] = is.what
			line += ": " + is.message
		}
		lines = append(lines, line)
	}
	for _, was := range before {
		if _, there := find(now, was.what); !there {
			lines = append(lines, was.what+": "+was.state+" -> -")
		}
	}
	return lines
}

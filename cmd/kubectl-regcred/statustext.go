package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"regcred.dev/regcred/internal/overview"
)

func printTables(out io.Writer, all printed, wide bool, now time.Time) error {
	w := newWriter(out)
	w.credentials(all.Credentials, wide, now)
	if all.Connections != nil {
		w.connections(all.Connections, wide, now)
	}
	for _, note := range all.Notes {
		w.line("\nNote: %s", note)
	}
	return w.err
}

func (w *writer) credentials(rows []overview.Row, wide bool, now time.Time) {
	if len(rows) == 0 {
		w.line("There is no RegistryCredential.")
		return
	}
	header := []string{"NAME", "READY", "SYNCED", "VALUE AGE", "SOURCE", "ENDS IN", "STUCK", "AT RISK"}
	if wide {
		header = append(header, "REVISION")
	}
	lines := [][]cell{cells(append(header, "PROBLEM")...)}
	for _, row := range rows {
		line := cells(row.Name, string(row.Ready), fmt.Sprintf("%d of %d", row.Synced, row.Selected), age(row.ChangeTime, now),
			sourceText(row.Source, now), until(row.ExpireTime, now), fmt.Sprint(row.StuckPods), number(row.PodsAtRisk))
		line[1].colour = colourOf(row.Ready)
		if wide {
			line = append(line, cell{text: cmp.Or(row.Revision, "-")})
		}
		lines = append(lines, append(line, cell{text: row.Problem}))
	}
	w.problems(lines, wide)
}

// sourceText says whether the source can be read, and how often it is.
func sourceText(s overview.Source, now time.Time) string {
	period := duration.HumanDuration(time.Duration(s.PeriodSeconds) * time.Second)
	switch {
	case s.Suspended:
		return "suspended"
	case s.Usable == metav1.ConditionTrue && s.Made:
		return "made, again near its end"
	case s.Usable == metav1.ConditionTrue:
		return "read every " + period
	case s.Since == nil:
		return "not read yet"
	}
	return s.Reason + " for " + age(s.Since, now)
}

func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return duration.HumanDuration(max(0, now.Sub(*t)))
}

func until(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "-"
	case !now.Before(*t):
		return "ended"
	}
	return duration.HumanDuration(t.Sub(now))
}

func number(n *int32) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// revocations answer whether the value before may be revoked.
var revocations = map[overview.Revocation]string{
	overview.RevokeNow:      "may be revoked: no namespace has it any more",
	overview.RevokeLater:    "may not be revoked yet",
	overview.RevokedAlready: "no longer works",
	overview.RevokeInUse:    "is the value in use, and may not be revoked",
	overview.RevokeNothing:  "none before this one is known",
}

func printDetail(out io.Writer, d printedDetail, now time.Time) error {
	w := newWriter(out)
	w.details(d, now)
	return w.err
}

func (w *writer) details(d printedDetail, now time.Time) {
	ready := map[metav1.ConditionStatus]string{metav1.ConditionTrue: "ready", metav1.ConditionFalse: "not ready"}[d.Ready]
	w.raw("RegistryCredential " + shown(d.Name) + ": " + w.coloured(colourOf(d.Ready), cmp.Or(ready, "not known to be ready")) + "\n")
	w.detail("Problem:", d.Problem)
	w.detail("Registries:", strings.Join(d.Registries, ", "))
	w.detail("Source:", d.Place+": "+sourceText(d.Source, now))
	w.detail("Value:", valueText(d.Detail, now))
	if d.ExpireTime != nil {
		w.detail("Ends:", fmt.Sprintf("%s (%s)", d.ExpireTime.Format(time.RFC3339), until(d.ExpireTime, now)))
	}
	w.detail("Before:", previousText(d.Previous, now))
	w.detail("Old password:", revocations[d.Revocation])
	w.detail("Namespaces:", namespacesText(d.Detail))
	if d.Removal != "" {
		w.detail("Removal:", "waits for your confirmation: the annotation regcred.dev/confirm-removal="+d.Removal)
	}
	w.detail("Pods:", podsText(d.Row))
	w.conditions(d.Conditions, now)
	w.revisions(d.Revisions)
	w.failures(d.Detail)
	w.events(d.Events, now)
	for _, note := range d.Notes {
		w.line("\nNote: %s", note)
	}
}

func namespacesText(d overview.Detail) string {
	return fmt.Sprintf("%d of %d have the value, %d cannot be served", d.Synced, d.Selected, d.Failed)
}

// detail is one line about a RegistryCredential: a name and a value, which may be empty.
func (w *writer) detail(name, value string) {
	if value != "" {
		w.line("  %-13s %s", name, value)
	}
}

func valueText(d overview.Detail, now time.Time) string {
	if d.Revision == "" {
		return "none was published yet"
	}
	text := fmt.Sprintf("revision %s, in use for %s", d.Revision, age(d.ChangeTime, now))
	switch d.Proof {
	case "Pull":
		return text + "; the registry let it pull an image"
	case "Login":
		return text + "; the registry let it log in"
	}
	return text + "; no registry is known to accept it"
}

func previousText(p *overview.Previous, now time.Time) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("revision %s, replaced %s ago; registry: %s; in %s", p.Revision, age(p.ReplacedTime, now), p.Registry, counted(int(p.Namespaces), "namespace"))
}

func podsText(row overview.Row) string {
	text := fmt.Sprintf("%d stuck", row.StuckPods)
	if row.PodsAtRisk != nil {
		text += fmt.Sprintf(", %d at risk (they run, and could not pull on another node)", *row.PodsAtRisk)
	}
	return text
}

func (w *writer) conditions(conditions []overview.Condition, now time.Time) {
	if len(conditions) == 0 {
		return
	}
	w.line("\nConditions")
	rows := [][]cell{}
	for _, c := range conditions {
		rows = append(rows, cells(c.Type, string(c.Status), c.Reason, age(c.Since, now), c.Message))
	}
	w.table("  ", rows)
}

func (w *writer) failures(d overview.Detail) {
	if len(d.Failures) == 0 {
		return
	}
	w.line("\nNamespaces that are not served")
	rows := [][]cell{}
	for _, f := range d.Failures {
		rows = append(rows, cells(f.Namespace, f.Reason, f.Message))
	}
	w.table("  ", rows)
	if more := int(d.Failed) - len(d.Failures); more > 0 {
		w.line("  and %d more", more)
	}
}

func (w *writer) events(events []eventReport, now time.Time) {
	if len(events) == 0 {
		return
	}
	w.line("\nEvents")
	rows := [][]cell{}
	for _, e := range events {
		rows = append(rows, cells(age(&e.Time, now), e.Type, e.Reason, e.Message))
	}
	w.table("  ", rows)
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// printed is what is printed as JSON or YAML of all RegistryCredentials. Its form is stable.
type printed struct {
	Credentials []overview.Row `json:"credentials"`
	// Connections are absent with --watch, and where they may not be read.
	Connections []overview.Connection `json:"connections,omitempty"`
	// Notes say what could not be read.
	Notes []string `json:"notes,omitempty"`
}

// printAll prints a table of RegistryCredentials, and one of VaultConnections. Who watches sees the first alone, which costs no request.
func (s *status) printAll(ctx context.Context, out io.Writer, objects []*v1alpha1.RegistryCredential) error {
	slices.SortFunc(objects, func(a, b *v1alpha1.RegistryCredential) int { return cmp.Compare(a.Name, b.Name) })
	now, all := s.access.now(), printed{Credentials: []overview.Row{}}
	for _, object := range objects {
		all.Credentials = append(all.Credentials, overview.RowOf(object, now))
	}
	if !s.watch {
		var note string
		var err error
		if all.Connections, note, err = s.connections(ctx, now); err != nil {
			return err
		}
		all.Notes = noted(all.Notes, note)
	}
	switch s.output {
	case "json", "yaml":
		return printObject(out, s.output, all)
	}
	return printTables(out, all, s.output == "wide", now)
}

// connections reads all VaultConnections. The note says where they cannot be read.
func (s *status) connections(ctx context.Context, now time.Time) (rows []overview.Connection, note string, err error) {
	var list v1alpha1.VaultConnectionList
	switch err := s.client.List(ctx, &list); {
	case apierrors.IsForbidden(err):
		return nil, "You may not read VaultConnections. The ClusterRole regcred-viewer allows it.", nil
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil, "The cluster does not know VaultConnections: a part of the installation is missing. See: kubectl regcred doctor", nil
	case err != nil:
		return nil, "", fmt.Errorf("list VaultConnections: %w", err)
	}
	rows = []overview.Connection{}
	for i := range list.Items {
		rows = append(rows, overview.ConnectionOf(&list.Items[i], now))
	}
	slices.SortFunc(rows, func(a, b overview.Connection) int { return cmp.Compare(a.Name, b.Name) })
	return rows, "", nil
}

func (w *writer) connections(rows []overview.Connection, wide bool, now time.Time) {
	if len(rows) == 0 {
		w.line("\nThere is no VaultConnection.")
		return
	}
	header := []string{"CONNECTION", "READY", "METHOD", "LOGGED IN", "NEXT LOGIN", "TOKEN ENDS IN", "USED BY"}
	if wide {
		header = append(header, "ADDRESS", "VERSION")
	}
	lines := [][]cell{cells(append(header, "PROBLEM")...)}
	for _, c := range rows {
		line := cells(c.Name, string(c.Ready), cmp.Or(c.Method, "-"), ago(c.LoginTime, now), clock(c.NextLoginTime, now), until(c.TokenExpireTime, now), number(c.UsedBy))
		line[1].colour = colourOf(c.Ready)
		if wide {
			line = append(line, cells(c.Address, cmp.Or(c.ServerVersion, "-"))...)
		}
		lines = append(lines, append(line, cell{text: c.Problem}))
	}
	w.line("")
	w.problems(lines, wide)
}

func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return age(t, now) + " ago"
}

// clock is a time of the day where whoever asks is: the next login is a minute away at most. It can be past for a moment, until the status
// tells of what came of it.
func clock(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "-"
	case !now.Before(*t):
		return "now"
	}
	return t.In(now.Location()).Format(time.TimeOnly)
}

// maxProblem is how much of what is wrong a terminal shows whose width is not known, in bytes.
const maxProblem = 120

// problems writes a table whose last column says what is wrong. For somebody who looks at a terminal it is cut, so that each row is one line;
// -o wide has all of it, and so has whatever else reads the output.
func (w *writer) problems(rows [][]cell, wide bool) {
	if !wide && w.terminal {
		column, last := 0, len(rows[0])-1
		for _, width := range widthsOf(rows)[:last] {
			column += width + gap
		}
		for _, row := range rows {
			row[last].text = w.fitting(row[last].text, column)
		}
	}
	w.table("", rows)
}

// fitting is what of a text fits into the line of the terminal in which it begins at a column, or else into one of its own.
func (w *writer) fitting(text string, column int) string {
	if w.width < leastWrapped+wrappedIndent {
		return foreign.Text(text, maxProblem)
	}
	room := w.width - column
	if room < leastWrapped {
		room = w.width - wrappedIndent
	}
	characters := []rune(shown(text))
	if len(characters) <= room {
		return text
	}
	return string(characters[:room-1]) + "…"
}

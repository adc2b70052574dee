package main

import (
	"io"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// colours of a terminal.
const (
	green, red, yellow, plain = "\x1b[32m", "\x1b[31m", "\x1b[33m", ""
	endOfColour               = "\x1b[0m"
	clearScreen               = "\x1b[H\x1b[2J"
)

// isTerminal reports whether somebody looks at the output who can see colours.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && runtime.GOOS != "windows" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// cell of a table.
type cell struct{ text, colour string }

func cells(texts ...string) []cell {
	var row []cell
	for _, text := range texts {
		row = append(row, cell{text: text})
	}
	return row
}

// colourOf is that of a condition of which True is good.
func colourOf(status metav1.ConditionStatus) string {
	switch status {
	case metav1.ConditionTrue:
		return green
	case metav1.ConditionFalse:
		return red
	}
	return yellow
}

// table writes rows whose columns are as wide as their widest cell. indent stands before each line.
func (w *writer) table(indent string, rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(shown(c.text)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, c := range row {
			text := shown(c.text)
			line.WriteString(w.coloured(c.colour, text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+3))
			}
		}
		w.raw(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func (w *writer) coloured(colour, text string) string {
	if !w.colours || colour == plain {
		return text
	}
	return colour + text + endOfColour
}

// raw writes what is clean already.
func (w *writer) raw(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.out, text)
	}
}

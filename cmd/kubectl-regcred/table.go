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

// isTerminal reports whether somebody looks at the output.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// hasColours reports whether somebody looks at the output who can see colours, and whose terminal knows what moves its cursor.
func hasColours(out io.Writer) bool {
	return isTerminal(out) && runtime.GOOS != "windows" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// widthOf is how many characters a line of the terminal has, 0 where the output is none.
func widthOf(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
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

// table writes rows whose columns are as wide as their widest cell. indent stands before each line. On a terminal the last column, which
// holds what is long, is wrapped.
func (w *writer) table(indent string, rows [][]cell) {
	widths := widthsOf(rows)
	for _, row := range rows {
		w.row(indent, row, widths)
	}
}

// widest is the widest cell that makes its column as wide: others, such as an image that somebody gave a name of 500 letters, move what is behind
// them in their own row alone.
const widest = 100

// widthsOf are those of the widest cell of each column.
func widthsOf(rows [][]cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], min(utf8.RuneCountInString(shown(c.text)), widest))
		}
	}
	return widths
}

// gap is between two columns.
const gap = 3

func (w *writer) row(indent string, row []cell, widths []int) {
	var line strings.Builder
	line.WriteString(indent)
	used := utf8.RuneCountInString(indent)
	for i, c := range row {
		text := shown(c.text)
		if i == len(row)-1 {
			begin, behind := w.wrapped(text, used)
			if begin != "" {
				w.raw(strings.TrimRight(line.String(), " "))
				line.Reset()
			}
			line.WriteString(begin + w.coloured(c.colour, behind))
			break
		}
		width := max(widths[i], utf8.RuneCountInString(text))
		line.WriteString(w.coloured(c.colour, text) + strings.Repeat(" ", width-utf8.RuneCountInString(text)+gap))
		used += width + gap
	}
	w.raw(strings.TrimRight(line.String(), " ") + "\n")
}

const (
	// leastWrapped is the narrowest column into which text is wrapped: beside wider columns it begins on a line of its own.
	leastWrapped = 30
	// wrappedIndent is where such a line begins.
	wrappedIndent = 4
)

// wrapped breaks a text that begins at a column, at spaces, so that it ends at the terminal's. begin is what stands before it.
func (w *writer) wrapped(text string, column int) (begin, broken string) {
	if w.width < leastWrapped+wrappedIndent || column+utf8.RuneCountInString(text) <= w.width {
		return "", text
	}
	if w.width-column < leastWrapped {
		column = wrappedIndent
		begin = "\n" + strings.Repeat(" ", column)
	}
	var b strings.Builder
	left := w.width - column
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case length < left:
			b.WriteByte(' ')
			left--
		default:
			b.WriteString("\n" + strings.Repeat(" ", column))
			left = w.width - column
		}
		b.WriteString(word)
		left -= length
	}
	return begin, b.String()
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

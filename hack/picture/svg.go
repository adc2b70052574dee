package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	width      = 980
	lineHeight = 22
	firstLine  = 66
	pause      = 6.0 // seconds at the end, before the picture begins again
	longest    = 112 // characters of a line
)

var colours = map[kind]string{neutral: "#c9d1d9", bad: "#ff7b72", good: "#7ee787"}

// draw gives an SVG in which the lines appear as the demo printed them, in real time from the second line on. What shows no animation, and
// who wants none, sees all of them.
func draw(lines []line) string {
	var out strings.Builder
	height := firstLine + lineHeight*len(lines)
	begun, ended := lines[1].at, lines[len(lines)-1].at
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="What make demo prints">`+"\n", width, height)
	out.WriteString(style(lines, begun, ended-begun+pause))
	fmt.Fprintf(&out, `<rect width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f56", "#ffbd2e", "#27c93f"} {
		fmt.Fprintf(&out, `<circle cx="%d" cy="20" r="6" fill="%s"/>`+"\n", 22+20*i, colour)
	}
	fmt.Fprintf(&out, `<text x="20" y="%d" fill="#8b949e">$ make demo</text>`+"\n", firstLine-lineHeight)
	for i, l := range lines {
		fmt.Fprintf(&out, `<text x="20" y="%d" class="l%d" fill="%s" xml:space="preserve">%6.1fs  %s</text>`+"\n",
			firstLine+lineHeight*i, i, colours[l.kind], l.at, html.EscapeString(cut(l.says)))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// style makes each line appear at its time. loop is how long one turn takes, in seconds.
func style(lines []line, begun, loop float64) string {
	var out strings.Builder
	out.WriteString("<style>\ntext { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }\n@media (prefers-reduced-motion: no-preference) {\n")
	for i, l := range lines {
		if l.at <= begun {
			continue
		}
		share := 100 * (l.at - begun) / loop
		fmt.Fprintf(&out, "@keyframes k%d { 0%%, %.2f%% { opacity: 0 } %.2f%%, 100%% { opacity: 1 } }\n", i, share, share+0.01)
		fmt.Fprintf(&out, ".l%d { animation: k%d %.1fs linear infinite }\n", i, i, loop)
	}
	out.WriteString("}\n</style>\n")
	return out.String()
}

func cut(text string) string {
	if len(text) <= longest {
		return text
	}
	return text[:longest-4] + " ..."
}

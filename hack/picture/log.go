package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// kind is what a line of the demo means for the applications.
type kind string

const (
	neutral kind = "neutral"
	bad     kind = "bad"  // something is broken from here on
	good    kind = "good" // it works again
)

// line of the demo: when it was printed, in seconds after the start, and what it says.
type line struct {
	at   float64
	says string
	kind kind
}

var printed = regexp.MustCompile(`^ *(\d+\.\d)s  (.+)$`)

// kinds tell a line by its words, the first that fits. They are the words of hack/demo/acts.go.
var kinds = []struct {
	words string
	kind  kind
}{
	{"is stuck in all", bad}, {"password is rotated", bad}, {"The kubelet says", bad},
	{"Secrets hold it", good}, {"the first Secret holds it", good}, {"run the release", good}, {"an application runs in each", good},
}

// parse reads what `make demo` printed up to its table. A log without a beginning, an incident and an end is refused.
func parse(log string) ([]line, error) {
	var lines []line
	seen := map[kind]bool{}
	for text := range strings.Lines(log) {
		match := printed.FindStringSubmatch(strings.TrimRight(text, "\r\n"))
		if match == nil {
			continue
		}
		at, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			return nil, fmt.Errorf("the time of %q: %w", text, err)
		}
		if len(lines) > 0 && at < lines[len(lines)-1].at {
			return nil, fmt.Errorf("the times go back at %q", text)
		}
		says, quoted, found := strings.Cut(match[2], " The kubelet says: ")
		lines = append(lines, line{at: at, says: says, kind: kindOf(says)})
		if found {
			lines = append(lines, line{at: at, says: "The kubelet says: " + shortened(quoted), kind: bad})
		}
		seen[lines[len(lines)-1].kind] = true
	}
	if len(lines) < 3 || !seen[bad] || !seen[good] {
		return nil, fmt.Errorf("%d lines, and no whole incident in them: is this what `make demo` printed?", len(lines))
	}
	return lines, nil
}

func kindOf(says string) kind {
	for _, k := range kinds {
		if strings.Contains(says, k.words) {
			return k.kind
		}
	}
	return neutral
}

// shortened keeps of the kubelet's message its first words and its end, where the status is.
func shortened(message string) string {
	const before, after = 60, 16
	if len(message) <= before+after {
		return message
	}
	return message[:before] + " ... " + message[len(message)-after:]
}

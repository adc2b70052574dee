package box

import (
	"bytes"
	"iter"
)

// WholeLines are the lines of a log that another program may be writing right now, each without its end. The last one is left out until its end is
// written: half a line is neither JSON nor a fact.
func WholeLines(log []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			line, rest, ended := bytes.Cut(log, []byte("\n"))
			if !ended || !yield(line) {
				return
			}
			log = rest
		}
	}
}

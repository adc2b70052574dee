package main

import (
	"bytes"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/diagnosis"
)

func TestNothingThatOthersWroteReachesTheTerminalRaw(t *testing.T) {
	const raw = "\x1b]0;x\x07\x1b[2J\n\u202e"
	huge := raw + strings.Repeat("x", 100_000)
	var out bytes.Buffer
	err := printText(&out, report{single: true, Notes: []string{huge}, Pods: []podReport{{Name: "p", Namespace: "n", Action: diagnosis.Report, Reason: "x", Message: huge,
		Containers: []containerReport{{Name: "c", Image: huge, Message: huge, Finding: huge, Secrets: []secretReport{{Name: "regcred", State: "Present", Owner: huge}}}}}}})
	if err != nil || strings.ContainsAny(out.String(), "\x1b\x07\u202e") {
		t.Errorf("%v: %.300q", err, out.String())
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len(line) > maxLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

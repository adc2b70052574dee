package main

import (
	"bytes"
	"encoding/json"
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

func TestJSONHoldsNoCharacterThatATerminalActsOn(t *testing.T) {
	const raw = "\x1b[2J\u009b2J\x7f\u202e\U000e0041 é 漢"
	var out bytes.Buffer
	if err := printObject(&out, "json", report{Notes: []string{raw}, Pods: []podReport{}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\x7f\u202e\U000e0041") || !strings.Contains(out.String(), "é 漢") {
		t.Errorf("%q", out.String())
	}
	var read struct{ Notes []string }
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || read.Notes[0] != raw {
		t.Errorf("%v: it reads %q", err, read.Notes)
	}
}

func TestWhatIsDoneAboutAPodIsNotClaimedWithoutRegistryCredentials(t *testing.T) {
	pod := podReport{Name: "web", Namespace: "shop", Action: diagnosis.Wait, Reason: diagnosis.CredentialsUnread, Message: "not known"}
	for name, read := range map[string]report{"one pod": {single: true, Pods: []podReport{pod}}, "all pods": {Pods: []podReport{pod}}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := printText(&out, read); err != nil {
				t.Fatal(err)
			}
			if said := out.String(); strings.Contains(said, "regcred waits") || !strings.Contains(said, "kubectl get events -n shop --field-selector reportingComponent=regcred") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

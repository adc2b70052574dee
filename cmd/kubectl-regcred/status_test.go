package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

func rows() []overview.Row {
	changed := noon.Add(-3 * time.Hour)
	return []overview.Row{
		{Name: "company", Ready: metav1.ConditionTrue, Synced: 13, Selected: 13, Revision: "7", ChangeTime: &changed,
			Source: overview.Source{Usable: metav1.ConditionTrue, PeriodSeconds: 60}, ExpireTime: ptr.To(noon.Add(48 * time.Hour))},
		{Name: "hub", Ready: metav1.ConditionFalse, Selected: 2, StuckPods: 4, PodsAtRisk: ptr.To[int32](1),
			Source: overview.Source{Usable: metav1.ConditionFalse, Reason: "Sealed", Since: ptr.To(noon.Add(-time.Minute)), PeriodSeconds: 60}, Problem: "Sealed: " + strings.Repeat("x", 200)},
	}
}

func TestTheTableOfAll(t *testing.T) {
	var out bytes.Buffer
	if err := printTables(&out, printed{Credentials: rows()}, false, noon); err != nil {
		t.Fatal(err)
	}
	want := `NAME      READY   SYNCED     VALUE AGE   SOURCE           ENDS IN   STUCK   AT RISK   PROBLEM
company   True    13 of 13   3h          read every 60s   2d        0       -
hub       False   0 of 2     -           Sealed for 60s   -         4       1         Sealed: ` + strings.Repeat("x", 200) + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := printTables(&out, printed{Credentials: rows()}, true, noon); err != nil || !strings.Contains(out.String(), "REVISION") || !strings.Contains(out.String(), strings.Repeat("x", 200)) {
		t.Errorf("%v: -o wide shows\n%s", err, out.String())
	}
	out.Reset()
	if err := printTables(&out, printed{}, true, noon); err != nil || out.String() != "There is no RegistryCredential.\n" {
		t.Errorf("%v: %q", err, out.String())
	}
}

func TestATableIsColouredOnATerminalAlone(t *testing.T) {
	var out bytes.Buffer
	rows := [][]cell{{{text: "True", colour: green}, {text: "x"}}, {{text: "é\x1b[2J", colour: plain}, {text: "y"}}}
	(&writer{out: &out, colours: true}).table("", rows)
	if want := green + "True" + endOfColour + "    x\né [2J   y\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	(&writer{out: &out}).table("  ", rows)
	if strings.Contains(out.String(), "\x1b") || isTerminal(&out) {
		t.Errorf("without a terminal: %q", out.String())
	}
}

func TestHowSourcesAreShown(t *testing.T) {
	for _, test := range []struct {
		name   string
		source overview.Source
		want   string
	}{
		{"it is read", overview.Source{Usable: metav1.ConditionTrue, PeriodSeconds: 300}, "read every 5m"},
		{"each read makes another", overview.Source{Usable: metav1.ConditionTrue, PeriodSeconds: 300, Made: true}, "made, again near its end"},
		{"nobody read it yet", overview.Source{Usable: metav1.ConditionUnknown}, "not read yet"},
		{"somebody suspended it", overview.Source{Usable: metav1.ConditionTrue, Suspended: true}, "suspended"},
		{"it fails", overview.Source{Usable: metav1.ConditionFalse, Reason: "Sealed", Since: ptr.To(noon.Add(-time.Hour))}, "Sealed for 60m"},
		{"it fails by a clock that is ahead", overview.Source{Usable: metav1.ConditionFalse, Reason: "Sealed", Since: ptr.To(noon.Add(time.Hour))}, "Sealed for 0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sourceText(test.source, noon); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOneInFull(t *testing.T) {
	d := printedDetail{
		Detail: overview.Detail{
			Row: rows()[0], Registries: []string{"registry.company.io"}, Place: "Vault", Proof: "Pull", Revocation: overview.RevokeNow, Failed: 21, Removal: "id-1",
			Previous:   &overview.Previous{Revision: "6", ReplacedTime: ptr.To(noon.Add(-3 * time.Hour)), Registry: "Accepted"},
			Conditions: []overview.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Succeeded", Message: "good", Since: ptr.To(noon.Add(-time.Hour))}},
			Failures:   []overview.Failure{{Namespace: "shop", Reason: "ForeignSecret", Message: "it belongs to Helm"}},
		},
		Revisions: []overview.Revision{{Revision: "7", InUse: true, Secrets: 13, First: strings.Split("abcdefghijklm", "")}, {Revision: "6", Secrets: 1, First: []string{"shop"}}},
		Events:    []eventReport{{Time: noon.Add(-time.Minute), Type: "Normal", Reason: "Published", Message: "revision 7"}},
		Notes:     []string{"You may not read it."},
	}
	var out bytes.Buffer
	if err := printDetail(&out, d, noon); err != nil {
		t.Fatal(err)
	}
	want := `RegistryCredential company: ready
  Registries:   registry.company.io
  Source:       Vault: read every 60s
  Value:        revision 7, in use for 3h; the registry let it pull an image
  Ends:         2026-03-03T12:00:00Z (2d)
  Before:       revision 6, replaced 3h ago; registry: Accepted; in 0 namespaces
  Old password: may be revoked: no namespace has it any more
  Namespaces:   13 of 13 have the value, 21 cannot be served
  Removal:      waits for your confirmation: the annotation regcred.dev/confirm-removal=id-1
  Pods:         0 stuck

Conditions
  Ready   True   Succeeded   60m   good

Revisions in the pull Secrets
  7   in use   13 Secrets   a, b, c, d, e, f, g, h, i, j and 3 more
  6   older    1 Secret     shop

Namespaces that are not served
  shop   ForeignSecret   it belongs to Helm
  and 20 more

Events
  60s   Normal   Published   revision 7

Note: You may not read it.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if printDetail(full{}, d, noon) == nil || printTables(full{}, printed{Credentials: rows()}, false, noon) == nil {
		t.Error("a failed write is no error")
	}
}

func TestExitCodes(t *testing.T) {
	if code := exitCode(errors.New("x")); code != exitFailed {
		t.Errorf("an error exits with %d", code)
	}
	if code := exitCode(fmt.Errorf("wrapped: %w", exit{exitTimeout, errors.New("x")})); code != exitTimeout {
		t.Errorf("a timeout exits with %d", code)
	}
}

func TestTheTableOfConnections(t *testing.T) {
	all := printed{
		Connections: []overview.Connection{
			{Name: "default", Ready: metav1.ConditionTrue, Method: "token", Address: "https://vault.company.io:8200", ServerVersion: "1.20.4", UsedBy: ptr.To[int32](2),
				LoginTime: ptr.To(noon.Add(-time.Hour)), TokenExpireTime: ptr.To(noon.Add(48 * time.Hour))},
			{Name: "wrong", Ready: metav1.ConditionFalse, Method: "kubernetes", NextLoginTime: ptr.To(noon.Add(55 * time.Second)), Problem: "LoginFailed: " + strings.Repeat("x", 200)},
			{Name: "young", Ready: metav1.ConditionUnknown, NextLoginTime: ptr.To(noon.Add(-time.Second))},
		},
		Notes: []string{"You may not read it."},
	}
	var out bytes.Buffer
	if err := printTables(&out, all, false, noon); err != nil {
		t.Fatal(err)
	}
	want := `There is no RegistryCredential.

CONNECTION   READY     METHOD       LOGGED IN   NEXT LOGIN   TOKEN ENDS IN   USED BY   PROBLEM
default      True      token        60m ago     -            2d              2
wrong        False     kubernetes   -           12:00:55     -               -         LoginFailed: ` + strings.Repeat("x", 200) + `
young        Unknown   -            -           now          -               -

Note: You may not read it.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := printTables(&out, all, true, noon); err != nil || !strings.Contains(out.String(), "https://vault.company.io:8200   1.20.4") || !strings.Contains(out.String(), strings.Repeat("x", 200)) {
		t.Errorf("%v: -o wide shows\n%s", err, out.String())
	}
	out.Reset()
	if err := printTables(&out, printed{Connections: []overview.Connection{}}, true, noon); err != nil || !strings.Contains(out.String(), "There is no VaultConnection.") {
		t.Errorf("%v: without any:\n%s", err, out.String())
	}
}

func TestWhatIsWrongIsCutForATerminalAlone(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("é wrong ", 40))
	for _, test := range []struct {
		name     string
		terminal bool
		width    int
		wide     bool
		want     string
	}{
		{"a pipe has all of it", false, 0, false, "a      " + long},
		{"a terminal whose width is not known has the begin", true, 0, false, "a      " + foreign.Text(long, maxProblem)},
		{"a terminal has what fits into a line", true, 50, false, "a      é wrong é wrong é wrong é wrong é wrong é …"},
		{"a terminal that is wide enough has all of it", true, 7 + 319, false, "a      " + long},
		{"a narrow terminal has a line of its own for it", true, 36, false, "a\n    é wrong é wrong é wrong é wrong…"},
		{"a terminal that is asked for all of it wraps it", true, 7 + 168, true, "a      " + strings.TrimSpace(strings.Repeat("é wrong ", 21)) + "\n       " + strings.TrimSpace(strings.Repeat("é wrong ", 19))},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			(&writer{out: &out, terminal: test.terminal, width: test.width}).problems([][]cell{cells("NAME", "PROBLEM"), cells("a", long)}, test.wide)
			if diff := cmp.Diff("NAME   PROBLEM\n"+test.want+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, table := range []func(*writer){
		func(w *writer) { w.credentials(rows(), false, noon) },
		func(w *writer) { w.connections([]overview.Connection{{Name: "default", Problem: long}}, false, noon) },
	} {
		var out bytes.Buffer
		table(&writer{out: &out, terminal: true})
		if !strings.Contains(out.String(), "…") {
			t.Errorf("it is not cut:\n%s", out.String())
		}
	}
}

func TestTheOldPasswordAndPodsInWords(t *testing.T) {
	for _, test := range []struct {
		name       string
		revocation overview.Revocation
		atRisk     *int32
		want       string
	}{
		{"there was none", overview.RevokeNothing, nil, "Old password: none before this one is known\nPods: 1 stuck"},
		{"something depends on it", overview.RevokeLater, ptr.To[int32](0), "Old password: may not be revoked yet\nPods: 1 stuck, 0 at risk (they run, and could not pull on another node)"},
		{"nothing depends on it", overview.RevokeNow, ptr.To[int32](2), "Old password: may be revoked: no namespace has it any more\nPods: 1 stuck, 2 at risk (they run, and could not pull on another node)"},
		{"it is refused", overview.RevokedAlready, nil, "Old password: no longer works\nPods: 1 stuck"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			d := printedDetail{Detail: overview.Detail{Row: overview.Row{Name: "company", StuckPods: 1, PodsAtRisk: test.atRisk}, Revocation: test.revocation}}
			if err := printDetail(&out, d, noon); err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, line := range strings.Split(out.String(), "\n") {
				if words := strings.Join(strings.Fields(line), " "); strings.HasPrefix(words, "Old password:") || strings.HasPrefix(words, "Pods:") {
					said = strings.TrimSpace(said + "\n" + words)
				}
			}
			if said != test.want {
				t.Errorf("got\n%s\nwant\n%s", said, test.want)
			}
		})
	}
}

func TestWithoutTheKindOfConnectionsTheRestIsShown(t *testing.T) {
	s := &apiServer{objects: map[string]runtime.Object{"/apis/regcred.dev/v1alpha1/registrycredentials": &v1alpha1.RegistryCredentialList{Items: []v1alpha1.RegistryCredential{*requested("now")}}}}
	var out bytes.Buffer
	if err := (&status{access: s.start(t)}).run(t.Context(), &out, nil); err != nil || !strings.Contains(out.String(), "company") || !strings.Contains(out.String(), "does not know VaultConnections") {
		t.Errorf("%v: %s", err, out.String())
	}
}

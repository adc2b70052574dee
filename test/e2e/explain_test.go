package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// explainsWithin is how long a person waits for an explanation.
const explainsWithin = 2 * time.Second

// plugin is kubectl-regcred, as a person has it.
type plugin struct {
	path string
	// took is how long each call took.
	took []time.Duration
}

func newPlugin(t *testing.T) *plugin {
	t.Helper()
	p := &plugin{path: filepath.Join(filepath.Dir(s.Binary), "kubectl-regcred")}
	if _, err := os.Stat(p.path); err != nil {
		t.Fatalf("the plugin is built beside REGCRED_BIN: %v", err)
	}
	return p
}

// run runs the plugin and returns what it prints. The test fails where that takes long.
func (p *plugin) run(t *testing.T, arguments ...string) string {
	t.Helper()
	begun := time.Now()
	var complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), p.path, arguments...)
	command.Stderr = &complaints
	output, err := command.Output()
	took := time.Since(begun)
	p.took = append(p.took, took)
	if err != nil {
		t.Fatalf("kubectl regcred %s: %v: %s", strings.Join(arguments, " "), err, complaints.String())
	}
	if took > explainsWithin {
		t.Errorf("kubectl regcred %s took %s, want at most %s", strings.Join(arguments, " "), took.Round(time.Millisecond), explainsWithin)
	}
	return string(output)
}

// explanation is what the plugin says of one pod, as JSON.
type explanation struct {
	Name, Action, Reason string
	Containers           []struct{ Cause string }
}

// explain asks for all pods of a namespace that hang.
func (p *plugin) explain(t *testing.T, namespace string) map[string]explanation {
	t.Helper()
	var read struct {
		Pods  []explanation
		Notes []string
	}
	must(t, json.Unmarshal([]byte(p.run(t, "explain", "pods", "-n", namespace, "-o", "json")), &read))
	if len(read.Notes) > 0 {
		t.Errorf("the plugin could not read everything: %v", read.Notes)
	}
	explained := map[string]explanation{}
	for _, pod := range read.Pods {
		explained[pod.Name] = pod
	}
	return explained
}

// agrees compares what the plugin says of a case with what is expected.
func (e explanation) agrees(t *testing.T, c stuckCase, verdict string) {
	t.Helper()
	if len(e.Containers) == 0 {
		t.Fatalf("%s is not said to hang", c)
	}
	if e.Containers[0].Cause != string(c.cause) || e.Action+" "+e.Reason != verdict {
		t.Errorf("%s is explained as %s, %s %s, want %s, %s", c, e.Containers[0].Cause, e.Action, e.Reason, c.cause, verdict)
	}
}

// manual is the page that shows outputs of the plugin.
var manual = filepath.Join("..", "..", "docs", "stuck-pods.md")

var (
	console = regexp.MustCompile("(?ms)^```console\n\\$ kubectl regcred ([^\n]*)\n(.*?)^```$")
	// random is what differs from run to run: suffixes of names that the API server makes up, and times.
	random = []struct {
		pattern *regexp.Regexp
		instead string
	}{
		{regexp.MustCompile(`(-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b`), ""},
		{regexp.MustCompile(`-\d{8}\b`), ""}, // a Job of a CronJob
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d\d:\d\d:\d\d UTC`), "TIME"},
		{regexp.MustCompile(`in [0-9hms]+ at the latest`), "in TIME at the latest"},
	}
)

// midAttempt is what is said of a pod between a failed try and the wait for the next one.
var midAttempt = regexp.MustCompile(`(?m)^  State: +ErrImagePull$`)

func withoutChance(text string) string {
	for _, r := range random {
		text = r.pattern.ReplaceAllString(text, r.instead)
	}
	return strings.TrimSpace(text)
}

// documented compares the output of a command with that in the documentation, if the command is shown there. With UPDATE_DOCS=1 it
// puts the present output there.
func (z *zoo) documented(t *testing.T, arguments ...string) {
	t.Helper()
	page, err := os.ReadFile(manual)
	must(t, err)
	command := strings.Join(arguments, " ")
	for _, block := range console.FindAllSubmatchIndex(page, -1) {
		shown, output := string(page[block[2]:block[3]]), string(page[block[4]:block[5]])
		if withoutChance(shown) != withoutChance(command) {
			continue
		}
		z.shown[withoutChance(command)] = true
		var now string
		await(t, 30*time.Second, func(context.Context) error {
			if now = z.plugin.run(t, arguments...); midAttempt.MatchString(now) && withoutChance(now) != withoutChance(output) {
				return errors.New("the kubelet tries just now")
			}
			return nil
		})
		diff := cmp.Diff(withoutChance(output), withoutChance(now))
		switch {
		case diff == "":
		case os.Getenv("UPDATE_DOCS") == "":
			t.Errorf("docs/stuck-pods.md shows another output of kubectl regcred %s; UPDATE_DOCS=1 puts the present one there:\n%s", command, diff)
		default:
			page = fmt.Appendf(page[:block[2]:block[2]], "%s\n%s%s", command, now, page[block[5]:])
			must(t, os.WriteFile(manual, page, 0o644))
		}
		return
	}
}

// allShown sees that the documentation shows no output but those that were compared, and enough of them.
func (z *zoo) allShown(t *testing.T) {
	page, err := os.ReadFile(manual)
	must(t, err)
	blocks := console.FindAllSubmatch(page, -1)
	for _, block := range blocks {
		if !z.shown[withoutChance(string(block[1]))] {
			t.Errorf("docs/stuck-pods.md shows the output of kubectl regcred %s, which no test runs", block[1])
		}
	}
	if len(blocks) < 16 {
		t.Errorf("docs/stuck-pods.md shows %d outputs", len(blocks))
	}
}

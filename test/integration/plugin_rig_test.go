package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// pluginOf is the plugin for the administrator of an installation.
func pluginOf(t *testing.T, c *installation) *plugin {
	t.Helper()
	return newPlugin(t, c.kubeconfig)
}

// says runs the plugin and returns what it prints, what it complains of, and its exit code.
func (p *plugin) says(t *testing.T, arguments ...string) (out, complaint string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.path, append([]string{"--kubeconfig", p.kubeconfig}, arguments...)...)
	var printed, complaints strings.Builder
	command.Stdout, command.Stderr = &printed, &complaints
	begun := time.Now()
	err := command.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	t.Logf("kubectl regcred %s took %s and exits with %d:\n%s%s", strings.Join(arguments, " "), time.Since(begun).Round(time.Millisecond),
		command.ProcessState.ExitCode(), printed.String(), complaints.String())
	return printed.String(), complaints.String(), command.ProcessState.ExitCode()
}

// fails runs the plugin and wants an exit code and some words of the complaint.
func (p *plugin) fails(t *testing.T, code int, words string, arguments ...string) {
	t.Helper()
	_, complaint, got := p.says(t, arguments...)
	if got != code || !strings.Contains(complaint, words) {
		t.Errorf("kubectl regcred %s exits with %d, want %d with %q: %s", strings.Join(arguments, " "), got, code, words, complaint)
	}
}

// bind gives a user a ClusterRole that allows to list a resource, and waits until it does.
func (c *installation) bind(t *testing.T, user, role, resource string) {
	t.Helper()
	err := c.admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user + "-" + role},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}})
	if err != nil {
		t.Fatal(err)
	}
	attributes := &authorizationv1.ResourceAttributes{Verb: "list", Resource: resource}
	if resource != "namespaces" {
		attributes.Group = v1alpha1.GroupVersion.Group
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: attributes}}
	awaitWithin(t, 30*time.Second, func(ctx context.Context) error { // the API server sees a binding a moment later
		asked := review.DeepCopy()
		if err := c.admin.Create(ctx, asked); err != nil {
			return err
		}
		return notYet(asked.Status.Allowed)
	})
}

// pluginManual is the page that shows what the plugin prints.
var pluginManual = filepath.Join("..", "..", "docs", "plugin.md")

var (
	shownOutput = regexp.MustCompile("(?ms)^```console\n\\$ kubectl regcred ([^\n]*)\n(.*?)^```$")
	// holder is a leader. In a cluster its host is called like its pod, and so it is in the documentation.
	holder = regexp.MustCompile(`[\w.-]+_([0-9a-f-]{36})`)
	// chance is what differs from run to run: times, revisions, and how wide columns are because of them.
	chance = []struct {
		pattern *regexp.Regexp
		instead string
	}{
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
		{regexp.MustCompile(`(?s)\n\nEvents\n.*`), ""},                                // which of them come first differs
		{regexp.MustCompile(`(?m)^ +\d+\.\ds  (Requested|Read|Published): .*\n`), ""}, // a status is written once a second
		{holder, "HOLDER"},
		// The operator tests the value now and then, and once pods have an image it asks for that.
		{regexp.MustCompile(`Verified=True .*`), "VERIFIED"},
		{regexp.MustCompile(`\b(Login|Pull)Accepted\b`), "ACCEPTED"},
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
		{regexp.MustCompile(`\b\d+-[0-9a-f]{8}\b`), "REVISION"},
		{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?s\b`), "DURATION"},
		{regexp.MustCompile(` {2,}`), "  "},
	}
)

func withoutChance(text string) string {
	for _, c := range chance {
		text = c.pattern.ReplaceAllString(text, c.instead)
	}
	return strings.TrimSpace(text)
}

// documented compares the output of a command with that in the documentation. With UPDATE_DOCS=1 it puts the present one there.
func documented(t *testing.T, command, output string) {
	t.Helper()
	text, err := os.ReadFile(pluginManual)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range shownOutput.FindAllSubmatchIndex(text, -1) {
		if string(text[block[2]:block[3]]) != command {
			continue
		}
		shownNow[command] = true
		diff := cmp.Diff(withoutChance(string(text[block[4]:block[5]])), withoutChance(output))
		if diff == "" {
			return
		}
		if os.Getenv("UPDATE_DOCS") == "" {
			t.Errorf("docs/plugin.md shows another output of kubectl regcred %s; UPDATE_DOCS=1 puts the present one there:\n%s", command, diff)
			return
		}
		changed := string(text[:block[4]]) + holder.ReplaceAllString(output, "regcred-6d8f7c9b5d-4xk2p_$1") + string(text[block[5]:])
		if err := os.WriteFile(pluginManual, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/plugin.md does not show kubectl regcred %s", command)
}

// shownNow are the commands whose output was compared.
var shownNow = map[string]bool{}

// documentedAll sees that the documentation shows no output but those that were compared.
func documentedAll(t *testing.T) {
	t.Helper()
	for _, block := range shownOutput.FindAllStringSubmatch(page(t, "docs/plugin.md"), -1) {
		if !shownNow[block[1]] {
			t.Errorf("docs/plugin.md shows the output of kubectl regcred %s, which no test runs", block[1])
		}
	}
}

// buffer is an output that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// holds waits for words.
func (b *buffer) holds(words string) func(context.Context) error {
	return func(context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !strings.Contains(b.text.String(), words) {
			return fmt.Errorf("%q is not shown yet: %s", words, b.text.String())
		}
		return nil
	}
}

func notYet(done bool) error {
	if done {
		return nil
	}
	return errors.New("not yet")
}

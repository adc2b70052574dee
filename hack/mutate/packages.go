package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// pure packages decide, and their own tests must notice what is changed in them.
var pure = []string{
	"internal/adoption", "internal/announce", "internal/audit", "internal/checkup", "internal/cloudregistry", "internal/delivered", "internal/diagnosis",
	"internal/dockerconfig", "internal/exchange", "internal/fence", "internal/foreign", "internal/injection", "internal/laststatus", "internal/memo",
	"internal/metricsaccess", "internal/named", "internal/overview", "internal/ownsecret", "internal/payload", "internal/podcounts", "internal/podfacts",
	"internal/podlist", "internal/policycheck", "internal/preview", "internal/pullerror", "internal/pullsecret", "internal/records", "internal/registry",
	"internal/removal", "internal/rotation", "internal/schedule", "internal/source", "internal/source/vault", "internal/supportbundle", "internal/target",
	"internal/verify", "internal/wakeup", "internal/watchdog", "internal/width",
}

var controllers = []string{
	"controllers/attachment", "controllers/connection", "controllers/credential", "controllers/delivery", "controllers/operator", "controllers/recovery",
}

// wiring is the program: what it gives to what.
var wiring = []string{"cmd/regcred"}

// groups are names for several packages.
var groups = map[string][]string{"pure": pure, "controllers": controllers, "wiring": wiring}

// expand puts the packages of a group in place of its name. Without a name it gives all.
func expand(names []string) []string {
	if len(names) == 0 {
		names = []string{"pure", "controllers", "wiring"}
	}
	var all []string
	for _, name := range names {
		if group, known := groups[name]; known {
			all = append(all, group...)
		} else {
			all = append(all, name)
		}
	}
	return all
}

// dependents are packages whose tests look, too, at what a package decides.
var dependents = map[string][]string{
	"internal/records":   {"controllers/credential"},
	"internal/podcounts": {"controllers/recovery"},
}

// tally counts mutants.
type tally struct{ noticed, lived, equivalent int }

func (t tally) plus(o tally) tally {
	return tally{t.noticed + o.noticed, t.lived + o.lived, t.equivalent + o.equivalent}
}

func (t tally) percent() float64 {
	if t.noticed+t.lived == 0 {
		return 100
	}
	return 100 * float64(t.noticed) / float64(t.noticed+t.lived)
}

func (t tally) line(name string) string {
	return fmt.Sprintf("%-28s %5.1f %% noticed: %d of %d; %d more change nothing", name, t.percent(), t.noticed, t.noticed+t.lived, t.equivalent)
}

// change is a range of lines that differ from a revision.
type change struct {
	file     string
	from, to int
}

// changedLines since a revision, nil where there is no revision.
func changedLines(root, since string) ([]change, error) {
	if since == "" {
		return nil, nil
	}
	command := exec.Command("git", "diff", "-U0", "--no-color", "--no-ext-diff", since, "--", "*.go")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("git diff %s: %w", since, err)
	}
	return parseDiff(string(out)), nil
}

// parseDiff reads the new lines of a diff without context.
func parseDiff(diff string) []change {
	changes, file := []change{}, ""
	for _, line := range strings.Split(diff, "\n") {
		if name, found := strings.CutPrefix(line, "+++ b/"); found {
			file = name
			continue
		}
		if !strings.HasPrefix(line, "@@ ") {
			continue
		}
		for _, field := range strings.Fields(line) {
			if at, found := strings.CutPrefix(field, "+"); found {
				first, count, several := strings.Cut(at, ",")
				from, _ := strconv.Atoi(first)
				lines := 1
				if several {
					lines, _ = strconv.Atoi(count)
				}
				changes = append(changes, change{file, from, from + lines - 1})
				break
			}
		}
	}
	return changes
}

func touched(root string, changes []change, m *mutant) bool {
	for _, c := range changes {
		if filepath.Join(root, c.file) == m.file && c.from <= m.line && m.line <= c.to {
			return true
		}
	}
	return false
}

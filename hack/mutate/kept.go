package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// outcome of one mutant.
type outcome struct {
	// by is what noticed it: "" where nothing did.
	by      string
	reached bool
}

// kept are the outcomes of a package. They are written one by one, so that a run that was ended goes on where it was.
type kept struct {
	mu       sync.Mutex
	path     string
	digest   string
	outcomes map[string]outcome
	// hints say what noticed a mutant before the tests or the code changed.
	hints map[string]string
}

func openKept(folder, name, digest string) (*kept, error) {
	k := &kept{path: filepath.Join(folder, environment(name)+".tsv"), digest: digest, outcomes: map[string]outcome{}, hints: map[string]string{}}
	file, err := os.Open(k.path)
	if os.IsNotExist(err) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			continue
		}
		if fields[0] == digest {
			k.outcomes[fields[1]] = outcome{by: fields[3], reached: fields[2] == "reached"}
		}
		if _, test, found := strings.Cut(fields[3], "Test"); found {
			k.hints[fields[1]] = "Test" + test
		}
	}
	return k, lines.Err()
}

func (k *kept) get(m *mutant) (outcome, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.outcomes[m.id]
	return known, ok
}

func (k *kept) keep(m *mutant, o outcome) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outcomes[m.id] = o
	reached := "unreached"
	if o.reached {
		reached = "reached"
	}
	file, err := os.OpenFile(k.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintf(file, "%s\t%s\t%s\t%s\n", k.digest, m.id, reached, o.by)
	return err
}

// readEquivalents reads the list of mutants that change nothing that matters: a line that names the mutant, and below it, indented,
// why it is so.
func readEquivalents(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseEquivalents(string(data))
}

func parseEquivalents(text string) (map[string]string, error) {
	reasons, id := map[string]string{}, ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
		case !strings.HasPrefix(line, " "):
			if id != "" && reasons[id] == "" {
				return nil, fmt.Errorf("line %d: %s has no reason; say below it why nothing can notice it", i, id)
			}
			id = line
			if _, twice := reasons[id]; twice {
				return nil, fmt.Errorf("line %d: %s is listed twice", i+1, id)
			}
			reasons[id] = ""
		default:
			reasons[id] = strings.TrimSpace(reasons[id] + " " + strings.TrimSpace(line))
		}
	}
	if id != "" && reasons[id] == "" {
		return nil, fmt.Errorf("%s has no reason; say below it why nothing can notice it", id)
	}
	return reasons, nil
}

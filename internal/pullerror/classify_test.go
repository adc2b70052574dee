package pullerror

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// realCase is a message that somebody met, with its class.
type realCase struct {
	class   Class
	message string
	source  string
}

func realCases(t testing.TB, file string) []realCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var cases []realCase
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		columns := strings.Split(line, "\t")
		if len(columns) != 5 {
			t.Fatalf("%s:%d has %d columns", file, i+1, len(columns))
		}
		if i > 0 {
			cases = append(cases, realCase{class: Class(columns[0]), message: columns[3], source: columns[4]})
		}
	}
	return cases
}

func allRealCases(t testing.TB) []realCase {
	return append(realCases(t, "pull-errors.tsv"), realCases(t, "more-pull-errors.tsv")...)
}

func TestEveryRealMessageHasItsClass(t *testing.T) {
	for _, c := range allRealCases(t) {
		if got := Classify(c.message); got != c.class {
			t.Errorf("%s, want %s:\n\t%s\n\t%s", got, c.class, c.message, withoutNames(unwrap(c.message)))
		}
	}
}

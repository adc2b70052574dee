package dockerconfig

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const remembered1 = `{"auths":{"hub.docker.com":{"username":"robot","password":"p","auth":"cm9ib3Q6cA=="}},"HttpHeaders":{"a":"b"}}`

// TestAnAnswerThatIsRememberedIsTheOneThatIsFound asks each question twice, of documents of all kinds, and once without memory.
func TestAnAnswerThatIsRememberedIsTheOneThatIsFound(t *testing.T) {
	large := `{"auths":{"r.example":{"auth":"dTpw"}},"x":"` + strings.Repeat("x", longestRemembered) + `"}`
	for _, document := range []string{remembered1, `{}`, ``, `[]`, `{"auths":7}`, `{"auths":{"a":7}}`, large} {
		data := []byte(document)
		for range 2 {
			entries, err := ParseRaw(data)
			wanted, want := parseRaw(data)
			if diff := cmp.Diff(wanted, entries); diff != "" || fmt.Sprint(err) != fmt.Sprint(want) {
				t.Errorf("%.40s: %v, want %v: %s", document, err, want, diff)
			}
			if diff := cmp.Diff(keptOf(data), Kept(data)); diff != "" {
				t.Errorf("%.40s: %s", document, diff)
			}
			if _, findings := ParseLenient(data); cmp.Diff(findings, Lint(data)) != "" {
				t.Errorf("%.40s: %v", document, Lint(data))
			}
		}
	}
	if _, kept := raws.Look(sumOf([]byte(large))); kept {
		t.Error("a large document is remembered")
	}
}

func TestAskingAgainAllocatesNothing(t *testing.T) {
	data := []byte(remembered1)
	config, err := Parse([]byte(`{"auths":{"r.example":{"auth":"dTpw"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	credential := config["r.example"]
	for name, ask := range map[string]func(){
		"Lint": func() { Lint(data) }, "ParseRaw": func() { _, _ = ParseRaw(data) }, "Kept": func() { Kept(data) }, "entry": func() { credential.entry() },
	} {
		ask()
		if again := testing.AllocsPerRun(100, ask); again > 0 {
			t.Errorf("%s: to ask again makes %.0f allocations", name, again)
		}
	}
}

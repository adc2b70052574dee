package box

import (
	"slices"
	"testing"
)

func TestWholeLines(t *testing.T) {
	for name, tc := range map[string]struct {
		log  string
		want []string
	}{
		"an empty log has no line":                      {"", nil},
		"a line that is being written is left out":      {`{"a":1}` + "\n" + `{"a"`, []string{`{"a":1}`}},
		"the first line, while it is being written":     {`{"a"`, nil},
		"a log whose last line has ended, and no other": {"one\ntwo\n", []string{"one", "two"}},
		"empty lines count":                             {"\n\ntwo\n", []string{"", "", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for line := range WholeLines([]byte(tc.log)) {
				got = append(got, string(line))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

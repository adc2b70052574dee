package style

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leaving matches a handler that waits until its client has left, and would then go on to answer.
var leaving = regexp.MustCompile(`(?m)(?:^|\{)\s*<-(?:r|req|request)\.Context\(\)\.Done\(\)`)

func TestHandlersThatDoNotAnswerSayNothingInTheEndEither(t *testing.T) {
	seen := 0
	for _, folder := range []string{"cmd", "controllers", "internal", "test"} {
		if err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if !leaving.Match(text) {
				return err
			}
			if seen++; filepath.Base(path) != "silentserver.go" {
				t.Errorf("%s: write silentserver.Handle: what is answered to a client that leaves may be read all the same", path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 {
		t.Error("silentserver.Handle is not seen")
	}
}

package style

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// dockerfile gives the lines of the Dockerfile that begin with an instruction, without it.
func dockerfile(t *testing.T, instruction string) []string {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, instruction+" "); is {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found
}

// Whoever can move a tag could put another compiler there.
func TestImagesOfTheDockerfileAreNamedByDigest(t *testing.T) {
	pinned := regexp.MustCompile(`^(scratch|(--platform=\S+ )?\S+@sha256:[0-9a-f]{64}( AS \w+)?)$`)
	images := dockerfile(t, "FROM")
	if len(images) == 0 {
		t.Fatal("the Dockerfile has no FROM")
	}
	for _, image := range images {
		if !pinned.MatchString(image) {
			t.Errorf("FROM %s: want a digest", image)
		}
	}
}

func TestTheDockerfileCopiesWhatTheProgramIsMadeOf(t *testing.T) {
	copied := strings.Join(dockerfile(t, "COPY"), "\n")
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/regcred")
	list.Dir = "../.."
	packages, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(packages)) {
		folder, ours := strings.CutPrefix(name, "regcred.dev/regcred/")
		if top, _, _ := strings.Cut(folder, "/"); ours && !strings.Contains(copied, top+"/ "+top+"/") {
			t.Errorf("the program needs %s, and the Dockerfile does not copy %s", name, top)
		}
	}
}

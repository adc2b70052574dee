// Package style checks the words of messages, comments and docs: plain English that an engineer who reads it as a second language
// understands at the first reading.
package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root of the repository.
const root = "../.."

// unwanted are words that need a dictionary or are pictures, and what to write.
var unwanted = []struct{ word, better string }{
	{"anew", "again"},
	{"mend|mends|mended", "fix, correct"},
	{"hangs?|hanging", "is stuck, waits, does not answer"},
	{"by itself|by themselves|on its own accord", "automatically, or say who does it"},
	{"to be had", "available"},
	{"nobody's", "belongs to no ..."},
	{"lets? go of|letting go of", "stop managing"},
	{"heeds?|heeded", "follow, use"},
	{"in vain", "without success"},
	{"fares?|fared|faring", "say in what state it is"},
	{"thereby|therein|whereby|wherein|hitherto|henceforth|heretofore", "a shorter sentence"},
	{"bespeaks?|betoken(s|ed)?", "show"},
	{"for want of|for lack of", "because ... is missing"},
	{"utili[sz]es?|leverages?", "use"},
	{"bears?", "has, takes"},
	{"save (where|for|one|as)", "except"},
}

// anyUnwanted is compiled once: it goes over all texts of the repository.
var anyUnwanted = func() *regexp.Regexp {
	var words []string
	for _, u := range unwanted {
		words = append(words, u.word)
	}
	return regexp.MustCompile(`(?i)\b(?:` + strings.Join(words, "|") + `)\b`)
}()

func unwantedIn(text string) (word, better string, found bool) {
	word = anyUnwanted.FindString(text)
	for _, u := range unwanted {
		if word != "" && regexp.MustCompile(`(?i)^(?:`+u.word+`)$`).MatchString(word) {
			return word, u.better, true
		}
	}
	return "", "", false
}

// texts gives what people read: the lines of all docs and manifests, and the strings and comments of the code that is shipped.
func texts(t *testing.T, visit func(at, text string)) {
	t.Helper()
	for _, folder := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "docs", "config", "charts", "api", "cmd", "controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			switch {
			case strings.HasSuffix(path, "_test.go"), strings.Contains(path, "proxytest"), strings.HasPrefix(entry.Name(), "zz_generated"):
				return nil
			case strings.HasSuffix(path, ".go"):
				return goTexts(path, visit)
			case strings.HasSuffix(path, ".md"), strings.HasSuffix(path, ".yaml"), strings.HasSuffix(path, ".txt"):
				return lines(path, visit)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func lines(path string, visit func(at, text string)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	all := strings.Split(string(data), "\n")
	for i, line := range all {
		if i+1 < len(all) { // words that stand together can be on two lines
			next := strings.Fields(all[i+1])
			line += " " + strings.Join(next[:min(len(next), 2)], " ")
		}
		visit(place(path, i+1), line)
	}
	return nil
}

func goTexts(path string, visit func(at, text string)) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, group := range file.Comments {
		visit(place(path, files.Position(group.Pos()).Line), group.Text())
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			visit(place(path, files.Position(literal.Pos()).Line), literal.Value)
		}
		return true
	})
	return nil
}

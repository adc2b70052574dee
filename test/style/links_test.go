package style

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	outside = regexp.MustCompile(`^(https?|mailto):`)
)

// TestLinksLeadSomewhere: each link of a page to a file or a heading of this repository finds it. The anchors are those of GitHub; a heading
// whose anchor would be another one on the site that mkdocs builds is refused, too, so that a link works in both.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := markdownPages(t)
	for path, text := range pages {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if outside.MatchString(match[1]) {
				continue
			}
			file, anchor, _ := strings.Cut(match[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			if problem := problemOf(pages, target, anchor); problem != "" {
				t.Errorf("%s links to %s: %s", path, match[1], problem)
			}
		}
	}
}

// TestEveryPageIsListed: who begins at the start page, or at the menu of the site, finds each page.
func TestEveryPageIsListed(t *testing.T) {
	menu, err := os.ReadFile(filepath.Join(root, "mkdocs.yml"))
	if err != nil {
		t.Fatal(err)
	}
	pages := markdownPages(t)
	for path := range pages {
		below, inDocs := strings.CutPrefix(path, "docs/")
		if !inDocs || below == "README.md" {
			continue
		}
		if !strings.Contains(pages["docs/README.md"], "]("+below+")") {
			t.Errorf("docs/README.md does not list %s", path)
		}
		if !strings.Contains(string(menu), ": "+path+"\n") {
			t.Errorf("the menu in mkdocs.yml does not list %s", path)
		}
	}
}

// TestTheSiteShowsCode: mkdocs takes an indented block of code, or an indented table, for text.
func TestTheSiteShowsCode(t *testing.T) {
	for path, text := range markdownPages(t) {
		if strings.HasPrefix(path, "docs/") && indented.MatchString(text) {
			t.Errorf("%s has an indented table, which the site does not show as one: end the list before it", path)
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "docs/") && indentedCode.Match(data) {
			t.Errorf("%s has an indented block of code, which the site does not show as one: end the list before it", path)
		}
	}
}

var (
	indented     = regexp.MustCompile(`(?m)^ +\|[^|\n]+\|`)
	indentedCode = regexp.MustCompile("(?m)^ +```")
)

// problemOf a link to a file, by its path in the repository, and a heading of it.
func problemOf(pages map[string]string, target, anchor string) string {
	if _, err := os.Stat(filepath.Join(root, target)); err != nil {
		return "there is no such file"
	}
	if anchor == "" {
		return ""
	}
	text, isPage := pages[target]
	switch {
	case !isPage:
		return "only a page has headings"
	case !anchorsOf(text)[anchor]:
		return "there is no such heading"
	case strings.Contains(anchor, "--"):
		return "mkdocs writes one dash where GitHub writes two: change the heading"
	}
	return ""
}

// markdownPages are all pages of the repository without their code, by path.
func markdownPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != root || entry.Name() == "dist" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		pages[name] = codeBlock.ReplaceAllString(string(data), "")
		return err
	})
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages were found: %v", len(pages), err)
	}
	return pages
}

var markup = regexp.MustCompile("[`*]|\\]\\([^)]*\\)|\\[")

// anchorsOf the headings of a page, as GitHub makes them: of two that are alike, the second gets a number.
func anchorsOf(text string) map[string]bool {
	found, times := map[string]bool{}, map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(markup.ReplaceAllString(match[1], "")))
		if n := times[anchor]; n > 0 {
			found[fmt.Sprintf("%s-%d", anchor, n)] = true
		} else {
			found[anchor] = true
		}
		times[anchor]++
	}
	return found
}

func TestProblemsOfLinksAreFound(t *testing.T) {
	pages := map[string]string{"README.md": "# One\n\n## Two `words`, and more\n\n## Two `words`, and more\n\n## A - b\n"}
	for _, test := range []struct {
		name, target, anchor string
		good                 bool
	}{
		{"a file", "go.mod", "", true},
		{"a folder", "docs", "", true},
		{"a heading with code and a comma", "README.md", "two-words-and-more", true},
		{"the second of two headings that are alike", "README.md", "two-words-and-more-1", true},
		{"a file that is not there", "nothing.md", "", false},
		{"a heading that is not there", "README.md", "three", false},
		{"a heading of a file that is no page", "go.mod", "one", false},
		{"a heading whose anchor mkdocs writes in another way", "README.md", "a---b", false},
	} {
		if problem := problemOf(pages, test.target, test.anchor); (problem == "") != test.good {
			t.Errorf("%s: %q", test.name, problem)
		}
	}
}

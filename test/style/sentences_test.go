package style

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// longestSentence in the docs, in words. Above it few people who read English as a second language keep the beginning in mind.
const longestSentence = 40

func place(path string, line int) string {
	return fmt.Sprintf("%s:%d", strings.TrimPrefix(path, root+"/"), line)
}

func TestDocsMessagesAndCommentsUsePlainWords(t *testing.T) {
	texts(t, func(at, text string) {
		if word, better, found := unwantedIn(text); found {
			t.Errorf("%s: %q: write %s", at, word, better)
		}
	})
}

func TestUnwantedWordsAreFound(t *testing.T) {
	for _, text := range []string{"it hangs", "Written anew.", "that is Nobody's", "let go of it"} {
		if _, _, found := unwantedIn(text); !found {
			t.Errorf("%q passes", text)
		}
	}
	for _, text := range []string{"it changes", "renewed", "amend", "the hangar"} {
		if word, _, found := unwantedIn(text); found {
			t.Errorf("%q is refused for %q", text, word)
		}
	}
}

func TestSentencesOfTheDocsAreShort(t *testing.T) {
	pages := []string{root + "/README.md", root + "/SECURITY.md"}
	for _, folder := range []string{"docs", "docs/how-to", "docs/migrate"} {
		found, err := filepath.Glob(root + "/" + folder + "/*.md")
		if err != nil || len(found) == 0 {
			t.Fatalf("no pages in %s: %v", folder, err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sentencesOf(string(data)) {
			if words := len(strings.Fields(s)); words > longestSentence {
				t.Errorf("%s: a sentence of %d words, want %d at most: %s", place(page, 0), words, longestSentence, s)
			}
		}
	}
}

var (
	codeBlock   = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```")
	endOfItem   = regexp.MustCompile(`(?m)\n\s*\n|\n\s*(?:[-*|#]|\d+\.)\s?|\s\|\s`)
	endSentence = regexp.MustCompile(`[.?!:;][)"*_\x60]*\s`)
	code        = regexp.MustCompile("`[^`]*`")
)

// sentencesOf are the sentences of a page's prose: items of lists, cells of tables and what stands around a colon or semicolon count
// each for itself, and a command in a line counts as a word.
func sentencesOf(page string) []string {
	var sentences []string
	page = "\n" + code.ReplaceAllString(codeBlock.ReplaceAllString(page, "\n\n"), "code")
	for _, item := range endOfItem.Split(page, -1) {
		sentences = append(sentences, endSentence.Split(strings.Trim(item, "-*|# \n"), -1)...)
	}
	return sentences
}

func TestSentencesOf(t *testing.T) {
	const page = "# A page\n\nOne two. Three `four five` six: seven\neight.\n\n```\nnot prose. At all\n```\n- an item\n- another\n\n| a | b c |\n"
	var got []string
	for _, s := range sentencesOf(page) {
		if s = strings.Join(strings.Fields(s), " "); s != "" {
			got = append(got, s)
		}
	}
	want := "A page/One two/Three code six/seven eight./an item/another/a/b c"
	if strings.Join(got, "/") != want {
		t.Errorf("the sentences are %q, want %q", strings.Join(got, "/"), want)
	}
}

// Command sitelinks checks the links between the pages of a site that was built: each file and each anchor must be there.
package main

import (
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sitelinks FOLDER")
		os.Exit(2)
	}
	pages, err := check(os.DirFS(os.Args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("the links of %d pages lead somewhere\n", pages)
}

var (
	ids   = regexp.MustCompile(`\bid="([^"]+)"`)
	links = regexp.MustCompile(`\b(?:href|src)="([^"]+)"`)
)

// check returns how many pages it found, and every link that leads nowhere.
func check(site fs.FS) (int, error) {
	content, anchors := map[string]string{}, map[string]map[string]bool{}
	err := fs.WalkDir(site, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".html") {
			return err
		}
		data, err := fs.ReadFile(site, name)
		content[name], anchors[name] = string(data), map[string]bool{}
		for _, match := range ids.FindAllStringSubmatch(content[name], -1) {
			anchors[name][html.UnescapeString(match[1])] = true
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(content) == 0 {
		return 0, errors.New("there is no page")
	}
	var problems []error
	for page, text := range content {
		for _, match := range links.FindAllStringSubmatch(text, -1) {
			if problem := follow(site, anchors, page, html.UnescapeString(match[1])); problem != "" {
				problems = append(problems, fmt.Errorf("%s links to %s: %s", page, match[1], problem))
			}
		}
	}
	return len(content), errors.Join(problems...)
}

// follow says what is wrong with a link of a page, if anything is.
func follow(site fs.FS, anchors map[string]map[string]bool, page, link string) string {
	to, err := url.Parse(link)
	if err != nil {
		return "it is no URL"
	}
	if to.Scheme != "" || to.Host != "" || path.IsAbs(to.Path) { // an absolute path occurs on the page for 404 alone
		return ""
	}
	target := page
	if to.Path != "" {
		target = path.Join(path.Dir(page), to.Path)
	}
	if _, err := fs.Stat(site, target); err != nil {
		return "there is no such file"
	}
	if to.Fragment != "" && anchors[target] != nil && !anchors[target][to.Fragment] {
		return "there is no such anchor"
	}
	return ""
}

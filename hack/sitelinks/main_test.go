package main

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLinksOfASite(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	site := fstest.MapFS{
		"index.html":      file(`<a href="docs/page.html#one">x</a> <img src="docs/a.svg"> <a href="https://example.com/none">x</a> <a href="#here">x</a> <p id="here">`),
		"docs/page.html":  file(`<h2 id="one">1</h2> <a href="../index.html">x</a> <a href="a.svg#inside">x</a>`),
		"docs/a.svg":      file("<svg/>"),
		"docs/other.html": file(`<a href="page.html?q=1">x</a>`),
	}
	if pages, err := check(site); err != nil || pages != 3 {
		t.Fatalf("%d pages: %v", pages, err)
	}
	site["broken.html"] = file(`<a href="docs/none.html">x</a> <a href="docs/page.html#two">x</a> <a href="#none">x</a>`)
	_, err := check(site)
	if err == nil {
		t.Fatal("links that lead nowhere are not found")
	}
	for _, want := range []string{"docs/none.html: there is no such file", "docs/page.html#two: there is no such anchor", "#none: there is no such anchor"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if _, err := check(fstest.MapFS{}); err == nil {
		t.Error("a folder without a page is taken for a site")
	}
}

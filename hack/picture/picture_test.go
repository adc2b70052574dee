package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThePictureIsThatOfTheLog: the picture in the docs is what this program makes of the log beside it.
func TestThePictureIsThatOfTheLog(t *testing.T) {
	folder := filepath.Join("..", "..", "docs", "images")
	log, err := os.ReadFile(filepath.Join(folder, "demo.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var drawn strings.Builder
	if err := run(strings.NewReader(string(log)), &drawn); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(folder, "demo.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != drawn.String() {
		t.Error("docs/images/demo.svg is not made from docs/images/demo.txt: go run ./hack/picture < docs/images/demo.txt > docs/images/demo.svg")
	}
	for decoder := xml.NewDecoder(strings.NewReader(drawn.String())); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is no XML: %v", err)
		}
	}
}

func TestALogIsRead(t *testing.T) {
	const whole = "    0.0s  A cluster\n    4.0s  12 namespaces; an application runs in each\n" +
		"    7.8s  The next release is stuck in all 12 namespaces. The kubelet says: ErrImagePull: 401 <b>\n   21.5s  All 12 applications run the release, 5.9 s after\n"
	lines, err := parse("$ make demo\n" + whole + "\nthe cure    0.3 s\n")
	if err != nil || len(lines) != 5 {
		t.Fatalf("%v, %d lines", err, len(lines))
	}
	for i, want := range []kind{neutral, good, bad, bad, good} {
		if lines[i].kind != want {
			t.Errorf("%q is %s, want %s", lines[i].says, lines[i].kind, want)
		}
	}
	drawn := draw(lines)
	if strings.Contains(drawn, "<b>") {
		t.Error("what a kubelet says gets into the picture as markup")
	}
	if !strings.Contains(drawn, ".l4 { animation: k4 23.5s") || strings.Contains(drawn, ".l1 {") {
		t.Errorf("the lines do not come at their times:\n%s", drawn)
	}
	for name, log := range map[string]string{
		"nothing": "", "no incident": "    0.0s  A cluster\n    1.0s  b\n    2.0s  c\n", "times that go back": whole + "    1.0s  late\n",
	} {
		if _, err := parse(log); err == nil {
			t.Errorf("%s: it is taken for a log", name)
		}
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"

	spdx "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

const twoModules = `{
 "metadata": {"component": {"bom-ref": "pkg:golang/regcred.dev/regcred@v1.2.3", "name": "regcred.dev/regcred", "version": "v1.2.3", "purl": "pkg:golang/regcred.dev/regcred@v1.2.3"}},
 "components": [
  {"bom-ref": "a", "name": "example.org/a_b", "version": "v1.0.0", "purl": "pkg:golang/example.org/a_b@v1.0.0"},
  {"bom-ref": "std", "name": "std", "version": "go1.26.8"}],
 "dependencies": [{"ref": "pkg:golang/regcred.dev/regcred@v1.2.3", "dependsOn": ["a", "std"]}, {"ref": "a"}]
}`

// TestSPDXSaysWhatCycloneDXSays reads it by SPDX' own library.
func TestSPDXSaysWhatCycloneDXSays(t *testing.T) {
	text, err := spdxOf([]byte(twoModules), "regcred-v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	document, err := spdx.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	found := map[common.ElementID]string{}
	for _, p := range document.Packages {
		reference := ""
		if len(p.PackageExternalReferences) > 0 {
			reference = p.PackageExternalReferences[0].Locator
		}
		found[p.PackageSPDXIdentifier] = p.PackageName + " " + p.PackageVersion + " " + reference
	}
	var said []string
	for _, r := range document.Relationships {
		said = append(said, found[r.RefA.ElementRefID]+" "+r.Relationship+" "+found[r.RefB.ElementRefID])
	}
	want := " DESCRIBES regcred.dev/regcred v1.2.3 pkg:golang/regcred.dev/regcred@v1.2.3\n" +
		"regcred.dev/regcred v1.2.3 pkg:golang/regcred.dev/regcred@v1.2.3 DEPENDS_ON example.org/a_b v1.0.0 pkg:golang/example.org/a_b@v1.0.0\n" +
		"regcred.dev/regcred v1.2.3 pkg:golang/regcred.dev/regcred@v1.2.3 DEPENDS_ON std go1.26.8 "
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	again, err := spdxOf([]byte(twoModules), "regcred-v1.2.3")
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("it says something else the second time: %v", err)
	}
}

func TestAListThatCannotBeSaidInSPDX(t *testing.T) {
	for name, list := range map[string]string{
		"no JSON":                             "modules",
		"no program":                          `{"components": [{"bom-ref": "a", "name": "a"}]}`,
		"no module":                           `{"metadata": {"component": {"bom-ref": "a", "name": "a"}}}`,
		"a module twice":                      `{"metadata": {"component": {"bom-ref": "a", "name": "a"}}, "components": [{"bom-ref": "a", "name": "a"}]}`,
		"a need for a module that is not one": strings.ReplaceAll(twoModules, `["a", "std"]`, `["a", "nobody"]`),
	} {
		if text, err := spdxOf([]byte(list), "x"); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

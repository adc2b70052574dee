package dockerconfig

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// kubeletDocument is a row of testdata/kubelet-parse.tsv, which the kubelet's own code writes: see
// hack/cluster/kubernetes/keyring.
type kubeletDocument struct {
	content string
	broken  bool
	// entries are [key, username, password], sorted.
	entries [][3]string
}

func kubeletDocuments(t testing.TB) []kubeletDocument {
	t.Helper()
	data, err := os.ReadFile("testdata/kubelet-parse.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var documents []kubeletDocument
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		content, err := strconv.Unquote(columns[0])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		document := kubeletDocument{content: content, broken: columns[1] == "broken"}
		if err := json.Unmarshal([]byte(columns[2]), &document.entries); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		documents = append(documents, document)
	}
	if len(documents) < 100 {
		t.Fatalf("only %d documents", len(documents))
	}
	return documents
}

func TestADocumentBreaksPullsWhereTheKubeletSaysSo(t *testing.T) {
	for _, document := range kubeletDocuments(t) {
		if err := WouldBreakPulls([]byte(document.content)); (err != nil) != document.broken {
			t.Errorf("%q: %v, the kubelet says broken=%v", document.content, err, document.broken)
		}
	}
}

func TestEntriesAreReadAsTheKubeletReadsThem(t *testing.T) {
	for _, document := range kubeletDocuments(t) {
		if document.broken || document.content == "" {
			continue
		}
		var file kubeletFile
		if err := json.Unmarshal([]byte(document.content), &file); err != nil {
			t.Errorf("%q: %v", document.content, err)
			continue
		}
		got := [][3]string{}
		for key, e := range file.Auths {
			got = append(got, [3]string{key, strings.ToValidUTF8(e.username, "�"), strings.ToValidUTF8(e.password, "�")})
		}
		slices.SortFunc(got, func(a, b [3]string) int { return cmp.Compare(a[0], b[0]) })
		if diff := gocmp.Diff(document.entries, got); diff != "" {
			t.Errorf("%q:\n%s", document.content, diff)
		}
	}
}

func TestWhatParseAcceptsTheKubeletReadsAlike(t *testing.T) {
	accepted := 0
	for _, document := range kubeletDocuments(t) {
		config, err := Parse([]byte(document.content))
		if err != nil {
			continue
		}
		accepted++
		if document.broken || len(config) != len(document.entries) {
			t.Errorf("%q: %d entries, the kubelet has %v", document.content, len(config), document.entries)
			continue
		}
		for _, e := range document.entries {
			if want := credential(t, e[1], e[2]); !config[e[0]].Equal(want) {
				t.Errorf("%q: another credential for %q", document.content, e[0])
			}
		}
	}
	if accepted == 0 {
		t.Error("Parse accepts none of the documents")
	}
}

func TestABreakNamesTheEntryAtFaultAndNoValue(t *testing.T) {
	for _, c := range []struct {
		document, key string
		want          error
	}{
		{`{"auths":{"a":{},"quay.io":{"auth":"` + sesame + `!"}}}`, "quay.io", ErrMalformedAuth},
		{`{"auths":{"quay.io":{"password":["` + sesame + `"]}}}`, "quay.io", ErrFieldType},
		{`{"auths":{"quay.io":"` + sesame + `"}}`, "quay.io", ErrFieldType},
		{`{"auths":"` + sesame + `"}`, "", ErrNotObject},
		{`"` + sesame + `"`, "", ErrNotObject},
		{`{"auths":{}` + sesame, "", ErrInvalidJSON},
		{`{"HttpHeaders":{"a":1}}`, "", ErrFieldType},
	} {
		err := WouldBreakPulls([]byte(c.document))
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), sesame) {
			t.Errorf("%s: %v, want %v", c.document, err, c.want)
		}
		var entry *EntryError
		if errors.As(err, &entry) != (c.key != "") || (entry != nil && entry.Key != c.key) {
			t.Errorf("%s: the entry is %v, want %q", c.document, entry, c.key)
		}
	}
}

func TestABreakNamesAllEntriesAtFault(t *testing.T) {
	var keys []string
	for _, finding := range Lint([]byte(`{"auths":{"a.io":{"auth":"!"},"b.io":` + sound + `,"c.io":{"password":7},"d.io":""}}`)) {
		if keys = append(keys, finding.Key); !finding.BreaksPulls || !strings.Contains(finding.Message, finding.Key) || !strings.HasSuffix(finding.Message, "; while it is so, no pod that refers to this Secret can pull any image") {
			t.Errorf("of %s it says %q", finding.Key, finding.Message)
		}
	}
	if strings.Join(keys, " ") != "a.io c.io d.io" {
		t.Errorf("named are %q", keys)
	}
}

func TestTheOldFormIsReadThroughTheNewOne(t *testing.T) {
	config, findings := ParseLenient(FromDockercfg([]byte(`{"quay.io":{"auth":"` + auth("u:p") + `"}}`)))
	if !config["quay.io"].Equal(credential(t, "u", "p")) || len(findings) > 0 {
		t.Errorf("%v, %v", config, findings)
	}
	for document, broken := range map[string]bool{`{"a":{"auth":"!"}}`: true, `{},"x":{}`: true, `[]`: true, ``: false, `null`: false, `{}`: false} {
		if err := WouldBreakPulls(FromDockercfg([]byte(document))); (err != nil) != broken {
			t.Errorf("%s: %v", document, err)
		}
	}
}

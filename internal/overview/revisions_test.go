package overview_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/internal/overview"
)

func TestWhichRevisionIsWhere(t *testing.T) {
	held := func(namespace, secret, revision string) overview.Held {
		return overview.Held{Namespace: namespace, Secret: secret, Revision: revision}
	}
	for _, test := range []struct {
		name string
		held []overview.Held
		want []overview.Revision
	}{
		{"no Secret holds one", nil, []overview.Revision{}},
		{"the one in use comes first, though fewer have it",
			[]overview.Held{held("b", "regcred", "1"), held("a", "regcred", "1"), held("c", "regcred", "2")},
			[]overview.Revision{{Revision: "2", InUse: true, Secrets: 1, First: []string{"c"}}, {Revision: "1", Secrets: 2, First: []string{"a", "b"}}}},
		{"of those that are not in use, that of which most have one",
			[]overview.Held{held("a", "regcred", "0"), held("b", "regcred", "4"), held("c", "regcred", "4"), held("d", "regcred", "1")},
			[]overview.Revision{{Revision: "4", Secrets: 2, First: []string{"b", "c"}}, {Revision: "0", Secrets: 1, First: []string{"a"}}, {Revision: "1", Secrets: 1, First: []string{"d"}}}},
		{"a Secret of an earlier name is told by its name",
			[]overview.Held{held("a", "before", "1"), held("a", "regcred", "2")},
			[]overview.Revision{{Revision: "2", InUse: true, Secrets: 1, First: []string{"a"}}, {Revision: "1", Secrets: 1, First: []string{"a/before"}}}},
		{"the people of one namespace hide no other",
			[]overview.Held{held("a", "x", "1"), held("a", "y", "1"), held("a", "regcred", "1"), held("b", "regcred", "1"), held("a", "p", "0"), held("a", "q", "0"), held("a", "r", "0"), held("c", "regcred", "4"), held("d", "regcred", "4")},
			[]overview.Revision{{Revision: "1", Secrets: 4, First: []string{"a", "b", "a/x", "a/y"}}, {Revision: "4", Secrets: 2, First: []string{"c", "d"}}, {Revision: "0", Secrets: 3, First: []string{"a/p", "a/q", "a/r"}}}},
		{"what others wrote is cleaned", []overview.Held{held("a\x1b", "s\x1b", "1\x1b")}, []overview.Revision{{Revision: "1 ", Secrets: 1, First: []string{"a /s "}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, more := overview.RevisionsOf(test.held, "2", "regcred")
			if diff := cmp.Diff(test.want, got); diff != "" || more != 0 {
				t.Errorf("wanted (-) and told (+), and %d more:\n%s", more, diff)
			}
		})
	}
}

func TestWhatIsToldOfRevisionsIsBounded(t *testing.T) {
	var many []overview.Held
	for i := range 1000 {
		many = append(many, overview.Held{Namespace: fmt.Sprintf("team-%03d", i), Secret: "regcred", Revision: "2"},
			overview.Held{Namespace: "a", Secret: "regcred", Revision: fmt.Sprintf("forged-%d", i)})
	}
	got, more := overview.RevisionsOf(many, "2", "regcred")
	if len(got) != 10 || more != 991 || got[0].Secrets != 1000 || len(got[0].First) != 20 || got[0].First[19] != "team-019" {
		t.Errorf("%d revisions, the first %+v", len(got), got[0])
	}
}

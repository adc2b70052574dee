package records

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/internal/removal"
)

// Whatever is asked for a Secret, an answer can quote what it holds: a webhook is shown the whole object, also where it goes.
func TestNoErrorOfAStoreQuotesAnAnswer(t *testing.T) {
	known := func(s *server) *leader {
		l := s.leader()
		if err := l.Save(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
		return l
	}
	save := func(l *leader) error { return l.Save(t.Context(), record(t)) }
	removals := func(l *leader) error {
		return l.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1", Serial: 7})
	}
	forget := func(l *leader) error { return l.Forget(t.Context(), "company") }
	for _, test := range []struct {
		name   string
		before func(s *server) *leader
		verb   string
		asked  func(l *leader) error
	}{
		{"the first value", (*server).leader, "create", save},
		{"another value", known, "update", save},
		{"a removal before there is a value", (*server).leader, "create", removals},
		{"a removal", known, "update", removals},
		{"the end of one that is known", known, "delete", forget},
		{"the end of one that is not known", func(s *server) *leader { known(s); return s.leader() }, "get", forget},
		{"a look at one that a newer version kept", func(s *server) *leader {
			s.put(fromTheFuture(t, newerMemos["with a field more"]))
			l := s.leader()
			if err := l.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			return l
		}, "get", func(l *leader) error { return l.LookAgain(t.Context(), "company") }},
	} {
		server := newServer()
		l := test.before(server)
		server.refuse[test.verb] = apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, password, nil)
		switch err := test.asked(l); {
		case err == nil || strings.Contains(err.Error(), password):
			t.Errorf("%s: %v", test.name, err)
		case !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "the API server answered 422 Invalid"):
			t.Errorf("%s: what kind of an error it is gets lost: %v", test.name, err)
		}
		if kept := l.Removals("company"); kept.Serial != 0 { // else it is carried out, and nothing shows that it was granted
			t.Errorf("%s: what could not be kept is decided all the same: %+v", test.name, kept)
		}
	}
}

package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

func TestARegistryThatGoesWithTheOldNameOfASecretIsNotSaidToBeInTheNewOne(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example", "more.example"))
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "more.example", "r.example"))
	g.all(1)
	g.edit(func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretName, c.Spec.Registries = "pull", c.Spec.Registries[:1]
	})
	g.publish(record(t, "company", "2-x", "canary", "r.example"))
	if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: "n-00000", Name: "pull"}); err != nil {
		t.Fatal(err)
	}
	g.later(1)
	got := told()
	if len(got) != 2 || !strings.Contains(got[0], " Normal Removed ") || !strings.Contains(got[0], "with its entry for r.example: RegistryCredential company writes Secret pull now") ||
		!strings.Contains(got[1], " Warning Removed ") || !strings.Contains(got[1], "with its entry for more.example: RegistryCredential company does not provide it any more") {
		t.Errorf("they are told %q", got)
	}
}

// Who moves to another RegistryCredential with another Secret, and removes the first, is not told that pods fail.
func TestWhatAnotherSecretOfTheNamespaceHasIsNotSaidToBeLost(t *testing.T) {
	next := credential("next", "r.example")
	next.Spec.Target.SecretName = "pull"
	for _, test := range []struct {
		name   string
		change func(*rig)
		want   []string
	}{
		{"it has all", func(*rig) {}, []string{"n-00000 Normal Removed the entry for more.example/a, r.example was; instead"}},
		{"it has one of two", func(g *rig) { g.publish(record(t, "next", "1-y", "canary", "r.example")) },
			[]string{"n-00000 Normal Removed the entry for r.example was; instead", "n-00000 Warning Removed the entry for more.example/a was; fail"}},
		{"it has another one of what goes", func(g *rig) {
			var there corev1.Secret
			if err := g.c.Get(t.Context(), client.ObjectKey{Namespace: "n-00000", Name: "pull"}, &there); err != nil {
				t.Fatal(err)
			}
			there.Annotations[v1alpha1.SourcesAnnotation] = strings.ReplaceAll(there.Annotations[v1alpha1.SourcesAnnotation], `"next"`, `"company"`)
			if err := g.c.Update(t.Context(), &there); err != nil {
				t.Fatal(err)
			}
		}, []string{"n-00000 Warning Removed the entry for more.example/a, r.example was; fail"}},
		{"it is of others", func(g *rig) {
			var there corev1.Secret
			if err := g.c.Get(t.Context(), client.ObjectKey{Namespace: "n-00000", Name: "pull"}, &there); err != nil {
				t.Fatal(err)
			}
			there.Labels = nil
			if err := g.c.Update(t.Context(), &there); err != nil {
				t.Fatal(err)
			}
		}, []string{"n-00000 Warning Removed the entry for more.example/a, r.example was; fail"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 2, credential("company", "r.example", "more.example/a"), next, credential("other", "o.example"))
			told := g.telling()
			g.publish(record(t, "company", "1-x", "canary", "more.example/a", "r.example"), record(t, "next", "1-y", "canary", "more.example", "r.example"),
				record(t, "other", "1-z", "canary", "o.example"))
			g.all(2)
			pull := func() {
				if _, err := g.r.Reconcile(t.Context(), delivered.Place{Namespace: "n-00000", Name: "pull"}); err != nil {
					t.Fatal(err)
				}
			}
			pull()
			test.change(g)
			if test.name == "it has one of two" {
				g.now = g.now.Add(time.Minute)
				for range 3 {
					pull()
					g.now = g.now.Add(settle)
				}
			}
			g.exclude("n-00000")
			g.later(2)
			var got []string
			for _, line := range told() {
				if strings.Contains(line, "RegistryCredential/next") {
					continue
				}
				kind, _, _ := strings.Cut(line, " Secret/")
				_, what, _ := strings.Cut(line, "RegistryCredential/company ")
				what, rest, _ := strings.Cut(what, " taken")
				switch {
				case strings.HasSuffix(rest, "imagePullSecrets of a Deployment, name Secret pull instead"):
					what += "; instead"
				case strings.Contains(rest, "New pods that pull private images from there fail"):
					what += "; fail"
				}
				got = append(got, kind+" "+what)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("they are told\n%q, want\n%q", got, test.want)
			}
		})
	}
}

func TestThePeopleOfANamespaceAreToldThatItIsProtectedNow(t *testing.T) {
	g := newRig(t, 2, credential("company", "r.example"))
	told := g.telling()
	g.publish(record(t, "company", "1-x", "canary", "r.example"))
	g.all(2)
	g.r.Protected, g.r.selectors = []string{"n-00000"}, selectors{}
	g.later(2)
	got := told()
	if len(got) != 1 || !strings.Contains(got[0], "does not select this namespace any more, because it is protected now, and spec.target does not name it. New pods") {
		t.Errorf("they are told %q", got)
	}
	if counted := g.r.Board.TakeRemoved("company"); counted != 1 {
		t.Errorf("%d namespaces are said to have lost it", counted)
	}
}

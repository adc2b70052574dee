package delivery

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// What people made by hand may hold the only password that works.
func TestAHandMadeSecretIsTakenOverOnceTheRegistryAcceptsTheValue(t *testing.T) {
	const theirs = `{"auths":{"r.example":{"username":"u","password":"theirs"}}}`
	for _, test := range []struct {
		name   string
		happen func(g *rig)
		taken  bool
	}{
		{"the registry says nothing", func(*rig) {}, false},
		{"the registry accepts it", func(g *rig) { g.publish(record(t, "company", "1-x", "good", "r.example")) }, true},
		{"nobody asks the registry any more", func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Verification = &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled}
			})
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 1, credential("company", "r.example"))
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt })
			unproven := record(t, "company", "1-x", "good", "r.example")
			unproven.VerifiedTime = time.Time{}
			g.publish(unproven)
			made := g.there("regcred", false)
			made.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(theirs)}
			if err := g.c.Update(t.Context(), made); err != nil {
				t.Fatal(err)
			}
			g.all(1)
			told, _ := g.r.Board.At(first, "company")
			if g.having(1, `"theirs"`) != 1 || told.Reason != v1alpha1.ReasonForeignSecret || !strings.Contains(told.Message, "taken over once the registry accepts the value") {
				t.Fatalf("said is %q: %s", told.Reason, told.Message)
			}
			test.happen(g)
			g.all(1)
			told, _ = g.r.Board.At(first, "company")
			if got := g.having(1, `"theirs"`) == 0; got != test.taken || told.Reason == v1alpha1.ReasonForeignSecret == test.taken {
				t.Errorf("taken over: %t, and said is %q", got, told.Reason)
			}
		})
	}
}

package delivery

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// Where the registry refuses what is in use, the one who repairs it by hand has the password that works.
func TestAHandMadeSecretIsNotTakenOverWhileTheRegistryRefusesTheValue(t *testing.T) {
	g := newRig(t, 1, credential("company", "r.example"))
	g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt })
	refused := record(t, "company", "1-x", "good", "r.example")
	refused.Accounts = []rotation.Account{{Print: "one", Host: "r.example"}}
	refused.Tests = map[string]rotation.Test{"one": {Verdict: rotation.Rejected}, "another": {Verdict: rotation.Accepted}}
	g.publish(refused)
	made := g.there("regcred", false)
	made.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"r.example":{"username":"u","password":"theirs"}}}`)}
	if err := g.c.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	g.all(1)
	if told, _ := g.r.Board.At(first, "company"); g.having(1, `"theirs"`) != 1 || told.Reason != v1alpha1.ReasonForeignSecret {
		t.Fatalf("said is %q: %s", told.Reason, told.Message)
	}
	again := refused
	again.Tests = map[string]rotation.Test{"one": {Verdict: rotation.Accepted}, "another": {Verdict: rotation.Rejected}}
	g.publish(again)
	g.all(1)
	if told, _ := g.r.Board.At(first, "company"); g.having(1, `"theirs"`) != 0 || told.Reason == v1alpha1.ReasonForeignSecret {
		t.Errorf("the registry accepts it again, and said is %q", told.Reason)
	}
}

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

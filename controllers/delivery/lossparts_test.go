package delivery

import (
	"fmt"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/pullsecret"
)

// What another Secret of the namespace has is told with the name of that Secret, and what none has as lost.
func TestWhichOfTheLostKeysAnotherSecretHas(t *testing.T) {
	had := func(name, credential string, keys ...string) *corev1.Secret {
		secret := version("", "", keys...)
		secret.Name, secret.Annotations = name, kept(pullsecret.Sources{credential: {Keys: keys}}, `{}`).Annotations
		return secret
	}
	for _, test := range []struct {
		name    string
		cause   cause
		secrets []*corev1.Secret
		want    []string
	}{
		{"none has any", deselected, nil, []string{"lost a.example b.example/x"}},
		{"the place's own Secret is still as it was in the cache", deselected, []*corev1.Secret{had("regcred", "other", "a.example")}, []string{"lost a.example b.example/x"}},
		{"one has one of them", deselected, []*corev1.Secret{had("pull", "other", "a.example")}, []string{"in [pull] a.example", "lost b.example/x"}},
		{"one has the whole host of a narrower one", deselected, []*corev1.Secret{had("pull", "other", "b.example")}, []string{"in [pull] b.example/x", "lost a.example"}},
		{"one has a narrower one of a whole host", deselected, []*corev1.Secret{had("pull", "other", "a.example/y")}, []string{"lost a.example b.example/x"}},
		{"two have one each, and are named in order", deselected, []*corev1.Secret{had("a-last", "other", "b.example/x"), had("z-first", "next", "a.example")},
			[]string{"in [a-last z-first] a.example b.example/x"}},
		{"the second has what the first has", deselected, []*corev1.Secret{had("one", "other", "a.example"), had("two", "next", "a.example")},
			[]string{"in [one] a.example", "lost b.example/x"}},
		{"it is the same RegistryCredential's, and goes too", deselected, []*corev1.Secret{had("pull", "company", "a.example")}, []string{"lost a.example b.example/x"}},
		{"it is renamed: all is under the new name", renamed, nil, []string{"in [regcred] a.example b.example/x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newRig(t, 0)
			for _, secret := range test.secrets {
				secret.ResourceVersion = ""
				if err := g.c.Create(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
			one := loss{credential: credential("company"), keys: []string{"a.example", "b.example/x"}, cause: test.cause}
			var got []string
			for _, part := range g.r.parts(t.Context(), ofShop, one) {
				text := "lost"
				if len(part.instead) > 0 {
					text = fmt.Sprintf("in %v", part.instead)
				}
				for _, key := range part.keys {
					text += " " + key
				}
				got = append(got, text)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("it is told as %q, want %q", got, test.want)
			}
		})
	}
}

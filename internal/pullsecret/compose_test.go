package pullsecret

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
)

func TestCompose(t *testing.T) {
	none := dockerconfig.Config(nil)
	shop := func(password string) Contribution {
		return contribution("shop", 2, "1", config(t, password, "shop.example"))
	}
	base := func(password string) Contribution {
		return contribution("base", 1, "1", config(t, password, "base.example"))
	}
	silent := func(c Contribution) Contribution {
		c.Config = none
		return c
	}
	tests := []struct {
		name          string
		current       *corev1.Secret
		contributions []Contribution
		exists        func(string) bool
		action        Action
		// entries by key and the password under it, sources by RegistryCredential and its keys.
		entries map[string]string
		sources map[string][]string
		taken   []Taken
	}{
		{
			name:   "one credential makes the Secret",
			action: Create, contributions: []Contribution{shop("a")},
			entries: map[string]string{"shop.example": "a"}, sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:   "two credentials share one Secret",
			action: Create, contributions: []Contribution{shop("a"), base("b")},
			entries: map[string]string{"shop.example": "a", "base.example": "b"},
			sources: map[string][]string{"shop": {"shop.example"}, "base": {"base.example"}},
		},
		{
			name:    "a rotation of one leaves the other as it is",
			current: secret(t, shop("a"), base("b")),
			action:  Update, contributions: []Contribution{shop("new"), base("b")},
			entries: map[string]string{"shop.example": "new", "base.example": "b"},
			sources: map[string][]string{"shop": {"shop.example"}, "base": {"base.example"}},
		},
		{
			name:    "what is right is left alone",
			current: secret(t, shop("a"), base("b")),
			action:  Keep, contributions: []Contribution{shop("a"), base("b")},
		},
		{
			name:   "the same registry twice: the older wins and the other is told so",
			action: Create, contributions: []Contribution{contribution("young", 1, "1", config(t, "y", "shop.example")), contribution("old", 2, "1", config(t, "o", "shop.example"))},
			entries: map[string]string{"shop.example": "o"}, sources: map[string][]string{"old": {"shop.example"}},
			taken: []Taken{{Credential: "young", Key: "shop.example", Winner: "old"}},
		},
		{
			name:   "of the same age, the first by name wins",
			action: Create, contributions: []Contribution{contribution("b", 1, "1", config(t, "b", "shop.example")), contribution("a", 1, "1", config(t, "a", "shop.example"))},
			entries: map[string]string{"shop.example": "a"}, sources: map[string][]string{"a": {"shop.example"}},
			taken: []Taken{{Credential: "b", Key: "shop.example", Winner: "a"}},
		},
		{
			name:   "two spellings of one registry are one registry",
			action: Create, contributions: []Contribution{
				contribution("old", 2, "1", config(t, "o", "https://index.docker.io/v1/")),
				contribution("young", 1, "1", config(t, "y", "docker.io", "other.example")),
			},
			entries: map[string]string{"https://index.docker.io/v1/": "o", "other.example": "y"},
			sources: map[string][]string{"old": {"https://index.docker.io/v1/"}, "young": {"other.example"}},
			taken:   []Taken{{Credential: "young", Key: "docker.io", Winner: "old"}},
		},
		{
			name:   "two spellings within one credential are no quarrel",
			action: Create, contributions: []Contribution{contribution("shop", 1, "1", config(t, "a", "docker.io", "https://index.docker.io/v1/"))},
			entries: map[string]string{"docker.io": "a"}, sources: map[string][]string{"shop": {"docker.io"}},
		},
		{
			name:    "a registry that a credential no longer lists goes",
			current: secret(t, contribution("shop", 2, "1", config(t, "a", "shop.example", "old.example"))),
			action:  Update, contributions: []Contribution{shop("a")},
			entries: map[string]string{"shop.example": "a"}, sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:    "what a deleted credential left stays",
			current: secret(t, shop("a"), base("b")), exists: only("base"),
			action: Update, contributions: []Contribution{base("new")},
			entries: map[string]string{"shop.example": "a", "base.example": "new"},
			sources: map[string][]string{"shop": {"shop.example"}, "base": {"base.example"}},
		},
		{
			name:    "where all credentials are deleted, nothing is touched",
			current: secret(t, shop("a"), base("b")), exists: only(), action: Keep,
		},
		{
			name:    "a credential that provides what a deleted one left replaces it",
			current: secret(t, shop("a")), exists: only("heir"),
			action: Update, contributions: []Contribution{contribution("heir", 1, "1", config(t, "h", "shop.example"))},
			entries: map[string]string{"shop.example": "h"}, sources: map[string][]string{"heir": {"shop.example"}},
		},
		{
			name:    "the entry of a deselected credential goes, the other stays",
			current: secret(t, shop("a"), base("b")),
			action:  Update, contributions: []Contribution{base("b")},
			entries: map[string]string{"base.example": "b"}, sources: map[string][]string{"base": {"base.example"}},
		},
		{
			name:    "the last credential is deselected: the Secret goes",
			current: secret(t, shop("a")), action: Delete,
		},
		{
			name:    "the last credential is deselected, and one that is not published yet waits",
			current: secret(t, shop("a")), action: Delete, contributions: []Contribution{silent(base("-"))},
		},
		{
			name:    "a credential that is held, suspended or not published keeps what is recorded",
			current: secret(t, shop("a"), base("b")),
			action:  Update, contributions: []Contribution{silent(shop("-")), base("new")},
			entries: map[string]string{"shop.example": "a", "base.example": "new"},
			sources: map[string][]string{"shop": {"shop.example"}, "base": {"base.example"}},
		},
		{
			name:    "nothing is published yet: no Secret is made",
			action:  Keep,
			current: nil, contributions: []Contribution{silent(shop("-"))},
		},
		{
			name: "entries that nobody recorded go",
			current: changed(secret(t, shop("a")), func(s *corev1.Secret) {
				s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{"shop.example":{},"evil.example":{}}}`)
			}),
			action: Update, contributions: []Contribution{shop("a")},
			entries: map[string]string{"shop.example": "a"}, sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:    "where the record was taken away, nothing is lost: it counts as adopted",
			current: changed(secret(t, shop("a"), base("b")), forget),
			action:  Update, contributions: []Contribution{shop("a"), silent(base("-"))},
			entries: map[string]string{"shop.example": "a", "base.example": "b"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"base.example"}},
		},
		{
			name:    "where the record was taken away and nobody asks for the Secret, it is left alone",
			current: changed(secret(t, shop("a")), forget), action: Keep,
		},
		{
			name:    "a content that nobody can read is written again",
			current: changed(secret(t, shop("a")), func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }),
			action:  Update, contributions: []Contribution{shop("a")},
			entries: map[string]string{"shop.example": "a"}, sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:    "a content that nobody can read is left to people while the credential is suspended",
			current: changed(secret(t, shop("a")), func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }),
			action:  Keep, contributions: []Contribution{silent(shop("-"))},
		},
		{
			name:    "a content that nobody can read goes with the last credential that is deselected",
			current: changed(secret(t, shop("a")), func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }),
			action:  Delete,
		},
		{
			name:    "a content that nobody can read is left to people where a deleted credential left something in it",
			current: changed(secret(t, shop("a"), base("b")), func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":[]}`) }),
			exists:  only("base"), action: Keep,
		},
		{
			name:    "a hand-made Secret is adopted, with its entries for other registries",
			current: byHand(`{"auths":{"shop.example":{"auth":"b2xkOm9sZA=="},"theirs.example":{"username":"u","password":"theirs"}}}`),
			action:  Update, contributions: []Contribution{adopting(shop("a"))},
			entries: map[string]string{"shop.example": "a", "theirs.example": "theirs"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"theirs.example"}},
		},
		{
			name:    "two spellings of a registry in a hand-made Secret are both kept",
			current: byHand(`{"auths":{"t.example":{"password":"p1"},"https://t.example/v1/":{"password":"p2"}}}`),
			action:  Update, contributions: []Contribution{adopting(shop("a"))},
			entries: map[string]string{"shop.example": "a", "t.example": "p1", "https://t.example/v1/": "p2"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"https://t.example/v1/", "t.example"}},
		},
		{
			name:    "on adoption, an entry whose key has a user name, or a colon without a port, is replaced, as a kubelet uses it for the same images",
			current: byHand(`{"auths":{"https://robot:pw@shop.example/v2/":{"password":"old"},"shop.example:":{"password":"older"},"robot:pw@other.example":{"password":"theirs"}}}`),
			action:  Update, contributions: []Contribution{adopting(shop("a"))},
			entries: map[string]string{"shop.example": "a", "robot:pw@other.example": "theirs"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"robot:pw@other.example"}},
		},
		{
			name:    "on adoption, the keys of Docker Hub and of its registry's host are both kept, as they are two registries to a kubelet",
			current: byHand(`{"auths":{"docker.io":{"password":"name"},"https://index.docker.io/v1/":{"password":"old"},"registry-1.docker.io":{"password":"host"},"https://registry-1.docker.io/v2/":{"password":"spelt"}}}`),
			action:  Update, contributions: []Contribution{adopting(shop("a"))},
			entries: map[string]string{"shop.example": "a", "docker.io": "name", "https://index.docker.io/v1/": "old", "registry-1.docker.io": "host", "https://registry-1.docker.io/v2/": "spelt"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"docker.io", "https://index.docker.io/v1/", "https://registry-1.docker.io/v2/", "registry-1.docker.io"}},
		},
		{
			name:    "on adoption for Docker Hub, its spellings are replaced, and the key of its registry's host is kept",
			current: byHand(`{"auths":{"docker.io":{"password":"name"},"https://index.docker.io/v1/":{"password":"old"},"registry-1.docker.io":{"password":"host"}}}`),
			action:  Update, contributions: []Contribution{adopting(contribution("hub", 2, "1", config(t, "new", "https://index.docker.io/v1/")))},
			entries: map[string]string{"https://index.docker.io/v1/": "new", "registry-1.docker.io": "host"},
			sources: map[string][]string{"hub": {"https://index.docker.io/v1/"}, Adopted: {"registry-1.docker.io"}},
		},
		{
			name:    "on adoption for the host of Docker Hub's registry, both keys of Docker Hub are kept",
			current: byHand(`{"auths":{"docker.io":{"password":"name"},"https://index.docker.io/v1/":{"password":"old"},"https://registry-1.docker.io/v2/":{"password":"host"}}}`),
			action:  Update, contributions: []Contribution{adopting(contribution("charts", 2, "1", config(t, "new", "registry-1.docker.io")))},
			entries: map[string]string{"docker.io": "name", "https://index.docker.io/v1/": "old", "registry-1.docker.io": "new"},
			sources: map[string][]string{"charts": {"registry-1.docker.io"}, Adopted: {"docker.io", "https://index.docker.io/v1/"}},
		},
		{
			name:    "an entry that would break all pulls is not adopted",
			current: byHand(`{"auths":{"good.example":{"password":"g"},"bad.example":{"auth":"%%%"},"worse.example":7}}`),
			action:  Update, contributions: []Contribution{adopting(shop("a"))},
			entries: map[string]string{"shop.example": "a", "good.example": "g"},
			sources: map[string][]string{"shop": {"shop.example"}, Adopted: {"good.example"}},
		},
		{
			name:    "a hand-made Secret is not touched before there is something to write",
			current: byHand(`{"auths":{}}`), action: Keep, contributions: []Contribution{adopting(silent(shop("-")))},
		},
		{
			name:    "a hand-made Secret is not touched before there is something to write, proven or not",
			current: byHand(`{"auths":{}}`), action: Keep, contributions: []Contribution{adopting(unproven(silent(shop("-"))))},
		},
		{
			name:    "a hand-made Secret is not taken over with a value that no registry accepted",
			current: byHand(`{"auths":{}}`), action: Refuse, contributions: []Contribution{adopting(unproven(shop("a")))},
		},
		{
			name:    "a hand-made Secret is not taken over with a value that no registry accepted, though another one's is proven",
			current: byHand(`{"auths":{}}`), action: Refuse, contributions: []Contribution{adopting(shop("a")), unproven(base("b"))},
		},
		{
			name:    "one that is not published yet keeps no other from taking a hand-made Secret over",
			current: byHand(`{"auths":{}}`), action: Update, contributions: []Contribution{adopting(shop("a")), unproven(silent(base("-")))},
			entries: map[string]string{"shop.example": "a"},
			sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:    "a value that no registry accepted is written into regcred's own Secret",
			current: secret(t, shop("a")), action: Update, contributions: []Contribution{adopting(unproven(shop("b")))},
			entries: map[string]string{"shop.example": "b"},
			sources: map[string][]string{"shop": {"shop.example"}},
		},
		{
			name:    "without Adopt a hand-made Secret is refused, even with the same content",
			current: byHand(string(config(t, "a", "shop.example").Render())), action: Refuse, contributions: []Contribution{shop("a")},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.exists == nil {
				test.exists = everybody
			}
			plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: test.contributions, Exists: test.exists, Current: test.current, Now: noon})
			if plan.Action != test.action {
				t.Fatalf("the action is %s, it should be %s", plan.Action, test.action)
			}
			if diff := cmp.Diff(test.entries, entriesOf(t, plan.Secret)); diff != "" {
				t.Errorf("entries, wanted (-) and composed (+):\n%s", diff)
			}
			if plan.Secret != nil {
				if diff := cmp.Diff(test.sources, sourcesOf(plan.Secret)); diff != "" {
					t.Errorf("sources, wanted (-) and recorded (+):\n%s", diff)
				}
			}
			if diff := cmp.Diff(test.taken, plan.Taken); diff != "" {
				t.Errorf("taken, wanted (-) and said (+):\n%s", diff)
			}
		})
	}
}

func unproven(c Contribution) Contribution {
	c.Unproven = true
	return c
}

func adopting(c Contribution) Contribution {
	c.Adopt = true
	return c
}

func TestChangedTimeNamesTheLastChangeOfTheValue(t *testing.T) {
	shop := contribution("shop", 2, "1", config(t, "a", "shop.example"))
	first := secret(t, shop, contribution("base", 1, "1", config(t, "b", "base.example")))
	rotated := contribution("base", 1, "2", config(t, "new", "base.example"))
	renamed := contribution("shop", 2, "2", config(t, "a", "shop.example"))
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: []Contribution{renamed, rotated}, Exists: everybody, Current: first, Now: noon.Add(300 * time.Millisecond)})
	sources := SourcesOf(plan.Secret.Annotations)
	if got := sources["base"].Changed.Time; !got.Equal(noon) {
		t.Errorf("a new value changed at %s, in whole seconds; it says %s", noon, got)
	}
	if got := sources["shop"].Changed.Time; !got.Equal(yesterday) {
		t.Errorf("the same value under a new revision changed at %s still; it says %s", yesterday, got)
	}
	if sources["shop"].Revision != "2" {
		t.Errorf("the new revision is not recorded: %q", sources["shop"].Revision)
	}
}

package verify

import (
	"reflect"
	"strings"
	"testing"
)

func TestAQuestionIsPutToTheHostsOfItsKeysAndNobodyElse(t *testing.T) {
	long := "r.io/" + strings.Repeat("a", MaxImageLength)
	longer := "a.r.io/" + strings.Repeat("a", 248) + ":" + strings.Repeat("t", 128) + "@sha512:" + strings.Repeat("0", 128)
	for _, test := range []struct {
		name string
		q    Question
		want []hostQuestion
	}{
		{"named images come before those in use", Question{Keys: []string{"r.io"}, Named: []string{"r.io/b", "r.io/a"}, Sampled: []string{"r.io/c"}},
			[]hostQuestion{{host: "r.io", images: []string{"r.io/a", "r.io/b"}}}},
		{"the same image twice is one", Question{Keys: []string{"r.io"}, Sampled: []string{"r.io/a", "r.io/a"}}, []hostQuestion{{host: "r.io", images: []string{"r.io/a"}}}},
		{"two keys of one host are one login", Question{Keys: []string{"r.io/a", "r.io/b"}}, []hostQuestion{{host: "r.io"}}},
		{"what a kubelet takes for Docker Hub is not asked for there, and the login still is",
			Question{Keys: []string{"https://index.docker.io/v1/"}, Sampled: []string{"localhost/a"}}, []hostQuestion{{host: "docker.io"}}},
		{"the same where the spec names it", Question{Keys: []string{"https://index.docker.io/v1/"}, Named: []string{"localhost/a"}}, []hostQuestion{{host: "docker.io"}}},
		{"images of other hosts are dropped", Question{Keys: []string{"r.io"}, Sampled: []string{"other.io/a"}}, []hostQuestion{{host: "r.io"}}},
		{"an image that is too long is dropped", Question{Keys: []string{"r.io"}, Sampled: []string{long}}, []hostQuestion{{host: "r.io"}}},
		{"an image that is too long is dropped behind a wildcard, too", Question{Keys: []string{"*.r.io"}, Sampled: []string{longer}}, nil},
		{"a wildcard is asked host by host", Question{Keys: []string{"*.azurecr.io"}, Sampled: []string{"b.azurecr.io/x", "a.azurecr.io/y"}},
			[]hostQuestion{{host: "a.azurecr.io", wildcard: true, images: []string{"a.azurecr.io/y"}}, {host: "b.azurecr.io", wildcard: true, images: []string{"b.azurecr.io/x"}}}},
		{"a wildcard and its logins alone", Question{Keys: []string{"*.azurecr.io"}, LoginOnly: true, Sampled: []string{"a.azurecr.io/y"}}, []hostQuestion{{host: "a.azurecr.io", wildcard: true}}},
		{"a wildcard and its logins alone, with an image that is named", Question{Keys: []string{"*.azurecr.io"}, LoginOnly: true, Named: []string{"a.azurecr.io/y"}}, []hostQuestion{{host: "a.azurecr.io", wildcard: true}}},
		{"a wildcard without an image names nobody", Question{Keys: []string{"*.azurecr.io"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.q.plan().hosts; !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// The order decides which message is told, so that it stays the same from one test to the next.
func TestHostsAreInTheOrderOfTheirNames(t *testing.T) {
	q := Question{Keys: []string{"*.azurecr.io"}}
	for _, host := range "hgfedcba" {
		q.Named = append(q.Named, string(host)+".azurecr.io/x")
	}
	var names []string
	for _, host := range q.plan().hosts {
		names = append(names, host.host[:1])
	}
	if got := strings.Join(names, ""); got != "abcdefgh" {
		t.Errorf("they are asked as %s", got)
	}
}

func TestNotMoreImagesInUseAreAskedForThanTheBound(t *testing.T) {
	var sampled []string
	for i := range 3 * MaxSampled {
		sampled = append(sampled, "r.io/"+string(rune('a'+i)))
	}
	if got := (Question{Keys: []string{"r.io"}, Sampled: sampled}).plan(); len(got.hosts[0].images) != MaxSampled {
		t.Errorf("%d images", len(got.hosts[0].images))
	}
	if got := (Question{Keys: []string{"r.io"}, Named: sampled}).plan(); len(got.hosts[0].images) != len(sampled) || len(got.unreadable) != 0 {
		t.Errorf("%d of %d named images, and unreadable are %v", len(got.hosts[0].images), len(sampled), got.unreadable)
	}
}

func TestANamedImageThatNobodyCanPullLeavesTheVerdictOpen(t *testing.T) {
	p := Question{Keys: []string{"r.io"}, Named: []string{"r.io/a", "R.io/:::"}}.plan()
	e := evidence{login: login(LoginAccepted, 200), pulls: pullsOf(PullAllowed)}
	if got := judge(p, []evidence{e}); got.Verdict != ValueUnknown || !strings.Contains(got.Message, "R.io/:::") {
		t.Errorf("got %+v", got)
	}
}

func TestTheValueInUseIsShownOnlyWhereItsKeysSay(t *testing.T) {
	for _, test := range []struct {
		key, host string
		want      bool
	}{{"r.io", "r.io", true}, {"r.io/team", "r.io", true}, {"r.io", "other.io", false}, {"*.r.io", "a.r.io", true}, {"*.r.io/team", "a.r.io", true}, {"*.r.io", "a.b.r.io", false}, {"nexus", "nexus", true}} {
		inUse := &InUse{Keys: []string{test.key}, Credential: sample(t)}
		if got := inUse.namesHost(test.host); got != test.want {
			t.Errorf("%s at %s: %t", test.key, test.host, got)
		}
	}
}

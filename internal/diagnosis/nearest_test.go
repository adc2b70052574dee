package diagnosis

import (
	"strings"
	"testing"
)

// A kubelet tries the longest path first, and a registry can refuse one login and take the other.
func TestTheEntryOfAnImageIsTheOneThatAKubeletTriesFirst(t *testing.T) {
	for _, entries := range [][]Entry{{{Key: host}, {Key: host + "/shop"}}, {{Key: host + "/shop"}, {Key: host}}} {
		c := Credential{Entries: entries}
		if entry, found := c.entryFor(image); !found || entry.Key != host+"/shop" {
			t.Errorf("%+v: %q", entries, entry.Key)
		}
	}
}

// What people can change comes first: that a credential excludes the namespace before one whose registry is written otherwise, and a limit before both.
func TestWhyNoCredentialIsForAnImageInTheOrderOfWhatHelps(t *testing.T) {
	excluded := func(f *Facts) { f.Excluding = []Excluding{{Name: "elsewhere", Keys: []string{host}}} }
	near := func(f *Facts) { f.Credentials[0].Entries = []Entry{{Key: host + ":5000"}} }
	nobody := func(f *Facts) { f.Credentials[0].Entries = nil }
	none := secret("regcred", func(s *Secret) { s.Keys, s.Sources = nil, nil })
	for _, test := range []struct {
		name    string
		changes []change
		reason  Reason
		says    string
	}{
		{"its pulls are limited, and one excludes the namespace", []change{nobody, none, excluded, because(limited)}, RateLimited, "limits anonymous pulls"},
		{"one excludes the namespace, and one is nearly for it", []change{near, none, excluded}, NoCredential, "excludes namespace prod"},
		{"one is nearly for it", []change{near, none}, NoCredential, "provides " + host + ":5000 and not"},
	} {
		if verdict := Diagnose(stuck(test.changes...)); verdict.Reason != test.reason || !strings.Contains(verdict.Message, test.says) {
			t.Errorf("%s: %s: %s", test.name, verdict.Reason, verdict.Message)
		}
	}
}

// Kinds of the same name are of several groups. That of Kubernetes alone counts failures, and can be suspended by that command.
func TestAJobIsOneOfKubernetesAlone(t *testing.T) {
	for group, reason := range map[string]Reason{"batch/v1": JobPod, "batch.volcano.sh/v1alpha1": OwnerUnknown} {
		if verdict := Diagnose(stuck(withoutReference, ownedBy(group, "Job"))); verdict.Reason != reason {
			t.Errorf("%s: %s: %s", group, verdict.Reason, verdict.Message)
		}
	}
}

// The registry was asked with another login, or about another image.
func TestAnAnswerToAnotherQuestionProvesNothing(t *testing.T) {
	for name, asked := range map[string]Question{
		"another image": {Credential: "shop", Key: host, Image: host + "/shop/other:1"}, "another key": {Credential: "shop", Key: host + "/shop", Image: image}, "another credential": {Credential: "other", Key: host, Image: image},
	} {
		f := stuck(credential(func(c *Credential) { c.Provable = true }))
		f.Probes = map[Question]Probe{asked: {Access: AccessAllowed, Digest: sum}}
		if verdict := Diagnose(f); verdict.Reason != AskingRegistry {
			t.Errorf("%s: %s: %s", name, verdict.Reason, verdict.Message)
		}
	}
}

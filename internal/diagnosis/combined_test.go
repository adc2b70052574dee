package diagnosis

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/racedetector"
)

const (
	otherHost  = "other.example.com"
	otherImage = otherHost + "/shop/proxy:1"
	// newerSum is the digest to which a tag moved.
	newerSum = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// second is a container that waits for an image of another registry, which RegistryCredential other provides by Secret other, changed at a
// time after noon.
func second(changed time.Duration) change {
	return func(f *Facts) {
		f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: "proxy", Image: otherImage})
		f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, waiting("proxy", "ErrImagePull", refused))
		f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "other"})
		f.Credentials = append(f.Credentials, Credential{Name: "other", SecretName: "other", Accounts: []string{"default"}, Mode: v1alpha1.RecoveryRestart,
			Published: true, Revision: "7", Entries: []Entry{{Key: otherHost}}})
		f.Secrets["other"] = Secret{Owner: pullsecret.Owner{Ours: true}, Keys: []string{otherHost},
			Sources: pullsecret.Sources{"other": {Revision: "7", Keys: []string{otherHost}, Changed: metav1.NewTime(noon.Add(changed))}}}
	}
}

// Of the registries of a RegistryCredential an older one has some: the pods of the others are cured as ever.
func TestARegistryThatIsTakenHidesNoOther(t *testing.T) {
	takenBy := credential(func(c *Credential) { c.TakenBy, c.Entries = "older", []Entry{{Key: host}, {Key: otherHost}} })
	check(t, []rule{
		{"a registry that this RegistryCredential writes itself is not the one that is taken", []change{takenBy}, Restart, StaleCredential},
		{"the registry that it does not write is taken", []change{takenBy, func(f *Facts) { f.Pod.Spec.Containers[0].Image = otherImage }}, Report, RegistryTaken},
	})
}

// A pod that is restarted into a Secret that breaks pulls, or that lacks the value, is stuck as before.
func TestASecretIsSyncedOnlyWhereAKubeletFindsTheValueInIt(t *testing.T) {
	digests := func(wanted, recorded string) change {
		return func(f *Facts) {
			f.Credentials[0].Digest = wanted
			source := f.Secrets["regcred"].Sources["shop"]
			source.Digest = recorded
			f.Secrets["regcred"].Sources["shop"] = source
		}
	}
	check(t, []rule{
		{"a Secret that breaks pulls is not synced, whatever is recorded of it", []change{secret("regcred", func(s *Secret) { s.Breaks = "bad" })}, Wait, SecretNotSynced},
		{"a key that is recorded and was taken out is not there", []change{secret("regcred", func(s *Secret) { s.Keys = nil })}, Wait, SecretNotSynced},
		{"a key that is recorded and was taken out, where another one is left", []change{secret("regcred", func(s *Secret) { s.Keys = []string{otherHost} })}, Wait, SecretNotSynced},
		{"a key that is there and not recorded is somebody else's", []change{secret("regcred", func(s *Secret) { s.Sources["shop"] = pullsecret.Source{Revision: "2"} })}, Wait, SecretNotSynced},
		{"a Secret of which nothing is recorded is not synced, though nothing is known of revisions", []change{
			credential(func(c *Credential) { c.Revision = "" }), secret("regcred", func(s *Secret) { s.Sources = nil })}, Wait, SecretNotSynced},
		{"the same digest is synced", []change{digests("one", "one")}, Restart, StaleCredential},
		{"a record of a time before digests were recorded is synced by its revision", []change{digests("one", "")}, Restart, StaleCredential},
		{"where the digest is not known the revision decides", []change{digests("", "one")}, Restart, StaleCredential},
		{"a Secret that was read is not synced because the RegistryCredential says when it changed", []change{
			credential(func(c *Credential) { c.Revision, c.ChangeTime = "3", noon })}, Wait, SecretNotSynced},
	})
}

// Clocks that differ by less than a minute put a cure off until the change has come, and not for minutes, as a time that cannot be does.
func TestClocksMayDifferByAMinute(t *testing.T) {
	check(t, []rule{
		{"a change a minute ahead is a clock: it is waited for", []change{now(-time.Minute)}, Wait, TimeInFuture},
		{"a pod is restarted when it has come", []change{now(0)}, Restart, StaleCredential},
		{"a change that lies further ahead is none", []change{now(-time.Minute - time.Nanosecond)}, Report, TimeInFuture},
	})
}

// A clock that was set back, or an annotation that somebody wrote: each successor is older than the change, until its time has come.
func TestAPodIsNotRestartedAgainAndAgainForAChangeWhoseTimeHasNotCome(t *testing.T) {
	racedetector.Skip(t)
	for _, lacks := range [][]change{nil, {withoutReference, because(anonymous)}, {injectedSince(0)}} {
		restarts, age := 0, -10*time.Minute
		for at := -time.Minute; at <= time.Minute; at += time.Second {
			f := stuck(append(lacks, created(age), now(at))...)
			if Diagnose(f).Action == Restart {
				restarts, age = restarts+1, at
			}
		}
		if restarts > 3 { // two more are those of a pod that may have missed the change, and of one in the lag of admission
			t.Errorf("it is restarted %d times", restarts)
		}
	}
}

// A pod whose template has a list of pull secrets gets the same list in its place: a restart gains nothing.
func TestThePullSecretsOfATemplateAreThePodsOwn(t *testing.T) {
	given := account(func(a *Account) { a.PullSecrets = []string{"old", "regcred"} })
	check(t, []rule{
		{"rule 15: a list in the template is the pod's own, though the ServiceAccount has the same names", []change{ownList("old"), given}, Report, OwnPullSecrets},
		{"rule 15: without a known template what the ServiceAccount gives is not the pod's own", []change{ownList("old"), given,
			func(f *Facts) { f.Owners[0].Template = nil }}, Restart, MissingReference},
		{"rule 15: a pod that lists none has no list, whatever its template has since", []change{withoutReference, func(f *Facts) { f.Owners[0].Template = &Template{PullSecrets: []string{"old"}} }}, Restart, MissingReference},
		{"rule 15: one name that the ServiceAccount does not give is enough", []change{ownList("old", "theirs"), given, func(f *Facts) { f.Owners = nil }}, Report, OwnPullSecrets},
	})
}

// Of an owner that could not be read nobody knows whether it recreates a pod: one that is deleted may be lost.
func TestAnOwnerThatCouldNotBeReadLosesNoPod(t *testing.T) {
	unread := func(f *Facts) { f.Owners[0].Unread = true }
	chosen := func(f *Facts) {
		f.Owners = []Owner{{APIVersion: "core.strimzi.io/v1beta2", Kind: "StrimziPodSet", Name: "it", Chosen: true, Unread: true}}
	}
	check(t, []rule{
		{"a ReplicaSet that could not be read", []change{unread, withoutReference}, Report, OwnerUnknown},
		{"and the kubelet heals a pod that has the reference", []change{unread}, Wait, KubeletRetries},
		{"an owner of a chosen kind that could not be read", []change{chosen, withoutReference}, Report, OwnerUnknown},
	})
}

// A pod that needs two credentials is given up on no sooner than the kubelet had time to try with both.
func TestOfTwoChangesTheLaterOneCounts(t *testing.T) {
	check(t, []rule{
		{"the kubelet has time to try again since the first", []change{second(100 * time.Second), ofJob, now(400 * time.Second)}, Wait, KubeletRetries},
		{"and since the second, however they are listed", []change{second(-100 * time.Second), ofJob, now(300 * time.Second)}, Wait, KubeletRetries},
		{"it tried again since both", []change{second(100 * time.Second), ofJob, now(416 * time.Second)}, Report, CredentialDidNotHelp},
	})
	for _, changed := range []time.Duration{100 * time.Second, -100 * time.Second} {
		want := noon.Add(max(changed, 0))
		if verdict := Diagnose(stuck(second(changed), now(400*time.Second))); verdict.Action != Restart || !verdict.Change.Equal(want) {
			t.Errorf("%s (%s): the change is that of %s, want %s", verdict.Action, verdict.Reason, verdict.Change, want)
		}
	}
}

// A tag moves: where the registry can be asked, what it said at the last test pins nothing and proves nothing.
func TestAnImageIsPinnedOnlyToWhatTheRegistrySaysNow(t *testing.T) {
	moved := func(f *Facts) { answered(AccessAllowed, newerSum)(f) }
	if pins := Diagnose(stuck(repullable, moved)).Pins; len(pins) != 1 || pins[0].Pinned != image+"@"+newerSum {
		t.Errorf("the tag moved since the last test, and the pins are %+v", pins)
	}
	check(t, []rule{
		{"a registry that says no digest is not made up for by the last test", []change{repullable, answered(AccessAllowed, "")}, Restart, StaleCredential},
		{"the registry is asked again though the last test found a digest", []change{repullable, credential(func(c *Credential) { c.Provable = true })}, Wait, AskingRegistry},
		{"where nobody may ask, the last test is all there is", []change{repullable}, Repull, StaleCredential},
	})
}

func TestOneEntryOfASiblingIsNoEntryOfThisCredential(t *testing.T) {
	sibling := func(changes ...change) change {
		return func(f *Facts) {
			sources := f.Secrets["regcred"].Sources
			f.Credentials = append(f.Credentials, f.Credentials[0])
			f.Credentials[0].Name = "a"
			sources["a"] = pullsecret.Source{Revision: "1", Keys: []string{otherHost}}
			for _, c := range changes {
				c(f)
			}
		}
	}
	// Without more, the entry is that of shop, and that a is refused there is nothing to the pod.
	refusedThere := credential(func(c *Credential) { c.Entries = []Entry{{Key: host, Rejected: "401"}} })
	for name, test := range map[string]struct {
		change change
		want   string
	}{
		"the Secret records that the entry is the other one's": {sibling(refusedThere), "shop"},
		"though the value of the other one is refused":         {sibling(func(f *Facts) { f.Credentials[1].Entries = []Entry{{Key: host, Rejected: "401"}} }), "shop"},
		"the other one writes another Secret":                  {sibling(func(f *Facts) { f.Credentials[1].SecretName = "elsewhere" }), "a"},
		"the Secret records another entry as the other one's": {sibling(func(f *Facts) {
			f.Secrets["regcred"].Sources["shop"] = pullsecret.Source{Revision: "2", Keys: []string{"third.example"}}
			delete(f.Secrets["regcred"].Sources, "a")
		}), "a"},
		"the other one does not provide the key any more":   {sibling(func(f *Facts) { f.Credentials[1].Entries = []Entry{{Key: otherHost}} }), "a"},
		"the entry is recorded for this one, too":           {sibling(func(f *Facts) { f.Secrets["regcred"].Sources["a"] = f.Secrets["regcred"].Sources["shop"] }), "a"},
		"the record of the other one does not have the key": {sibling(func(f *Facts) { f.Secrets["regcred"].Sources["shop"] = pullsecret.Source{Revision: "2"} }), "a"},
		"a Secret without a record says nothing of whose the entries are": {sibling(func(f *Facts) {
			f.Secrets["regcred"] = Secret{Owner: pullsecret.Owner{Ours: true}, Keys: []string{host}}
		}), "a"},
		"of two that promise the same the first by name speaks for the pod": {sibling(func(f *Facts) { f.Secrets["regcred"].Sources["a"] = f.Secrets["regcred"].Sources["shop"] }, func(f *Facts) { f.Credentials[0], f.Credentials[1] = f.Credentials[1], f.Credentials[0] }), "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Diagnose(stuck(test.change)).Findings[0]; got.Credential != test.want {
				t.Errorf("it is the business of %s, want %s: %s", got.Credential, test.want, got.Explain)
			}
		})
	}
}

func TestARepullIsNotRepeatedForTheSameChange(t *testing.T) {
	// A second change after the repull is a reason again.
	repulled := func(at time.Duration) change { return func(f *Facts) { f.Repulled = noon.Add(at) } }
	check(t, []rule{
		{"the pod was repulled for this change", []change{repulled(0)}, Report, CredentialDidNotHelp},
		{"the pod was repulled for an earlier change", []change{repulled(-time.Second)}, Restart, StaleCredential},
		{"a repull says nothing of a pod that lacks the reference", []change{repulled(0), withoutReference}, Restart, MissingReference},
	})
}

func TestWhatWasCreatedInTheSecondOfTheChangeMayHaveMissedIt(t *testing.T) {
	last := time.Second + kubeletRetry
	check(t, []rule{
		{"until its last attempt", []change{created(0), now(last - time.Nanosecond)}, Restart, StaleCredential},
		{"and not after that", []change{created(0), now(last)}, Report, CredentialDidNotHelp},
	})
}

func TestHowLongAPodWaitsForTheJudgementOfItsValue(t *testing.T) {
	judged := credential(func(c *Credential) { c.Judged = true })
	check(t, []rule{
		{"ten minutes after its creation", []change{judged, created(time.Minute), now(11 * time.Minute)}, Wait, JudgingCredential},
		{"and no longer", []change{judged, created(time.Minute), now(11*time.Minute + time.Nanosecond)}, Report, Unproven},
		{"an acceptance in the second of its creation is one", []change{judged, created(time.Minute), credential(func(c *Credential) { c.Entries[0].Accepted = noon.Add(time.Minute) })}, Report, CredentialDidNotHelp},
		{"a registry that denied the image took the login: nobody need be asked", []change{judged, created(time.Minute), because(denied)}, Report, CredentialDidNotHelp},
	})
}

func TestNoEmptyKeyIsForAnImage(t *testing.T) {
	c := Credential{Entries: []Entry{{Key: ""}}}
	if entry, ok := c.entryFor(image); ok {
		t.Errorf("%+v is for %s", entry, image)
	}
}

func TestAnEntryForTheHubIsShadowedOnlyByOneThatTheKubeletUses(t *testing.T) {
	const index = "https://index.docker.io/v1/"
	hub := func(f *Facts) {
		f.Pod.Spec.Containers[0].Image = "nginx"
		f.Credentials[0].Entries = []Entry{{Key: index}}
		source := f.Secrets["regcred"].Sources["shop"]
		source.Keys = []string{index}
		f.Secrets["regcred"] = Secret{Owner: pullsecret.Owner{Ours: true}, Sources: pullsecret.Sources{"shop": source}, Keys: []string{index}}
	}
	beside := func(keys ...string) change {
		return func(f *Facts) {
			f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "theirs"})
			f.Secrets["theirs"] = Secret{Keys: keys}
		}
	}
	check(t, []rule{
		{"rule 13: beside a Secret without entries", []change{hub, beside()}, Restart, StaleCredential},
		{"rule 13: beside an entry of another registry", []change{hub, beside("quay.io")}, Restart, StaleCredential},
		{"rule 13: beside the same key, which is tried, too", []change{hub, beside(index)}, Restart, StaleCredential},
		{"rule 13: beside docker.io, whatever else is there", []change{hub, beside("docker.io", "quay.io")}, Report, Shadowed},
		{"an entry for another registry is tried beside a more specific one", []change{beside(host + "/shop")}, Restart, StaleCredential},
	})
	facts := stuck(hub, beside("docker.io", "a", "b"))
	keys := facts.Secrets["theirs"].Keys[:1:3] // with room behind it
	facts.Secrets["theirs"] = Secret{Keys: keys}
	Diagnose(facts)
	if rest := keys[:3]; rest[1] != "a" {
		t.Errorf("the facts of the caller were changed: %q", rest)
	}
}

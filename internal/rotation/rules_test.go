package rotation

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func objectOf(change func(*v1alpha1.RegistryCredential)) *v1alpha1.RegistryCredential {
	object := &v1alpha1.RegistryCredential{Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"shop.example"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Connection: "main", Mount: "secret", Path: "pull"}},
	}}
	if change != nil {
		change(object)
	}
	return object
}

func TestWhatTheMachineNeedsOfAnObject(t *testing.T) {
	spec := SpecOf(objectOf(func(o *v1alpha1.RegistryCredential) {
		o.Annotations = map[string]string{v1alpha1.RefreshRequestedAtAnnotation: "now\n\x1b[31m", v1alpha1.PublishAnnotation: "v7"}
		o.Spec.Suspend = true
		o.Spec.Verification = &v1alpha1.Verification{Images: []string{"shop.example/a:1"}}
	}))
	if !spec.Suspended || spec.Mode != v1alpha1.VerifyPull || spec.RefreshRequest == "" || spec.PublishRevision != "v7" || cmp.Diff([]string{"shop.example/a:1"}, spec.Images) != "" {
		t.Errorf("%+v", spec)
	}
	if plain := objectOf(nil); spec.Hold != plain.Spec.Hold() || spec.Hold == 0 || spec.Refresh != plain.Spec.RefreshPeriod() || spec.Verify != plain.Spec.VerificationPeriod() {
		t.Errorf("without periods they are the defaults: %+v", spec)
	}
	for _, letter := range spec.RefreshRequest {
		if letter < ' ' {
			t.Errorf("the request is repeated in the status with a control character: %q", spec.RefreshRequest)
		}
	}
}

// A value is that of a source and of registries: where one of them is another, so is the value, and where not, nothing is read anew.
func TestWhichChangesOfAnObjectMakeAnotherValue(t *testing.T) {
	plain := SpecOf(objectOf(nil))
	for _, test := range []struct {
		name          string
		change        func(*v1alpha1.RegistryCredential)
		value, source bool
	}{
		{"nothing", nil, false, false},
		{"the target", func(o *v1alpha1.RegistryCredential) { o.Spec.Target.SecretName = "other" }, false, false},
		{"a period", func(o *v1alpha1.RegistryCredential) { o.Spec.Suspend = true }, false, false},
		{"a registry", func(o *v1alpha1.RegistryCredential) {
			o.Spec.Registries = []v1alpha1.Registry{"shop.example", "other.example"}
		}, true, false},
		{"the path", func(o *v1alpha1.RegistryCredential) { o.Spec.Source.Vault.Path = "other" }, true, true},
		{"the connection", func(o *v1alpha1.RegistryCredential) { o.Spec.Source.Vault.Connection = "second" }, true, true},
		{"entries by host", func(o *v1alpha1.RegistryCredential) { o.Spec.Target.EntryPer = v1alpha1.EntryPerHost }, true, false},
		{"the default of the entries, written out", func(o *v1alpha1.RegistryCredential) { o.Spec.Target.EntryPer = v1alpha1.EntryPerRegistry }, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := SpecOf(objectOf(test.change))
			if got := changed.SpecHash != plain.SpecHash; got != test.value {
				t.Errorf("it makes another value: %t, want %t", got, test.value)
			}
			if got := changed.Place != plain.Place; got != test.source {
				t.Errorf("it is another place: %t, want %t", got, test.source)
			}
			if changed.SpecHash == "" || changed.Place == "" {
				t.Error("it has no name")
			}
		})
	}
}

func TestWhichAnswersAreTheSame(t *testing.T) {
	created := start.Add(-time.Hour)
	known := Value{Written: Written{Version: 3, CreatedTime: created}, Place: "place", Digest: "digest"}
	for _, test := range []struct {
		name   string
		change func(answer, before *Value)
		want   bool
	}{
		{"the same value", func(*Value, *Value) {}, true},
		{"of another place", func(a, _ *Value) { a.Place = "other" }, false},
		{"of another version", func(a, _ *Value) { a.Version = 4 }, false},
		{"another content of the version", func(a, _ *Value) { a.Digest = "other" }, false},
		{"another that is made of the same version", func(a, b *Value) { a.Digest, a.Minted, b.Minted = "other", true, true }, true},
		{"one that is made, where none was", func(a, _ *Value) { a.Digest, a.Minted = "other", true }, false},
		{"one that is read, where one was made", func(a, b *Value) { a.Digest, b.Minted = "other", true }, false},
		{"made of a version that was written at another time", func(a, b *Value) {
			a.Digest, a.Minted, b.Minted, a.CreatedTime = "other", true, true, start
		}, false},
		{"made of a version of which no time is known", func(a, b *Value) {
			a.Digest, a.Minted, b.Minted, a.CreatedTime, b.CreatedTime = "other", true, true, time.Time{}, time.Time{}
		}, false},
	} {
		answer, before := known, known
		if test.change(&answer, &before); sameAnswer(&answer, &before) != test.want {
			t.Errorf("%s: %t", test.name, !test.want)
		}
	}
}

// What was corrected is written into the record: an answer that depends on which is looked at last would leave it.
func TestOneTimeThatLiesAheadIsEnoughToCorrectTheRecord(t *testing.T) {
	ahead := start.Add(time.Hour)
	for range 20 { // which test is looked at last depends on luck
		s := State{Kept: Kept{Tests: map[string]Test{"ahead": {Attempt: ahead}}}}
		for i := range 5 {
			s.Tests[fmt.Sprint(i)] = Test{Attempt: start}
		}
		if !s.correctTests(start) {
			t.Fatal("of six tests one lies ahead, and nothing is to be written")
		}
	}
	for name, s := range map[string]State{
		"when the value before was replaced": {Kept: Kept{Previous: &Previous{ReplacedTime: ahead}}},
		"when a value was first seen":        {Kept: Kept{Waiting: &Waiting{FirstSeen: ahead}}},
		"since when it is held":              {Kept: Kept{Waiting: &Waiting{HeldSince: ahead}, Previous: &Previous{ReplacedTime: start}}},
		"when what waits was made":           {Kept: Kept{Waiting: &Waiting{Value: Value{Minted: true, ReadTime: ahead}}}},
		"when the value before was made":     {Kept: Kept{Previous: &Previous{Value: Value{Minted: true, ReadTime: ahead}}}},
	} {
		if !s.correctValues(start) {
			t.Errorf("%s lies ahead, and nothing is to be written", name)
		}
	}
}

func TestARequestThatIsTakenBackAndMadeAgainIsNoNewOne(t *testing.T) {
	spec, s := asking()
	value := s.Value
	value.Minted = true
	spec.RefreshRequest = "at noon"
	s.NoteRead(spec, value, nil, CauseRequest, minute(1), minute(1))
	spec.RefreshRequest = ""
	s.NoteRead(spec, value, nil, CausePlan, minute(2), minute(2))
	if s.Reads.Request != "at noon" || s.Answered != "at noon" {
		t.Errorf("answered are %q and %q", s.Reads.Request, s.Answered)
	}
	spec.RefreshRequest, value.Minted = "at one", false
	s.NoteRead(spec, value, nil, CauseRequest, minute(3), minute(3))
	if s.Reads.Request != "at one" || s.Answered != "at noon" {
		t.Errorf("answered are %q and %q: nothing was made for the second, so that a new process may read again", s.Reads.Request, s.Answered)
	}
}

// The same value with another lease is not what was published: a lease that nobody notes is neither prolonged nor given back.
func TestALeaseThatComesOrGoesIsNoted(t *testing.T) {
	for _, test := range []struct {
		name      string
		had, gets *source.Lease
	}{
		{"it comes", nil, heldLease("a")},
		{"it goes", heldLease("a"), nil},
		{"it is another one", heldLease("a"), heldLease("b")},
	} {
		_, s := asking()
		s.Value.Lease = test.had
		next := s.Value
		next.Lease = test.gets
		if s.refresh(next); s.Value.Lease != test.gets {
			t.Errorf("%s, and the lease is %+v", test.name, s.Value.Lease)
		}
	}
}

func TestOfLeasesThatAreGoneNoAttemptIsKept(t *testing.T) {
	_, s := asking()
	s.Value.Lease, s.Waiting.Lease = heldLease("mine"), heldLease("other")
	s.Renewals = map[string]Attempts{"mine": {Count: 2}, "other": {Count: 1}, "gone": {Count: 7}}
	if count := s.NoteRenewFailed("mine", 0, minute(1)); count != 3 {
		t.Errorf("it failed %d times in a row", count)
	}
	want := map[string]Attempts{"mine": {Count: 3, Last: minute(1)}, "other": {Count: 1}}
	if diff := cmp.Diff(want, s.Renewals); diff != "" {
		t.Error(diff)
	}
}

func TestWhichStateOfTheSourceAReadIsToHold(t *testing.T) {
	for _, test := range []struct {
		name            string
		told, read, now time.Time
		want            string
	}{
		{"that of which it told since the last read", minute(2), minute(1), minute(3), "state"},
		{"none where a read came after it", minute(1), minute(2), minute(3), ""},
		{"none where a read came at that time", minute(1), minute(1), minute(3), ""},
		{"none that is still to come", minute(4), minute(1), minute(3), ""},
		{"that of this moment", minute(3), minute(1), minute(3), "state"},
	} {
		s := State{Memory: Memory{Reads: Reads{ToldTime: test.told, ToldState: "state", ReadTime: test.read}}}
		if got := s.StateWanted(test.now); got != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestAnAnswerIsNoOlderThanWhatTheSourceTold(t *testing.T) {
	spec, s := asking()
	s.Reads.ToldTime = minute(3)
	if got := s.MaxAge(spec, CauseTold, minute(5)); got != 2*time.Minute {
		t.Errorf("it may be %s old", got)
	}
	if got := s.MaxAge(spec, CauseTold, minute(1)); got != 0 {
		t.Errorf("of what is still to come it may be %s old", got)
	}
}

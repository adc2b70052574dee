package credential

import (
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

// answersElsewhere has a test of the value in use find images of other registries alone.
func (f *facts) answersElsewhere(verdict rotation.Verdict, hosts ...string) {
	account := accountAt("one")
	f.run.state.NoteAnswer(account, f.run.spec.Question(account), rotation.Answer{Verdict: verdict, Message: "it answers 429", Elsewhere: hosts}, noon)
	f.verdict, f.test = f.run.state.Of(f.run.spec, &f.run.state.Value)
}

func TestHowAValueIsProven(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(f *facts)
		want    condition
		untried bool
	}{
		{"a pull", func(*facts) {}, condition{v1alpha1.ConditionVerified, "True", v1alpha1.ReasonAccepted, "lets the credential pull"}, false},
		{"a login, and no image is known", func(f *facts) { f.run.state.Proof = rotation.ProofLogin },
			condition{v1alpha1.ConditionVerified, "True", v1alpha1.ReasonLoginAccepted, "name an image in spec.verification.images"}, false},
		{"a login, as the spec says", func(f *facts) {
			f.run.spec.Mode, f.run.state.Proof = v1alpha1.VerifyLogin, rotation.ProofLogin
			f.answer("one", rotation.Accepted, noon)
		}, condition{v1alpha1.ConditionVerified, "True", v1alpha1.ReasonLoginAccepted, "set spec.verification.mode: Pull"}, false},
		{"nothing: the registry said something else", func(f *facts) {
			f.run.state.Tests = nil
			f.answer("one", rotation.Unknown, noon)
		}, condition{v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonUnproven, "did not say whether it accepts it: it answers 429"}, true},
		{"nothing, and what pods use is from elsewhere", func(f *facts) {
			f.run.state.Tests = nil
			f.answersElsewhere(rotation.Unknown, "registry.example:5000", "quay.io")
		}, condition{v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonUnproven,
			"it answers 429. No image in use in the target namespaces is from registry.example: they are from registry.example:5000, quay.io. If it is meant for those, correct spec.registries"}, true},
		{"nothing, and what pods use has a port: that comes before what else could be wrong", func(f *facts) {
			f.run.state.Tests = nil
			account := accountAt("one")
			f.run.state.NoteAnswer(account, f.run.spec.Question(account), rotation.Answer{Verdict: rotation.Unknown, Message: "give its CA", NearMiss: host + ":5000/a:1", Elsewhere: []string{host + ":5000"}}, noon)
			f.verdict, f.test = f.run.state.Of(f.run.spec, &f.run.state.Value)
		}, condition{v1alpha1.ConditionVerified, "Unknown", v1alpha1.ReasonUnproven,
			"did not say whether it accepts it: images in use in the target namespaces are from registry.example:5000, and none is from registry.example: is the port missing in spec.registries? If not: give its CA"}, true},
		{"a login, and what pods use is from elsewhere", func(f *facts) {
			f.run.state.Proof = rotation.ProofLogin
			f.answersElsewhere(rotation.Accepted, "quay.io")
		}, condition{v1alpha1.ConditionVerified, "True", v1alpha1.ReasonLoginAccepted, "No image in use in the target namespaces is from registry.example: they are from quay.io"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			status := f.status(&v1alpha1.RegistryCredentialStatus{}, noon)
			sees(t, status, []condition{test.want, ready("True", v1alpha1.ReasonSucceeded, "selected namespaces")})
			if got := strings.Contains(f.success(), "did not say whether it accepts it"); got != test.untried {
				t.Errorf("said is %q", f.success())
			}
		})
	}
}

func TestWhatIsSaidOfARefusedValue(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(f *facts)
		want   string
	}{
		{"it expired, and a new one is made by the source", func(f *facts) {
			f.run.state.ExpireTime, f.run.state.Minted = noon, true
		}, "It expired at 2026-03-01T12:00:00Z and no new one was obtained: see CredentialAvailable"},
		{"it expires in a second", func(f *facts) { f.run.state.ExpireTime = noon.Add(time.Second) }, "Whether the source has another one is not known yet"},
		{"the source could not be read since", func(f *facts) {
			f.run.state.Reads.ReadTime, f.run.state.Reads.Fault = noon.Add(time.Hour), source.Transient(v1alpha1.ReasonSealed, "sealed", nil)
		}, "Whether the source has another one is not known yet"},
		{"it was read since, and makes a value for each", func(f *facts) {
			f.run.state.Reads.ReadTime, f.run.state.Lease = noon.Add(time.Hour), &source.Lease{}
		}, "Whether the source has another one is not known yet"},
		{"it was read in the moment of the refusal", func(*facts) {}, "Whether the source has another one is not known yet"},
		{"it was read since", func(f *facts) { f.run.state.Reads.ReadTime = noon.Add(time.Second) }, "The source still has it"},
	} {
		f := served()
		f.answer("one", rotation.Rejected, noon)
		test.change(f)
		if got := f.evidence(noon); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWhatIsSaidOfTheSource(t *testing.T) {
	f := served()
	f.run.state.Reads.Fault = source.Transient(v1alpha1.ReasonSealed, "it is sealed. ", nil)
	if got := f.available(); got.Message != "it is sealed. What is published stays in use." {
		t.Errorf("%q", got.Message)
	}
	f.run.state.Config = nil
	if got := f.available(); got.Message != "it is sealed. " || got.Reason != v1alpha1.ReasonSealed {
		t.Errorf("nothing is published: %q", got.Message)
	}
	for stalled, kind := range map[bool]condition{false: working(v1alpha1.ReasonSealed), true: stuck(v1alpha1.ReasonSealed)} {
		f = served()
		f.run.state.Reads.Fault = source.Transient(v1alpha1.ReasonSealed, "it is sealed", nil)
		f.run.state.Reads.Fault.Stalled = stalled
		sees(t, f.status(&v1alpha1.RegistryCredentialStatus{}, noon), []condition{ready("False", v1alpha1.ReasonSealed, "it is sealed"), kind})
	}
	f = served()
	f.run.state.Reads.Last = time.Time{}
	if got := f.available(); got.Reason != v1alpha1.ReasonRead {
		t.Errorf("what an earlier process read counts as not read: %+v", got)
	}
}

// One test asks of a new value and of the one in use: what is told of the one says what is known of the other.
func TestWhatFollowsARefusalOfTheValueInUse(t *testing.T) {
	for _, test := range []struct {
		name   string
		waits  bool
		answer rotation.Verdict
		want   string
	}{
		{"the source has no other", false, "", "new pods will fail to pull. The source is read again now"},
		{"it has another one that was not tested", true, "", "new pods will fail to pull. Revision v2 of the source is being tested"},
		{"it has another one that is accepted", true, rotation.Accepted, "it accepts revision v2 of the source, which is put in use now"},
		{"it has another one that is refused", true, rotation.Rejected, "new pods will fail to pull. It refuses revision v2 of the source, too"},
	} {
		f := served()
		f.answer("one", rotation.Rejected, noon)
		if test.waits {
			f.waits("", "")
			f.run.state.Waiting.Config, f.run.state.Waiting.SpecHash = dockerconfig.Config{}, "spec"
		}
		if test.answer != "" {
			f.answer("two", test.answer, noon)
		}
		if got := whatFollows(f.run, &f.run.state, noon); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

package credential

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
)

// obstacles are what stands between an object and Ready, the gravest first, with what Ready says and whether a person is needed.
var obstacles = []struct {
	name    string
	make    func(f *facts)
	reason  string
	message string
	person  bool
}{
	{"it is suspended", func(f *facts) { f.run.spec.Suspended = true }, v1alpha1.ReasonSuspended, "spec.suspend is true", false},
	{"the selector is broken", func(f *facts) { f.run.stall = &stall{v1alpha1.ReasonInvalidSelector, "broken"} }, v1alpha1.ReasonInvalidSelector, "broken", true},
	{"the record cannot be kept", func(f *facts) { f.run.fault = &fault{v1alpha1.ReasonRecordNotKept, "cannot write"} }, v1alpha1.ReasonRecordNotKept, "cannot write", false},
	{"a removal waits", func(f *facts) { f.removal = delivered.Removal{Held: true, ID: "abc", Losing: 7, Holding: 7} }, v1alpha1.ReasonRemovalUnconfirmed, "all 7 namespaces", true},
	{"the source gives nothing", func(f *facts) {
		f.run.state.Reads.Fault = source.Stalled(v1alpha1.ReasonSecretNotFound, "nothing is there")
	}, v1alpha1.ReasonSecretNotFound, "nothing is there", true},
	{"the value in use is refused", func(f *facts) { f.answer("one", rotation.Rejected, noon) }, v1alpha1.ReasonNoLongerAccepted, "it answers 401", true},
	{"the policy for pods is missing", func(f *facts) {
		f.run.object.Spec.Target.Attach, f.injection = v1alpha1.AttachPods, injection.State{Known: true, Fault: "it is not there"}
	}, v1alpha1.ReasonInjectionMissing, "it is not there", true},
	{"no namespace was looked at for the spec", func(f *facts) { f.run.object.Generation = 4 }, v1alpha1.ReasonProgressing, "are being looked at for it", false},
	{"the operator may not write in one", func(f *facts) { f.fails(v1alpha1.ReasonForbidden, false, "shop") }, v1alpha1.ReasonForbidden, "namespace shop", true},
	{"some have nothing yet", func(f *facts) { f.summary.Selected += 2 }, v1alpha1.ReasonProgressing, "of 4 namespaces and is being written into the others", false},
	{"the value is of the spec before", func(f *facts) { f.run.spec.SpecHash = "other" }, v1alpha1.ReasonProgressing, "the source is read for it", false},
}

func TestOfTwoObstaclesTheGraverIsWhatReadySays(t *testing.T) {
	for i, graver := range obstacles {
		for _, other := range obstacles[i:] {
			f := served()
			graver.make(f)
			if other.name != graver.name {
				other.make(f)
			}
			status := f.status(&v1alpha1.RegistryCredentialStatus{}, noon.Add(time.Hour))
			t.Run(graver.name+", and "+other.name, func(t *testing.T) {
				want := []condition{ready("False", graver.reason, graver.message), gone(v1alpha1.ConditionStalled)}
				if graver.person {
					want[1] = stuck(graver.reason)
				}
				sees(t, status, want)
			})
		}
	}
}

// What one condition says is not taken from the value, the moment or the failure of another one.
func TestWhatTwoFactsAtOnceMakeOfTheConditions(t *testing.T) {
	available, verified := v1alpha1.ConditionCredentialAvailable, v1alpha1.ConditionVerified
	expired := func(f *facts, inUse, next time.Duration) {
		f.answer("one", rotation.Rejected, noon)
		f.waits(rotation.Hold, "")
		f.run.state.ExpireTime, f.run.state.Waiting.ExpireTime = noon.Add(inUse), noon.Add(next)
	}
	for _, test := range []struct {
		name   string
		change func(f *facts)
		want   condition
	}{
		{"it is suspended, and the source failed before", func(f *facts) {
			f.run.spec.Suspended, f.run.state.Reads.Fault = true, source.Stalled(v1alpha1.ReasonSecretNotFound, "nothing is there")
		}, condition{available, "Unknown", v1alpha1.ReasonSuspended, ""}},
		{"the source gives what is in use, which is older than what waits", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.run.state.Older = &rotation.Older{Value: rotation.Value{Digest: "one", Revision: "v1"}, Reads: 3}
		}, condition{available, "True", v1alpha1.ReasonRead, ""}},
		{"the value in use is of the spec before, and is accepted", func(f *facts) { f.run.spec.SpecHash = "other" }, condition{verified, "True", v1alpha1.ReasonAccepted, ""}},
		{"the value in use has ended, and the one that waits has not", func(f *facts) { expired(f, -time.Hour, 24*time.Hour) },
			condition{verified, "False", v1alpha1.ReasonNoLongerAccepted, "It expired at 2026-03-01T11:00:00Z"}},
		{"the one that waits has ended, and the value in use has not", func(f *facts) { expired(f, 24*time.Hour, -time.Hour) },
			condition{verified, "False", v1alpha1.ReasonNoLongerAccepted, "It was rotated: the source has revision v2 already"}},
		{"it was refused twice, and the source was read in between", func(f *facts) {
			f.answer("one", rotation.Rejected, noon.Add(-time.Hour))
			f.answer("one", rotation.Rejected, noon.Add(time.Minute))
		}, condition{verified, "False", v1alpha1.ReasonNoLongerAccepted, "The source still has it"}},
		{"of the value that waits images in use nearly are", func(f *facts) {
			f.waits(rotation.HoldOn, "it answers 429")
			f.run.state.Tests["two"] = rotation.Test{Question: f.run.spec.Question(accountAt("two")), Registry: host, NearMiss: host + ":5000/app:1"}
		}, condition{verified, "Unknown", v1alpha1.ReasonHeld, "is the port missing in spec.registries?"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			sees(t, f.status(&v1alpha1.RegistryCredentialStatus{}, noon.Add(time.Hour)), []condition{test.want})
		})
	}
}

// A time without its zone is read as that of whoever reads it.
func TestTimesAreToldInUTCWhereverTheOperatorRuns(t *testing.T) {
	at := noon.Add(3 * time.Hour).In(time.FixedZone("", 5*60*60))
	message := func(kind string, change func(f *facts)) string {
		f := served()
		change(f)
		return meta.FindStatusCondition(f.status(&v1alpha1.RegistryCredentialStatus{}, noon.Add(4*time.Hour)).Conditions, kind).Message
	}
	held := func(f *facts) {
		f.waits(rotation.Hold, "it answers 429")
		f.run.judgement.Until = at
	}
	value := rotation.Value{ExpireTime: at}
	minted := value
	minted.Minted = true
	f := served()
	held(f)
	for name, said := range map[string]string{
		"until when it is held": f.run.heldMessage(noon),
		"when it ended": message(v1alpha1.ConditionVerified, func(f *facts) {
			f.run.state.ExpireTime = at
			f.answer("one", rotation.Rejected, noon)
		}),
		"so, of what was made": message(v1alpha1.ConditionVerified, func(f *facts) {
			f.run.state.ExpireTime, f.run.state.Minted = at, true
			f.answer("one", rotation.Rejected, noon)
		}),
		"until when the value of a changed spec waits": message(v1alpha1.ConditionReady, func(f *facts) { held(f); f.run.spec.SpecHash = "other" }),
		"when the value before was refused": message(v1alpha1.ConditionRotationComplete, func(f *facts) {
			f.run.state.Previous = &rotation.Previous{Value: rotation.Value{Revision: "v0", Digest: "zero", Accounts: []rotation.Account{accountAt("zero")}}, ReplacedTime: noon}
			f.answer("zero", rotation.Rejected, at)
		}),
		"when it ends": expiryMessage(&value), "so, of what is made": expiryMessage(&minted),
	} {
		if !strings.Contains(said, "2026-03-01T15:00:00Z") || strings.Contains(said, "+05:00") {
			t.Errorf("%s: %s", name, said)
		}
	}
}

func TestHowLongAValueTookToBeEverywhereCountsFromItsPublication(t *testing.T) {
	r, recorder := telling()
	r.Now = func() time.Time { return noon.Add(90 * time.Second) }
	f := served()
	f.run.state.ChangeTime, f.run.state.ReadTime = noon, noon.Add(-time.Hour)
	r.tellOfRotation(f, &v1alpha1.RegistryCredentialStatus{}, f.status(&v1alpha1.RegistryCredentialStatus{}, noon))
	if told := heardOf(recorder); len(told) != 1 || !strings.Contains(told[0], "within 1m30s of its publication") {
		t.Errorf("told %q", told)
	}
}

// The age of pods is compared with since when they are attached: both are of the API server's clock.
func TestSinceWhenPodsAreAttachedIsByTheClockOfTheAPIServer(t *testing.T) {
	f := served()
	f.run.object.Spec.Target.Attach = v1alpha1.AttachPods
	r := &Reconciler{Now: func() time.Time { return noon }, Injection: func(*v1alpha1.RegistryCredential) injection.State { return injection.State{Known: true} }}
	for name, clock := range map[string]func() time.Time{"of its own": func() time.Time { return noon.Add(5 * time.Minute) }, "none is known": nil} {
		want := noon
		if r.ClusterNow = clock; clock != nil {
			want = clock()
		}
		if r.lookAtInjection(f); !f.attachment(nil).InjectedSince.Time.Equal(want) {
			t.Errorf("%s: since %s, want %s", name, f.attachment(nil).InjectedSince, want)
		}
	}
}

func TestAnEntryThatNobodyCanUseIsToldWithTheNameOfItsSecret(t *testing.T) {
	f := served()
	f.run.object.Spec.Target.SecretName = "other"
	f.summary.Findings = []delivered.Found{{Finding: dockerconfig.Finding{Reason: dockerconfig.ReasonShadowed, Message: "m"}, Namespace: "shop", Namespaces: 3}}
	if got := fmt.Sprint(f.kept()); !strings.Contains(got, "Secret other of namespace shop and 2 more") {
		t.Error(got)
	}
}

// Whatever a pass could not do is said: else nobody knows why nothing happens.
func TestAPassThatFailsIsSaidInTheStatus(t *testing.T) {
	r, object := reporting(t, 1, 1)
	clientset := inmemory.Clientset()
	for _, verb := range []string{"create", "update"} {
		clientset.PrependReactor(verb, "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("webhook") })
	}
	r.Store = records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {})
	r.Source = &steady{}
	if _, err := r.Reconcile(t.Context(), requestFor(object.Name)); err == nil {
		t.Error("it is not tried again")
	}
	sees(t, &stored(t, r, object.Name).Status, []condition{ready("False", v1alpha1.ReasonRecordNotKept, "the operator cannot write its record")})
}

// Another leader kept a record of one that was created since under the name. The deletion that the cache shows is of the one before.
func TestADeletionThatIsOfBeforeGivesNothingBack(t *testing.T) {
	r, object := reporting(t, 1, 1)
	record := r.Store.Get(object.Name)
	record.UID, record.Lease = "of another", &source.Lease{ID: "a"}
	r.Store = records.NewStore((&kept{}).client().CoreV1(), "regcred-system", func(string) {})
	if err := r.Store.Save(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	shown := stored(t, r, object.Name)
	shown.Finalizers, shown.Spec.DeletionPolicy = []string{v1alpha1.Finalizer}, v1alpha1.DeletionDelete
	if err := errors.Join(r.Client.Update(t.Context(), shown), r.Client.Delete(t.Context(), shown)); err != nil {
		t.Fatal(err)
	}
	r.Live, r.Leases = &live{uid: "of another", generation: 1}, releasing(func(lease source.Lease) { t.Errorf("%s is given back", lease.ID) })
	if _, err := r.Reconcile(t.Context(), requestFor(object.Name)); err == nil || len(stored(t, r, object.Name).Finalizers) != 1 {
		t.Errorf("it is let go: %v", err)
	}
}

package recovery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/inmemory"
)

// oneOrTheOther answers by the user name that it is shown.
type oneOrTheOther map[string]verify.Reason

func (o oneOrTheOther) Pull(_ context.Context, _ string, shown dockerconfig.Credential, _ ...string) []verify.Result {
	return []verify.Result{{Reason: o[shown.Username()], BeforeImage: o[shown.Username()] == verify.LoginFailed}}
}

// What a registry said of a value says nothing of the next one: pods wait for that, and would be told for minutes that it is refused.
func TestAnAnswerAboutAValueIsNotGivenForTheNextOne(t *testing.T) {
	for before, after := range map[verify.Reason]verify.Reason{
		verify.LoginFailed: verify.PullAllowed, verify.PullDenied: verify.PullAllowed, verify.PullAllowed: verify.LoginFailed, verify.ImageNotFound: verify.PullAllowed,
	} {
		now := start
		r := asking(t, &now, oneOrTheOther{"u": before, "next": after})
		question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "i"}
		access := func() diagnosis.Access {
			probe, _ := r.ask(t.Context(), "n", question)
			return probe.Access
		}
		first := access()
		record := r.Store.Get("hub")
		next, err := dockerconfig.NewCredential("next", "p")
		if err != nil {
			t.Fatal(err)
		}
		record.Config = dockerconfig.Config{"r.example": next}
		r.Store = records.NewStore(inmemory.Clientset().CoreV1(), "regcred-system", func(string) {}) // this client gives no versions
		if err := r.Store.Save(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		if got, want := access(), probeOf(verify.Result{Reason: after}, now).Access; got != want || first == want {
			t.Errorf("after %s of the value before, the next one is %s, and the registry says %s", before, got, after)
		}
	}
}

// A registry that takes long is not asked again as soon as it has answered, and a digest is pinned for a minute after it was read.
func TestAnAnswerHoldsFromWhenItCame(t *testing.T) {
	for reason, holds := range map[verify.Reason]time.Duration{verify.Timeout: silentFor, verify.PullAllowed: goodFor, verify.PullDenied: badFor} {
		now, asked := start, 0
		r := asking(t, &now, answers(func(string) verify.Result {
			asked++
			now = now.Add(45 * time.Second)
			return verify.Result{Reason: reason}
		}))
		question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "i"}
		r.ask(t.Context(), "n", question)
		now = now.Add(holds - time.Second)
		if r.ask(t.Context(), "n", question); asked != 1 {
			t.Errorf("%s: it is asked %d times within %s", reason, asked, holds)
		}
	}
}

// A value that the registry refuses now is shown to it by one at a time again, whatever it said of it before.
func TestAValueThatIsRefusedByNowIsShownByOneAtATime(t *testing.T) {
	for _, reason := range []verify.Reason{verify.LoginFailed, verify.RateLimited, verify.Timeout} {
		l := newLogin()
		l.begin("first", start)
		l.end("first", false, verify.PullAllowed, &answer{})
		l.begin("first", start)
		l.end("first", true, reason, &answer{until: start.Add(badFor)})
		asking := 0
		for n := range questionsAtOnce {
			if _, known, wait := l.begin(fmt.Sprint("n", n), start.Add(badFor)); !known && wait == 0 {
				asking++
			}
		}
		if asking != 1 {
			t.Errorf("after %s %d ask at once", reason, asking)
		}
	}
}

// Two images are two questions. While one of them cannot be asked the pod is looked at again soon, and nothing is done nor said of it.
func TestAPodWaitsForTheLastAnswerOfItsImages(t *testing.T) {
	const web, side = "c-00.example/web:1", "c-00.example/side:1"
	for _, waits := range []string{web, side} {
		r, seen := cured(t)
		r.Prober = answers(func(string) verify.Result { return verify.Result{Reason: verify.PullAllowed} })
		pod := thePod(t, r.Writer)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "side", Image: side})
		more := pod.Status.DeepCopy()
		more.ContainerStatuses = append(more.ContainerStatuses, *more.ContainerStatuses[0].DeepCopy())
		more.ContainerStatuses[1].Name = "side"
		if err := r.Writer.Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		pod.Status = *more
		if err := r.Writer.Status().Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		g, err := r.gather(t.Context(), thePod(t, r.Writer))
		if err != nil {
			t.Fatal(err)
		}
		questions := diagnosis.Diagnose(g.Facts).Questions
		if len(questions) != 2 {
			t.Fatalf("%d questions", len(questions))
		}
		for _, question := range questions {
			if question.Image != waits {
				r.ask(t.Context(), looked.Namespace, question) // known from now on
			}
		}
		record := r.Store.Get("c-00")
		busy := r.probes.login(verify.Fingerprint(record.Salt, "c-00.example", record.Config["c-00.example"]), g.Now)
		busy.begin(looked.Namespace, g.Now) // somebody asks
		verdict, err := r.diagnose(t.Context(), &g)
		if err != nil || verdict.Action != diagnosis.Wait || verdict.RecheckAfter != askSoon {
			t.Errorf("%s cannot be asked for now: %s, %s, again after %s, %v", waits, verdict.Action, verdict.Reason, verdict.RecheckAfter, err)
		}
		busy.end(looked.Namespace, false, "", nil)
		if look(t, r); len(seen.deleted) != 1 {
			t.Errorf("both are answered, and %d are deleted", len(seen.deleted))
		}
	}
}

// Each namespace has a share of the questions to a registry: in one for all, a tenant's images would use up those of others.
func TestAQuestionIsAskedForTheNamespaceOfItsPod(t *testing.T) {
	r, _ := cured(t)
	r.Prober = answers(func(string) verify.Result { return verify.Result{Reason: verify.PullAllowed} })
	g, err := r.gather(t.Context(), thePod(t, r.Writer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.diagnose(t.Context(), &g); err != nil || len(r.probes.logins) != 1 {
		t.Fatalf("%d logins are asked with: %v", len(r.probes.logins), err)
	}
	for _, asked := range r.probes.logins {
		if len(asked.namespaces) != 1 || asked.namespaces[looked.Namespace] == nil {
			t.Errorf("the share is that of %v", asked.namespaces)
		}
	}
}

// Of what registries said of several logins each key has its own.
func TestWhatARegistrySaidOfOneLoginIsNotSaidOfAnother(t *testing.T) {
	object := &v1alpha1.RegistryCredential{}
	object.Spec.Registries = []v1alpha1.Registry{"a.example", "b.example"}
	spec := rotation.SpecOf(object)
	a, b := rotation.Account{Print: "a", Host: "a.example", Keys: []string{"a.example"}}, rotation.Account{Print: "b", Host: "b.example", Keys: []string{"b.example"}}
	record := records.Record{Kept: rotation.Kept{Value: rotation.Value{Accounts: []rotation.Account{a, b}}, Tests: map[string]rotation.Test{
		"a": {Verdict: rotation.Rejected, Message: "locked", Question: spec.Question(a), Time: start},
		"b": {Verdict: rotation.Accepted, Question: spec.Question(b), Time: start},
	}}}
	if one, other := standingOf(&record, spec, "a.example"), standingOf(&record, spec, "b.example"); one.Rejected != "locked" || other.Rejected != "" || !other.Accepted.Equal(start) {
		t.Errorf("%+v, %+v", one, other)
	}
	if none := standingOf(&record, spec, "c.example"); none.Rejected != "" || !none.Accepted.IsZero() {
		t.Errorf("of a key that no login is for: %+v", none)
	}
}

// The changes of several credentials are not in the order of the restarts for them.
func TestAPodThatReplacesSeveralHadTheLatestOfTheirChanges(t *testing.T) {
	for _, changes := range [][]time.Duration{{0, time.Minute}, {time.Minute, 0}} {
		var s successors
		for _, change := range changes {
			s.expect(podOf("set", "a", start.Add(-time.Hour), corev1.PodPending), diagnosis.Verdict{Action: diagnosis.Restart, Change: start.Add(change)}, start)
		}
		if got := s.restartedFor(podOf("set", "b", start, corev1.PodPending)); !got.Equal(start.Add(time.Minute)) {
			t.Errorf("restarts for changes after %v: it had that at %s", changes, got)
		}
	}
}

// cachedKinds reads what is in the manager's cache, and of owners no more than their metadata.
type cachedKinds struct{ client.Reader }

func (c cachedKinds) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	switch into.(type) {
	case *v1alpha1.RegistryCredential, *corev1.Namespace, *metav1.PartialObjectMetadata:
		return c.Reader.Get(ctx, key, into, options...)
	}
	return fmt.Errorf("%T is in no cache", into)
}

// An owner's template, and a pod that runs, are in no cache.
func TestWhatNoCacheHoldsIsReadFromTheAPIServer(t *testing.T) {
	r, seen := cured(t)
	r.Cluster = cachedKinds{r.Cluster}
	if look(t, r); len(seen.deleted) != 1 {
		t.Errorf("%d are deleted; told: %q", len(seen.deleted), slices.Clone(seen.told))
	}
}

package recovery

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/test/inmemory"
)

type answers func(image string) verify.Result

func (a answers) Pull(_ context.Context, _ string, _ dockerconfig.Credential, images ...string) []verify.Result {
	return []verify.Result{a(images[0])}
}

func asking(t *testing.T, now *time.Time, prober Prober) *Reconciler {
	t.Helper()
	value, err := dockerconfig.NewCredential("u", "p")
	if err != nil {
		t.Fatal(err)
	}
	store := records.NewStore(inmemory.Clientset().CoreV1(), "regcred-system", func(string) {})
	config := dockerconfig.Config{"r.example": value, "*.r.example": value}
	record := records.Record{Credential: "hub", UID: "1", Kept: rotation.Kept{Value: rotation.Value{Config: config}}}
	record.Salt = make([]byte, 32)
	if err := store.Save(context.Background(), record); err != nil {
		t.Fatal(err)
	}
	return &Reconciler{Store: store, Prober: prober, Now: func() time.Time { return *now }}
}

func TestAQuestionThatCannotBeAskedMakesNobodyElseWait(t *testing.T) {
	for _, reason := range []verify.Reason{verify.NotTestable, verify.RedirectRefused, verify.TokenRealmRefused, verify.AddressRefused, verify.LoginUnproven} {
		for _, namespace := range []string{"tenant", "other"} {
			now := start
			r := asking(t, &now, answers(func(image string) verify.Result {
				if image == "bad" {
					return verify.Result{Reason: reason}
				}
				return verify.Result{Reason: verify.PullAllowed}
			}))
			question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "bad"}
			r.ask(context.Background(), "tenant", question)
			question.Image = "good"
			if probe, again := r.ask(context.Background(), namespace, question); probe.Access != diagnosis.AccessAllowed || again != 0 {
				t.Errorf("%s, and the next image in namespace %s: %+v %s", reason, namespace, probe, again)
			}
		}
	}
}

// A tag moves: a pod is pinned to what the registry said a minute ago at most. What a registry denies is asked less often.
func TestHowLongAnAnswerAboutAnImageHolds(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason verify.Reason
		holds  time.Duration
	}{
		{"the image may be pulled", verify.PullAllowed, time.Minute},
		{"the image may not be pulled", verify.PullDenied, 5 * time.Minute},
		{"there is no such image", verify.ImageNotFound, 5 * time.Minute},
		{"the registry does not answer", verify.Timeout, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, asked := start, 0
			r := asking(t, &now, answers(func(string) verify.Result {
				asked++
				return verify.Result{Reason: c.reason, Digest: fmt.Sprint("sha256:", asked)}
			}))
			ask := func(after time.Duration) string {
				now = start.Add(after)
				probe, _ := r.ask(context.Background(), "n", diagnosis.Question{Credential: "hub", Key: "r.example", Image: "i"})
				return probe.Digest
			}
			for _, after := range []time.Duration{0, c.holds - time.Nanosecond} {
				if got := ask(after); got != "sha256:1" {
					t.Errorf("after %s it is asked again: %s", after, got)
				}
			}
			if got := ask(c.holds); got != "sha256:2" {
				t.Errorf("after %s it is not asked again: %s", c.holds, got)
			}
		})
	}
}

func TestARetryAfterOfADayIsHeededForMinutes(t *testing.T) {
	now := start
	down := true
	r := asking(t, &now, answers(func(string) verify.Result {
		if down {
			return verify.Result{Reason: verify.RateLimited, RetryAfter: 24 * time.Hour}
		}
		return verify.Result{Reason: verify.PullAllowed}
	}))
	question := diagnosis.Question{Credential: "hub", Key: "r.example", Image: "i"}
	r.ask(context.Background(), "n", question)
	down = false
	now = now.Add(maxRetryAfter + time.Second)
	if probe, _ := r.ask(context.Background(), "n", question); probe.Access != diagnosis.AccessAllowed {
		t.Errorf("%+v", probe)
	}
}

// A password that a registry refuses is shown once, and not once more for each image: that locks accounts. What it says of one tenant's image is
// told to that tenant alone.
func TestWhatARegistrySaysOfATenantsImagesHoldsForTheTenant(t *testing.T) {
	for _, reason := range []verify.Reason{verify.RateLimited, verify.RegistryError, verify.Timeout, verify.Unreachable, verify.LoginFailed} {
		t.Run(string(reason), func(t *testing.T) {
			now := start
			down, registryDown := map[string]bool{"tenants": true}, false
			r := asking(t, &now, answers(func(image string) verify.Result {
				if down[image] || registryDown {
					return verify.Result{Reason: reason, RetryAfter: 24 * time.Hour, BeforeImage: registryDown}
				}
				return verify.Result{Reason: verify.PullAllowed}
			}))
			ask := func(namespace, image string) diagnosis.Access {
				probe, _ := r.ask(context.Background(), namespace, diagnosis.Question{Credential: "hub", Key: "r.example", Image: image})
				return probe.Access
			}
			if got := ask("other", "good"); got != diagnosis.AccessAllowed {
				t.Fatalf("the registry says %s of a good image", got)
			}
			ask("tenant", "tenants")
			if got := ask("other", "another"); got != diagnosis.AccessAllowed {
				t.Errorf("another namespace is told %q", got)
			}
			if got := ask("tenant", "second"); got == diagnosis.AccessAllowed {
				t.Error("the tenant has asked again at once")
			}
			down["third"], down["fourth"], down["fifth"] = true, true, true
			now = now.Add(maxRetryAfter + time.Second)
			ask("tenant", "third")
			ask("accomplice", "fourth")
			ask("another", "fifth")
			if got := ask("other", "sixth"); got != diagnosis.AccessAllowed {
				t.Errorf("three namespaces were told so of their images, and another one is told %q", got)
			}
			registryDown = true
			now = now.Add(maxRetryAfter + time.Second)
			ask("tenant", "third")
			registryDown = false
			if got := ask("other", "seventh"); got == diagnosis.AccessAllowed {
				t.Error("the registry said so before it was told an image, and another namespace asks")
			}
		})
	}
}

func TestWhatARegistryOfATenantsOwnSaysUnderAWildcardIsToldToNobodyElse(t *testing.T) {
	for _, reason := range []verify.Reason{verify.LoginFailed, verify.RateLimited, verify.Unreachable} {
		t.Run(string(reason), func(t *testing.T) {
			now, before := start, false
			r := asking(t, &now, answers(func(image string) verify.Result {
				if strings.HasPrefix(image, "theirs.") {
					return verify.Result{Reason: reason, RetryAfter: 24 * time.Hour, BeforeImage: before}
				}
				return verify.Result{Reason: verify.PullAllowed}
			}))
			ask := func(namespace, image string) diagnosis.Access {
				probe, _ := r.ask(context.Background(), namespace, diagnosis.Question{Credential: "hub", Key: "*.r.example", Image: image})
				return probe.Access
			}
			before = true // their registry refuses whatever it is asked for
			ask("tenant", "theirs.r.example/a")
			ask("accomplice", "theirs.r.example/b")
			if got := ask("other", "ours.r.example/c"); got != diagnosis.AccessAllowed {
				t.Errorf("another namespace is told %q", got)
			}
			if got := ask("tenant", "ours.r.example/d"); got == diagnosis.AccessAllowed {
				t.Error("the tenant has asked again at once")
			}
		})
	}
}

func TestAQuestionThatTakesLongDelaysItsOwnNamespace(t *testing.T) {
	now := start
	slow, asked := make(chan struct{}), make(chan string, 10)
	r := asking(t, &now, answers(func(image string) verify.Result {
		asked <- image
		if image == "slow" {
			<-slow
		}
		return verify.Result{Reason: verify.PullAllowed}
	}))
	ask := func(namespace, image string) time.Duration {
		_, wait := r.ask(context.Background(), namespace, diagnosis.Question{Credential: "hub", Key: "r.example", Image: image})
		return wait
	}
	done := make(chan struct{})
	first := make(chan struct{})
	go func() { defer close(first); ask("tenant", "slow") }()
	<-asked
	if wait := ask("other", "good"); wait == 0 {
		t.Error("a value that the registry never took is shown twice at once")
	}
	close(slow)
	<-first
	slow = make(chan struct{})
	now = now.Add(2 * goodFor)
	go func() { defer close(done); ask("tenant", "slow") }()
	<-asked
	if wait := ask("tenant", "good"); wait == 0 {
		t.Error("a namespace asks twice at once")
	}
	if wait := ask("other", "good"); wait != 0 {
		t.Errorf("another namespace waits %s", wait)
	}
	close(slow)
	<-done
}

func TestANamespaceCannotUseUpTheQuestions(t *testing.T) {
	now := start
	asked := 0
	r := asking(t, &now, answers(func(string) verify.Result { asked++; return verify.Result{Reason: verify.PullAllowed} }))
	for i := range 100 {
		r.ask(context.Background(), "tenant", diagnosis.Question{Credential: "hub", Key: "r.example", Image: fmt.Sprint(i)})
	}
	if probe, _ := r.ask(context.Background(), "other", diagnosis.Question{Credential: "hub", Key: "r.example", Image: "x"}); probe.Access != diagnosis.AccessAllowed || asked != namespaceBurst+1 {
		t.Errorf("%+v after %d questions", probe, asked)
	}
}

func TestAFewNamespacesThatAskWithoutEndLeaveAQuestionToOthers(t *testing.T) {
	now := start
	r := asking(t, &now, answers(func(string) verify.Result { return verify.Result{Reason: verify.PullAllowed} }))
	for i := range 1000 {
		for _, tenant := range []string{"a", "b", "c", "d"} {
			r.ask(context.Background(), tenant, diagnosis.Question{Credential: "hub", Key: "r.example", Image: fmt.Sprint(tenant, i)})
		}
		now = now.Add(20 * time.Millisecond)
	}
	if probe, wait := r.ask(context.Background(), "other", diagnosis.Question{Credential: "hub", Key: "r.example", Image: "x"}); probe.Access != diagnosis.AccessAllowed {
		t.Errorf("another namespace waits %s", wait)
	}
}

func TestWhatDepartedIsForgottenByTheBudget(t *testing.T) {
	var b budget
	for i := range 1000 {
		b.reserve(Limits{}, types.UID(fmt.Sprint(i)), fmt.Sprint("node", i), fmt.Sprint("n", i), 1, start)
	}
	later := start.Add(10 * time.Minute)
	b.reserve(Limits{}, "last", "node", "n", 1, later)
	if len(b.nodes) != 1 || len(b.namespaces) != 1 || len(b.due) != 1 {
		t.Errorf("kept: %d nodes, %d namespaces, %d times", len(b.nodes), len(b.namespaces), len(b.due))
	}
}

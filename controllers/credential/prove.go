package credential

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

// Prover tests credentials at registries.
type Prover interface {
	Login(ctx context.Context, key string, credential dockerconfig.Credential) verify.Result
	Pull(ctx context.Context, key string, credential dockerconfig.Credential, images ...string) []verify.Result
}

// Images finds images in use in some namespaces that a predicate matches.
type Images interface {
	InUse(ctx context.Context, namespaces []string, matches func(image string) bool, limit int) ([]string, error)
}

// sampled is how many images in use are asked for at one registry.
const sampled = 3

// proof is how verification stands, for the status.
type proof struct {
	// next is when there is something to test again.
	next time.Time
	// held is until when a new value is held back, zero where none is.
	held time.Time
	// verdict and message of the new value, where one waits or was refused.
	verdict publish.Verdict
	message string
}

// prove tests what was read, and publishes it if it may be. With nothing new, it tests what is published when that is due.
func (r *Reconciler) prove(ctx context.Context, run *run, candidate *source.Snapshot) error {
	run.memory.proof = proof{}
	if candidate == nil {
		return r.proveAgain(ctx, run)
	}
	if run.object.Spec.VerificationMode() == v1alpha1.VerifyOff {
		return r.publish(ctx, run, candidate, time.Time{}, "published without verification, as the spec says")
	}
	if run.record.Candidate == nil || run.record.Candidate.Revision != candidate.Revision {
		run.record.Candidate = &publish.Candidate{Revision: candidate.Revision, FirstSeen: r.Now()}
	}
	if err := r.testDue(ctx, run, candidate.Config); err != nil {
		return err
	}
	verdict, message := combine(r.testsOf(run, candidate.Config))
	inUse, _ := combine(r.testsOf(run, run.record.Config))
	state := publishedState{rejected: run.record.Published() && inUse == publish.Rejected, expires: run.record.ExpireTime}
	what, until := decide(verdict, run.record.Candidate.FirstSeen, run.object.Spec.Hold(), state, r.Now())
	switch what {
	case publishProven:
		return r.publish(ctx, run, candidate, r.Now(), "the registry accepts the new credential; published")
	case publishUnproven:
		return r.publish(ctx, run, candidate, time.Time{}, "published unproven: "+message)
	}
	next := r.nextTests(run, candidate.Config)
	if what == hold && until.Before(next) {
		next = until
	}
	if what == refuse {
		r.announceOnce(run, candidate.Revision, message)
	}
	run.memory.proof = proof{next: next, held: until, verdict: verdict, message: message}
	return nil
}

// proveAgain tests the published value when that is due. A registry that begins to refuse it has the source read at once.
func (r *Reconciler) proveAgain(ctx context.Context, run *run) error {
	if !run.record.Published() || run.object.Spec.VerificationMode() == v1alpha1.VerifyOff {
		return nil
	}
	before, _ := combine(r.testsOf(run, run.record.Config))
	if err := r.testDue(ctx, run, run.record.Config); err != nil {
		return err
	}
	after, message := combine(r.testsOf(run, run.record.Config))
	if after == publish.Rejected && before != publish.Rejected {
		r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonNoLongerAccepted, "Verify",
			"the registry refuses the credential in use: "+message+"; new pods will fail to pull. The source is read again now")
		run.memory.readNow = true
	}
	if after == publish.Accepted && run.record.VerifiedTime.IsZero() {
		run.record.VerifiedTime = r.Now()
		if err := r.Store.Save(ctx, run.record); err != nil {
			return err
		}
	}
	run.memory.proof.next = r.nextTests(run, run.record.Config)
	if run.memory.readNow {
		run.memory.proof.next = r.Now()
	}
	return nil
}

// testDue tests each entry of a config whose test is due, and keeps when and how it ended.
func (r *Reconciler) testDue(ctx context.Context, run *run, config dockerconfig.Config) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		print := verify.Fingerprint(salt(run), key, config[key])
		last, known := run.record.Tests[print]
		if known && r.Now().Before(nextTest(last, run.object.Spec.VerificationPeriod())) {
			continue
		}
		if err := r.test(ctx, run, key, config[key], print); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) test(ctx context.Context, run *run, key string, credential dockerconfig.Credential, print string) error {
	last := run.record.Tests[print]
	begun := last
	begun.Time, begun.Registry = r.Now(), registry.Host(key)
	r.keepTest(run, print, begun)
	if err := r.Store.Save(ctx, run.record); err != nil {
		return err // a test that could not be noted is not made: a crash loop would make it again and again
	}
	results, err := r.ask(ctx, run, key, credential)
	if err != nil {
		return err
	}
	ended := begun
	ended.Verdict, ended.Message = judge(results, run.images(), r.publishedPulls(ctx, run, key, credential))
	ended.Repeats = 1
	if ended.Verdict == last.Verdict {
		ended.Repeats = last.Repeats + 1
	}
	ended.Digests = nil
	for _, result := range results {
		if result.Digest == "" {
			continue
		}
		if ended.Digests == nil {
			ended.Digests = map[string]string{}
		}
		ended.Digests[result.Image] = result.Digest
	}
	r.Metrics.Verified(run.object.Name, string(ended.Verdict))
	r.keepTest(run, print, ended)
	return r.Store.Save(ctx, run.record)
}

// ask puts the question to one registry: the images of the spec, else images in use, else the login alone.
func (r *Reconciler) ask(ctx context.Context, run *run, key string, credential dockerconfig.Credential) ([]verify.Result, error) {
	if run.object.Spec.VerificationMode() == v1alpha1.VerifyLogin {
		return []verify.Result{r.Prover.Login(ctx, key, credential)}, nil
	}
	matches := func(image string) bool { return registry.Matches(key, image) }
	var images []string
	for _, image := range run.images() {
		if matches(image) {
			images = append(images, image)
		}
	}
	if len(images) == 0 {
		namespaces, err := r.selected(ctx, run.object)
		if err != nil {
			return nil, err
		}
		if images, err = r.Images.InUse(ctx, namespaces, matches, sampled); err != nil {
			return nil, err
		}
	}
	if len(images) == 0 {
		return []verify.Result{r.Prover.Login(ctx, key, credential)}, nil
	}
	return r.Prover.Pull(ctx, key, credential, images...), nil
}

// publishedPulls says whether the published value under the same key can pull an image that was denied to a new one. It is
// asked only where that matters, and not when the two are the same.
func (r *Reconciler) publishedPulls(ctx context.Context, run *run, key string, candidate dockerconfig.Credential) func(string) bool {
	return func(image string) bool {
		published, ok := run.record.Config[key]
		if !ok || published.Equal(candidate) {
			return false
		}
		results := r.Prover.Pull(ctx, key, published, image)
		return len(results) == 1 && results[0].Outcome == verify.Valid
	}
}

func (r *Reconciler) testsOf(run *run, config dockerconfig.Config) []publish.Test {
	var tests []publish.Test
	for _, key := range slices.Sorted(maps.Keys(config)) {
		tests = append(tests, run.record.Tests[verify.Fingerprint(salt(run), key, config[key])])
	}
	return tests
}

func (r *Reconciler) nextTests(run *run, config dockerconfig.Config) time.Time {
	var next time.Time
	for _, test := range r.testsOf(run, config) {
		if at := nextTest(test, run.object.Spec.VerificationPeriod()); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// keepTest replaces one test, and drops those of values that were not tested for a day.
func (r *Reconciler) keepTest(run *run, print string, test publish.Test) {
	tests := map[string]publish.Test{print: test}
	for other, kept := range run.record.Tests {
		if other != print && r.Now().Sub(kept.Time) < 24*time.Hour {
			tests[other] = kept
		}
	}
	run.record.Tests = tests
}

func (run *run) images() []string {
	if run.object.Spec.Verification == nil {
		return nil
	}
	return run.object.Spec.Verification.Images
}

func (r *Reconciler) announceOnce(run *run, revision, message string) {
	if run.memory.announced == revision {
		return
	}
	run.memory.announced = revision
	r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonRejected, "Verify",
		"a new value in the source is not published, because the registry refuses it: "+message+"; correct it in the source. What is published stays")
}

package credential

import (
	"context"
	"maps"
	"slices"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/verify"
)

// sampled is how many images in use are asked for at one registry.
const sampled = 3

// account is one value at one registry, under all docker config keys of it: ghcr.io/a and ghcr.io/b are one login.
type account struct {
	print      string
	host       string
	keys       []string
	credential dockerconfig.Credential
}

func (a account) covers(image string) bool {
	return slices.ContainsFunc(a.keys, func(key string) bool { return registry.Matches(key, image) })
}

// missesBarely reports whether the image would be covered if it had the port, or the letters, of a key.
func (a account) missesBarely(image string) bool {
	return slices.ContainsFunc(a.keys, func(key string) bool { return registry.MissesByPort(key, image) || registry.MissesByCase(key, image) })
}

// accountsOf are the values of a config, each once for a registry.
func accountsOf(run *run, config dockerconfig.Config) []account {
	var accounts []account
	for _, key := range slices.Sorted(maps.Keys(config)) {
		print := verify.Fingerprint(salt(run), key, config[key])
		i := slices.IndexFunc(accounts, func(a account) bool { return a.print == print })
		if i < 0 {
			i = len(accounts)
			accounts = append(accounts, account{print: print, host: registry.Host(key), credential: config[key]})
		}
		accounts[i].keys = append(accounts[i].keys, key)
	}
	return accounts
}

// testsOf are the last tests of a config's values.
func (r *Reconciler) testsOf(run *run, config dockerconfig.Config) []records.Test {
	var tests []records.Test
	for _, account := range accountsOf(run, config) {
		tests = append(tests, run.record.Tests[account.print])
	}
	return tests
}

// testDue tests each value of a config whose test is due, and keeps when and how it ended.
func (r *Reconciler) testDue(ctx context.Context, run *run, config dockerconfig.Config) error {
	for _, account := range accountsOf(run, config) {
		last, known := run.record.Tests[account.print]
		if known && r.Now().Before(r.nextTest(run, last)) {
			continue
		}
		if err := r.test(ctx, run, account); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) test(ctx context.Context, run *run, account account) error {
	last := run.record.Tests[account.print]
	begun, err := r.beginTest(ctx, run, account)
	if err != nil {
		return err
	}
	results, nearMiss, err := r.ask(ctx, run, account)
	if err != nil {
		return err
	}
	pulls, err := r.publishedPulls(ctx, run, account, results)
	if err != nil {
		return err
	}
	ended := begun
	ended.NearMiss = nearMiss
	ended.Verdict, ended.Message = judge(results, run.images(), pulls)
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
	r.keepTest(run, account.print, ended)
	return r.Store.Save(ctx, run.record)
}

// beginTest keeps that a registry is about to be asked. A test that could not be noted is not made: a crash loop would make it
// again and again.
func (r *Reconciler) beginTest(ctx context.Context, run *run, account account) (records.Test, error) {
	begun := run.record.Tests[account.print]
	begun.Time, begun.Registry = r.Now(), account.host
	r.keepTest(run, account.print, begun)
	return begun, r.Store.Save(ctx, run.record)
}

// ask puts the question to one registry: the images of the spec, else images in use, else the login alone. Where no image in use
// is covered, nearMiss is one that would be if the registry had its port or its letters.
func (r *Reconciler) ask(ctx context.Context, run *run, account account) (results []verify.Result, nearMiss string, err error) {
	if run.object.Spec.VerificationMode() == v1alpha1.VerifyLogin {
		return []verify.Result{r.Prover.Login(ctx, account.host, account.credential)}, "", nil
	}
	var images []string
	for _, image := range run.images() {
		if account.covers(image) {
			images = append(images, image)
		}
	}
	if len(images) == 0 {
		namespaces, err := r.selected(ctx, run.object)
		if err != nil {
			return nil, "", err
		}
		matches := func(image string) bool {
			if nearMiss == "" && account.missesBarely(image) && !r.served(run, image) {
				nearMiss = image
			}
			return account.covers(image)
		}
		if images, err = r.Images.InUse(ctx, namespaces, matches, sampled); err != nil {
			return nil, "", err
		}
	}
	if len(images) == 0 {
		return []verify.Result{r.Prover.Login(ctx, account.host, account.credential)}, nearMiss, nil
	}
	return r.Prover.Pull(ctx, account.host, account.credential, images...), "", nil
}

// served reports whether another registry of the spec, or another published credential, is for an image.
func (r *Reconciler) served(run *run, image string) bool {
	if coveredBy(run.object.Spec.Registries, image) {
		return true
	}
	for name, record := range r.Store.All() {
		for key := range record.Config {
			if name != run.object.Name && registry.Matches(key, image) {
				return true
			}
		}
	}
	return false
}

// publishedPulls says which of the images that were denied to a new value the published one can pull. It is asked for all of them
// together, so that it logs in once, and only where that matters: not for images that the spec names, not where the two are the
// same, and not where it is known to be refused. That it was asked counts as a test of it.
func (r *Reconciler) publishedPulls(ctx context.Context, run *run, candidate account, results []verify.Result) (func(image string) bool, error) {
	var denied []string
	for _, result := range results {
		if result.Reason == verify.PullDenied && !slices.Contains(run.images(), result.Image) {
			denied = append(denied, result.Image)
		}
	}
	pulled := map[string]bool{}
	for _, published := range accountsOf(run, run.record.Config) {
		covered := slices.DeleteFunc(slices.Clone(denied), func(image string) bool { return !published.covers(image) })
		if len(covered) == 0 || published.print == candidate.print || run.record.Tests[published.print].Verdict == records.Rejected {
			continue
		}
		if _, err := r.beginTest(ctx, run, published); err != nil {
			return nil, err
		}
		for _, result := range r.Prover.Pull(ctx, published.host, published.credential, covered...) {
			pulled[result.Image] = pulled[result.Image] || result.Outcome == verify.Valid
			if result.Reason == verify.LoginFailed {
				run.memory.doubtTime = r.Now() // it ended, too: its own test follows
			}
		}
	}
	return func(image string) bool { return pulled[image] }, nil
}

// nextTest says when a value is tested again: after its period, or at once where a pod was refused since it was last accepted. A
// value that is refused is not tested sooner for it: that would bring the account nearer to being locked.
func (r *Reconciler) nextTest(run *run, last records.Test) time.Time {
	if last.Verdict == records.Accepted && last.Time.Before(run.memory.doubtTime) {
		return last.Time.Add(verify.MinInterval)
	}
	return nextTest(last, run.object.Spec.VerificationPeriod(), r.Now())
}

// nextTests is when the first value of a config is tested again.
func (r *Reconciler) nextTests(run *run, config dockerconfig.Config) time.Time {
	var times []time.Time
	for _, test := range r.testsOf(run, config) {
		times = append(times, r.nextTest(run, test))
	}
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}

// doubted notes that more pods were refused with the published value, and reports whether it is to be tested now for that.
func (r *Reconciler) doubted(run *run) bool {
	m := run.memory
	if doubts := r.Pods.Doubts(run.object.Name); doubts != m.doubts {
		m.doubts, m.doubtTime = doubts, r.Now()
	}
	return slices.ContainsFunc(r.testsOf(run, run.record.Config), func(last records.Test) bool {
		return last.Verdict == records.Accepted && last.Time.Before(m.doubtTime) && !r.Now().Before(r.nextTest(run, last))
	})
}

// keepTests is how long a test is remembered: twice the longest period.
const keepTests = 48 * time.Hour

// keepTest replaces one test, and drops those of values that were not tested for long.
func (r *Reconciler) keepTest(run *run, print string, test records.Test) {
	tests := map[string]records.Test{print: test}
	for other, kept := range run.record.Tests {
		if other != print && r.Now().Sub(kept.Time) < keepTests {
			tests[other] = kept
		}
	}
	run.record.Tests = tests
}

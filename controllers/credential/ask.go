package credential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/verify"
)

const (
	// sampled is how many images in use are asked for at one registry.
	sampled = 3
	// hostsLookedAt is of how many other hosts of images in use it is found out whether somebody serves them, hostsTold how many are told.
	hostsLookedAt, hostsTold = 8, 3
)

// Asker asks a registry whether a value works.
type Asker interface {
	Ask(ctx context.Context, question verify.Question) verify.Answer
}

// Images finds images in use in some namespaces that a predicate matches.
type Images interface {
	InUse(ctx context.Context, namespaces []string, matches func(image string) bool, limit int) ([]string, error)
}

// ask starts a test. That a registry is about to be asked is kept first: a crash loop would ask it again and again.
func (r *Reconciler) ask(ctx context.Context, run *run, account rotation.Account) error {
	next := run.state.Clone()
	next.NoteAttempt(account, r.Now())
	if err := r.write(ctx, run, next); err != nil {
		return err
	}
	credential, known := contentOf(&run.state, account)
	if !known {
		return nil
	}
	question := verify.Question{
		Keys: account.Keys, Credential: credential, LoginOnly: run.spec.Mode == v1alpha1.VerifyLogin, InUse: nil,
	}
	for _, image := range run.spec.Images {
		if covers(account.Keys, image) {
			question.Named = append(question.Named, image)
		}
	}
	old := r.contrast(run, account, &question)
	doubts := !answeredBefore(&run.state, account.Host)
	object := run.object.DeepCopy() // the status is written into run.object while the test runs
	served, one := r.servedByOthers(object), answered{account: account, question: run.spec.Question(account)}
	waiting := run.waitingWith(account)
	r.tests.start(job{credential: run.object.Name, uid: run.object.UID, host: account.Host, print: account.Print, ask: func(ctx context.Context) []answered {
		span := r.Traces.Test(object.Name, waiting, account.Host)
		all := r.askNow(ctx, question, object, served, one, old, doubts)
		span.End(string(all[0].answer.Verdict), all[0].answer.Verdict == rotation.Rejected)
		return all
	}})
	return nil
}

// contrast adds the value in use at the same registry to a question, where that is another one and not known to be refused.
func (r *Reconciler) contrast(run *run, account rotation.Account, question *verify.Question) *answered {
	for _, mine := range run.state.Accounts {
		if mine.Print == account.Print || mine.Host != account.Host || run.state.Tests[mine.Print].Verdict == rotation.Rejected {
			continue
		}
		if credential, known := contentOf(&run.state, mine); known {
			question.InUse = &verify.InUse{Keys: mine.Keys, Credential: credential}
			return &answered{account: mine, question: run.spec.Question(mine), aside: true}
		}
	}
	return nil
}

// answeredBefore reports whether a registry ever said yes or no: its name is no typo then.
func answeredBefore(s *rotation.State, host string) bool {
	for _, test := range s.Tests {
		if test.Registry == host && (test.Verdict == rotation.Accepted || test.Verdict == rotation.Rejected) {
			return true
		}
	}
	return false
}

// askNow puts a question, and gives the answers about the account and about the value in use, where that was asked, too. With doubts, the name
// of a registry that is not there may be one that another credential has right.
func (r *Reconciler) askNow(ctx context.Context, question verify.Question, object *v1alpha1.RegistryCredential, served func(string) bool, one answered, old *answered, doubts bool) []answered {
	doubted := ""
	if !question.LoginOnly && len(question.Named) == 0 {
		seen, err := r.sample(ctx, question.Keys, object, served)
		if err != nil {
			one.answer = rotation.Answer{Verdict: rotation.Unknown, Message: "the images in use could not be listed, so that there was nothing to ask the registry for; this is tried again"}
			return []answered{one}
		}
		question.Sampled, one.answer.NearMiss, one.answer.Elsewhere, doubted = seen.images, seen.nearMiss, seen.elsewhere, seen.servedMiss
	}
	answer := r.Asker.Ask(ctx, question)
	if one.answer.NearMiss == "" && answer.NoRegistry && doubts {
		one.answer.NearMiss = doubted
	}
	nearMiss, elsewhere := one.answer.NearMiss, one.answer.Elsewhere
	one.answer = rotation.Answer{
		Verdict: rotation.Verdict(answer.Verdict), Proof: rotation.Proof(answer.Proof), Message: answer.Message,
		Digests: answer.Digests, NearMiss: nearMiss, Elsewhere: elsewhere, RetryAfter: answer.RetryAfter,
	}
	all := []answered{one}
	if old != nil && answer.InUse != "" {
		old.answer = rotation.Answer{Verdict: rotation.Verdict(answer.InUse), Proof: rotation.ProofLogin, Message: answer.InUseMessage}
		all = append(all, *old)
	}
	return all
}

// seen is what was found of images in use for some keys.
type seen struct {
	// images that the keys are for.
	images []string
	// nearMiss is one that they would be for if the registry were written as in it, servedMiss such a one that another credential serves, and
	// elsewhere the hosts of those that nobody is known to serve. All are empty where there are images.
	nearMiss, servedMiss string
	elsewhere            []string
}

// sample finds images in use that the keys are for, or else where those in use are from.
func (r *Reconciler) sample(ctx context.Context, keys []string, object *v1alpha1.RegistryCredential, served func(string) bool) (seen, error) {
	namespaces, err := r.selected(ctx, object)
	if err != nil {
		return seen{}, err
	}
	var found seen
	others := map[string]string{} // an image of each other host
	matches := func(image string) bool {
		misses := slices.ContainsFunc(keys, func(key string) bool { return registry.Misses(key, image) != "" })
		switch {
		case !misses || found.nearMiss != "":
		case !served(image):
			found.nearMiss = image
		case found.servedMiss == "" && !coveredBy(object.Spec.Registries, image):
			found.servedMiss = image
		}
		// An entry per host covers more than the registries of the spec, of which alone the credential is known to be for.
		if covers(keys, image) && coveredBy(object.Spec.Registries, image) {
			return true
		}
		if parsed, err := registry.ParseImage(image); err == nil && len(others) < hostsLookedAt {
			others[parsed.Registry] = image
		}
		return false
	}
	found.images, err = r.Images.InUse(ctx, namespaces, matches, sampled)
	if len(found.images) > 0 {
		return seen{images: found.images}, err
	}
	found.elsewhere = unserved(others, served)
	return found, err
}

// unserved are the first of some hosts, each with an image of it, that nobody is known to serve.
func unserved(images map[string]string, served func(image string) bool) []string {
	var hosts []string
	for _, host := range slices.Sorted(maps.Keys(images)) {
		if len(hosts) < hostsTold && !served(images[host]) {
			hosts = append(hosts, foreign.Name(host))
		}
	}
	return hosts
}

// servedByOthers says which images another registry of the spec, or another published credential, is for.
func (r *Reconciler) servedByOthers(object *v1alpha1.RegistryCredential) func(image string) bool {
	registries, name := object.Spec.Registries, object.Name
	return func(image string) bool {
		if coveredBy(registries, image) {
			return true
		}
		for other, record := range r.Store.All() {
			for key := range record.Config {
				if other != name && registry.Matches(key, image) {
					return true
				}
			}
		}
		return false
	}
}

// takeAnswers notes what registries said since the last pass.
func (r *Reconciler) takeAnswers(ctx context.Context, run *run) error {
	all := r.tests.take(run.object.Name, run.object.UID)
	if len(all) == 0 {
		return nil
	}
	before, _ := run.state.Of(run.spec, &run.state.Value)
	next := run.state.Clone()
	for _, one := range all {
		one.note(&next, r.Now())
		r.Metrics.Verified(run.object.Name, string(one.answer.Verdict))
	}
	next.NoteVerdict(run.spec, r.Now())
	var tell func()
	if after, test := next.Of(run.spec, &next.Value); next.Published() && after == rotation.Rejected && before != rotation.Rejected {
		tell = func() {
			r.event(run.object, corev1.EventTypeWarning, v1alpha1.ReasonNoLongerAccepted, "Verify",
				"the registry refuses the credential in use: "+test.Message+"; "+whatFollows(run, &next, r.Now()))
		}
	}
	return r.keep(ctx, run, next, tell)
}

// whatFollows says what becomes of a value in use that the registry refuses: the same answers can say that it accepts the next one.
func whatFollows(run *run, s *rotation.State, now time.Time) string {
	judged, waits := s.Judge(run.spec, now)
	switch {
	case waits && judged.Fate == rotation.PublishProven && s.Waiting != nil:
		return fmt.Sprintf("it accepts revision %s of the source, which is put in use now", s.Waiting.Revision)
	case waits && judged.Fate == rotation.Refuse && s.Waiting != nil:
		return fmt.Sprintf("new pods will fail to pull. It refuses revision %s of the source, too", s.Waiting.Revision)
	case waits && s.Waiting != nil:
		return fmt.Sprintf("new pods will fail to pull. Revision %s of the source is being tested", s.Waiting.Revision)
	}
	return "new pods will fail to pull. The source is read again now"
}

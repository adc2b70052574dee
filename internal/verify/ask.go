package verify

import (
	"context"
	"slices"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
)

// Ask puts a question. The login comes first, and is judged for itself; a wrong value is shown to each host once. Each host has
// Options.Timeout for the value, and as long again for the value in use where that has to be asked.
func (v *Verifier) Ask(ctx context.Context, question Question) Answer {
	reports := v.reportsOf(ctx, &question)
	if len(reports) == 0 {
		return Answer{Verdict: ValueUnknown, Message: "a key with a wildcard names no single registry, and no image in use tells one: name an image in spec.verification.images"}
	}
	return judge(&question, reports)
}

// report is what one host said.
type report struct {
	host     string
	wildcard bool
	// login of the value, and the images that were asked for with it.
	login  Result
	images []Result
	// inUseLogin is that of the value in use, nil where it was not asked. inUsePulls are the images that it can pull.
	inUseLogin *Result
	inUsePulls map[string]bool
}

// reportsOf asks each host of a question.
func (v *Verifier) reportsOf(ctx context.Context, q *Question) []report {
	var reports []report
	for _, host := range hostsOf(q) {
		r := v.examine(ctx, host, q.Credential, imagesAt(q, host))
		r.wildcard = !slices.ContainsFunc(q.Keys, func(key string) bool { return !registry.HasWildcard(key) })
		if q.InUse != nil && needsContrast(q, &r) {
			v.addContrast(ctx, q, &r)
		}
		reports = append(reports, r)
	}
	return reports
}

// hostsOf are the hosts that a question is put to: that of its keys, or for keys with wildcards those of its images.
func hostsOf(q *Question) []string {
	var hosts []string
	for _, key := range q.Keys {
		if host := registry.Host(key); !registry.HasWildcard(key) && host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) > 0 {
		return hosts
	}
	for _, image := range imagesOf(q) {
		if parsed, err := registry.ParseImage(image); err == nil && !slices.Contains(hosts, parsed.Registry) {
			hosts = append(hosts, parsed.Registry)
		}
	}
	return hosts
}

// imagesOf are the images that a question is about: those that are named, else those that were found in use.
func imagesOf(q *Question) []string {
	images := q.Named
	if len(images) == 0 {
		images = q.Sampled
	}
	if q.LoginOnly && !onlyWildcards(q.Keys) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(images), func(image string) bool {
		return len(image) > MaxImageLength || !slices.ContainsFunc(q.Keys, func(key string) bool { return registry.Matches(key, image) })
	})
}

func onlyWildcards(keys []string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return !registry.HasWildcard(key) })
}

// imagesAt are the images of a question that are at a host. A kubelet also shows the value for Docker Hub to hosts without a dot, such
// as localhost: those are not asked.
func imagesAt(q *Question, host string) []string {
	if q.LoginOnly {
		return nil
	}
	return slices.DeleteFunc(imagesOf(q), func(image string) bool {
		parsed, err := registry.ParseImage(image)
		return err != nil || parsed.Registry != host
	})
}

// examine asks one host: the login, and then each image.
func (v *Verifier) examine(ctx context.Context, host string, credential dockerconfig.Credential, images []string) report {
	r := report{host: host}
	if credential.IsZero() {
		r.login = notTestable(host, "", "there is no credential to test")
		return r
	}
	s, err := v.open(host, credential)
	if err != nil {
		r.login = notTestable(host, "", "the registry's name cannot be part of a URL: correct it")
		return r
	}
	defer s.close()
	ctx, cancel := context.WithDeadline(ctx, s.deadline)
	defer cancel()
	challenge, login := s.enter(ctx)
	s.access = &access{challenge, login}
	r.login = login.describe()
	if !r.login.letsIn() {
		return r
	}
	for _, image := range images {
		parsed, err := registry.ParseImage(image)
		if err != nil {
			continue // hostsOf and imagesAt parsed it before
		}
		found := s.pull(ctx, parsed)
		found.Image = image
		r.images = append(r.images, found.describe())
	}
	return r
}

// addContrast asks the same host with the value in use: the login, and the images that the new value was denied.
func (v *Verifier) addContrast(ctx context.Context, q *Question, r *report) {
	var denied []string
	for _, result := range r.images {
		if result.Reason == PullDenied && slices.ContainsFunc(q.InUse.Keys, func(key string) bool { return registry.Matches(key, result.Image) }) {
			denied = append(denied, result.Image)
		}
	}
	old := v.examine(ctx, r.host, q.InUse.Credential, denied)
	r.inUseLogin, r.inUsePulls = &old.login, map[string]bool{}
	for _, result := range old.images {
		r.inUsePulls[result.Image] = result.Outcome == Valid
		if result.Outcome == Valid && old.login.Outcome != Valid {
			r.inUseLogin = &result
		}
	}
}

// needsContrast reports whether what a host said can only be read beside what it says to the value in use.
func needsContrast(q *Question, r *report) bool {
	if r.login.unclear() || r.wildcard && r.login.Reason == LoginFailed {
		return true
	}
	return len(q.Named) == 0 && slices.ContainsFunc(r.images, func(result Result) bool { return result.Reason == PullDenied })
}

// letsIn reports whether images may be asked for after a login.
func (r Result) letsIn() bool { return r.Reason == LoginAccepted || r.Reason == LoginUnproven }

// unclear reports whether a registry answered a login that it had asked for in a way that is neither yes nor a plain no, and no fault
// that passes. Token services of clouds answer a wrong password with 400, others with a 403 in words of their own.
func (r Result) unclear() bool {
	if r.Step != StepToken && r.Step != StepBasic || r.Reason != RegistryError && r.Reason != RedirectRefused {
		return false
	}
	switch r.StatusCode {
	case 0, 408, 425, 429:
		return false
	}
	return r.StatusCode < 500
}

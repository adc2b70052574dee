package verify

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// said makes a result as the asking part does.
func said(image string, reason Reason, step Step, status int) Result {
	found := finding{Result: Result{Registry: "r.io", Image: image, Reason: reason, Step: step, StatusCode: status}}
	return found.describe()
}

func login(reason Reason, status int) Result { return said("", reason, StepToken, status) }
func pulled(image string, reason Reason) Result {
	return said(image, reason, StepHead, map[Reason]int{PullAllowed: 200, PullDenied: 403, ImageNotFound: 404, RateLimited: 429, RegistryError: 503}[reason])
}

func pullsOf(reasons ...Reason) []Result {
	var pulls []Result
	for i, reason := range reasons {
		pulls = append(pulls, pulled("r.io/"+string(rune('a'+i)), reason))
	}
	return pulls
}

func TestWhatOneHostSaysIsJudged(t *testing.T) {
	accepted, refused := login(LoginAccepted, 200), login(LoginFailed, 401)
	odd := login(RegistryError, 400)
	type inUse struct {
		login Result
		pulls []Result
	}
	for _, test := range []struct {
		name     string
		named    bool
		wildcard bool
		login    Result
		pulls    []Result
		inUse    *inUse
		want     Verdict
		proof    Proof
		wantOld  Verdict
	}{
		{name: "a login that is accepted, and no image", login: accepted, want: ValueAccepted, proof: ProvenByLogin},
		{name: "a login that is plainly refused", login: refused, want: ValueRejected},
		{name: "a login that nobody looked at, and no image", login: login(LoginUnproven, 200), want: ValueUnknown},
		{name: "429 for the login, though the value in use logs in", login: login(RateLimited, 429), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "503 for the login, though the value in use logs in", login: login(RegistryError, 503), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "500 for the login, though the value in use logs in", login: login(RegistryError, 500), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "499 for the login, and the value in use logs in", login: login(RegistryError, 499), inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "408 for the login, though the value in use logs in", login: login(RegistryError, 408), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "425 for the login, though the value in use logs in", login: login(RegistryError, 425), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "silence, though the value in use logs in", login: login(Timeout, 0), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "400 for the login, and the value in use logs in", login: odd, inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "403 in text for the login, and the value in use logs in", login: login(RegistryError, 403), inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "404 for the login, and the value in use logs in", login: login(RegistryError, 404), inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "a redirect for the login, and the value in use logs in", login: login(RedirectRefused, 302), inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "400 for both logins", login: odd, inUse: &inUse{login: odd}, want: ValueUnknown, wantOld: ValueUnknown},
		{name: "400 for the login, and no value in use", login: odd, want: ValueUnknown},
		{name: "400 for the login, and the value in use is refused", login: odd, inUse: &inUse{login: refused}, want: ValueUnknown, wantOld: ValueRejected},
		{name: "400 for a login by Basic, and the value in use logs in", login: said("", RegistryError, StepBasic, 400), inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "400 before any login was asked for", login: said("", RegistryError, StepPing, 400), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},

		{name: "all named images are pulled", named: true, login: accepted, pulls: pullsOf(PullAllowed, PullAllowed), want: ValueAccepted, proof: ProvenByPull},
		{name: "a named image is denied behind one that is gone", named: true, login: accepted, pulls: pullsOf(ImageNotFound, PullDenied), want: ValueRejected},
		{name: "a named image is denied before one that is gone", named: true, login: accepted, pulls: pullsOf(PullDenied, ImageNotFound), want: ValueRejected},
		{name: "a named image is gone and another is pulled", named: true, login: accepted, pulls: pullsOf(PullAllowed, ImageNotFound), want: ValueUnknown},
		{name: "429 for a named image", named: true, login: accepted, pulls: pullsOf(PullAllowed, RateLimited), want: ValueUnknown},
		{name: "a named image that everybody may pull proves nothing", named: true, login: login(LoginUnproven, 200), pulls: pullsOf(LoginUnproven), want: ValueUnknown},

		{name: "a named image is for everybody, and the next one has the login refused", named: true, login: refused, pulls: pullsOf(LoginUnproven), want: ValueRejected},
		{name: "an image in use is for everybody, and the next one has the login refused", login: refused, pulls: pullsOf(LoginUnproven), want: ValueRejected},

		{name: "one image in use is pulled, another is gone", login: accepted, pulls: pullsOf(ImageNotFound, PullAllowed), want: ValueAccepted, proof: ProvenByPull},
		{name: "all images in use are gone", login: accepted, pulls: pullsOf(ImageNotFound, ImageNotFound), want: ValueAccepted, proof: ProvenByLogin},
		{name: "an image in use is denied, and the value in use pulls it", login: accepted, pulls: pullsOf(PullDenied), inUse: &inUse{accepted, pullsOf(PullAllowed)}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "the same where another image is pulled", login: accepted, pulls: pullsOf(PullAllowed, PullDenied), inUse: &inUse{accepted, []Result{pulled("r.io/b", PullAllowed)}}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "an image in use is denied behind one that is gone, and the value in use pulls it", login: accepted, pulls: pullsOf(ImageNotFound, PullDenied),
			inUse: &inUse{accepted, []Result{pulled("r.io/b", PullAllowed)}}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "an image in use is denied before one that is gone, and the value in use pulls it", login: accepted, pulls: pullsOf(PullDenied, ImageNotFound),
			inUse: &inUse{accepted, []Result{pulled("r.io/a", PullAllowed)}}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "an image in use is denied behind one that is gone, and there is nothing to compare with", login: accepted, pulls: pullsOf(ImageNotFound, PullDenied), want: ValueUnknown},
		{name: "an image in use is denied before one that is gone, and there is nothing to compare with", login: accepted, pulls: pullsOf(PullDenied, ImageNotFound), want: ValueUnknown},
		{name: "an image in use is denied to both", login: accepted, pulls: pullsOf(PullDenied), inUse: &inUse{accepted, pullsOf(PullDenied)}, want: ValueAccepted, proof: ProvenByLogin, wantOld: ValueAccepted},
		{name: "an image in use is denied, and there is nothing to compare with", login: accepted, pulls: pullsOf(PullDenied), want: ValueUnknown},
		{name: "an image in use is denied, and the value in use is refused", login: accepted, pulls: pullsOf(PullDenied), inUse: &inUse{login: refused}, want: ValueUnknown, wantOld: ValueRejected},
		{name: "an image in use is denied, and 503 for the value in use", login: accepted, pulls: pullsOf(PullDenied), inUse: &inUse{accepted, pullsOf(RegistryError)}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "503 for an image in use that is denied to the value in use", login: accepted, pulls: pullsOf(RegistryError), inUse: &inUse{accepted, pullsOf(PullDenied)}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "an image in use is pulled with both", login: accepted, pulls: pullsOf(PullAllowed), inUse: &inUse{accepted, pullsOf(PullAllowed)}, want: ValueAccepted, proof: ProvenByPull, wantOld: ValueAccepted},
		{name: "an image in use is denied, and the value in use pulls it though nobody looked at its login", login: accepted, pulls: pullsOf(PullDenied),
			inUse: &inUse{login(LoginUnproven, 200), pullsOf(PullAllowed)}, want: ValueRejected, wantOld: ValueAccepted},
		{name: "an image in use is denied to both, and nobody looked at the login of the value in use", login: accepted, pulls: pullsOf(PullDenied),
			inUse: &inUse{login(LoginUnproven, 200), pullsOf(PullDenied)}, want: ValueAccepted, proof: ProvenByLogin, wantOld: ValueUnknown},
		{name: "503 for every image in use", login: accepted, pulls: pullsOf(RegistryError), want: ValueUnknown},
		{name: "a login that nobody looked at, and all images are gone", login: login(LoginUnproven, 200), pulls: pullsOf(ImageNotFound), want: ValueUnknown},
		{name: "a login that nobody looked at, and an image that is pulled with it alone", login: login(LoginUnproven, 200), pulls: pullsOf(PullAllowed), want: ValueAccepted, proof: ProvenByPull},

		{name: "a host behind a wildcard refuses, and there is no value in use", wildcard: true, login: refused, want: ValueUnknown},
		{name: "a host behind a wildcard is silent, though the value in use logs in", wildcard: true, login: login(Timeout, 0), inUse: &inUse{login: accepted}, want: ValueUnknown, wantOld: ValueAccepted},
		{name: "a host behind a wildcard refuses both", wildcard: true, login: refused, inUse: &inUse{login: refused}, want: ValueUnknown, wantOld: ValueUnknown},
		{name: "a host behind a wildcard refuses, and the value in use logs in", wildcard: true, login: refused, inUse: &inUse{login: accepted}, want: ValueRejected, wantOld: ValueAccepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := evidence{hostQuestion: hostQuestion{host: "r.io", wildcard: test.wildcard}, login: test.login, pulls: test.pulls}
			if test.inUse != nil {
				e.inUse, e.inUsePulls = &test.inUse.login, map[string]Result{}
				for _, pull := range test.inUse.pulls {
					e.inUsePulls[pull.Image] = pull
				}
			}
			got := judge(plan{named: test.named}, []evidence{e})
			if got.Verdict != test.want || got.Proof != test.proof || got.InUse != test.wantOld || got.Message == "" || len(got.Message) > messageLength {
				t.Errorf("got %+v, want %s %q, of the value in use %q", got, test.want, test.proof, test.wantOld)
			}
		})
	}
}

func TestSeveralHostsAreJudgedEachAndThenTogether(t *testing.T) {
	host := func(name string, login Result, inUse *Result) evidence {
		return evidence{hostQuestion: hostQuestion{host: name, wildcard: true}, login: login, inUse: inUse}
	}
	yes, no := login(LoginAccepted, 200), login(LoginFailed, 401)
	for _, test := range []struct {
		name  string
		named bool
		found []evidence
		want  Verdict
	}{
		{"one accepts and one of somebody else refuses", false, []evidence{host("a", yes, nil), host("b", no, &no)}, ValueAccepted},
		{"one accepts and one is silent", false, []evidence{host("a", login(Timeout, 0), nil), host("b", yes, nil)}, ValueAccepted},
		{"one accepts and one refuses that takes the value in use", false, []evidence{host("a", yes, nil), host("b", no, &yes)}, ValueRejected},
		{"none accepts", false, []evidence{host("a", no, nil), host("b", login(Timeout, 0), nil)}, ValueUnknown},
		{"of named images one host is silent", true, []evidence{host("a", login(Timeout, 0), nil), host("b", yes, nil)}, ValueUnknown},
		{"no host at all", false, nil, ValueUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				if got := judge(plan{named: test.named}, test.found); got.Verdict != test.want {
					t.Errorf("got %+v, want %s", got, test.want)
				}
				if len(test.found) == 2 {
					test.found[0], test.found[1] = test.found[1], test.found[0]
				}
			}
		})
	}
}

// The order of images and of hosts decides nothing.
func TestTheVerdictDoesNotDependOnTheOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	reasons := []Reason{PullAllowed, PullDenied, ImageNotFound, RateLimited, RegistryError, LoginUnproven, Timeout}
	logins := []Result{login(LoginAccepted, 200), login(LoginFailed, 401), login(RegistryError, 400), login(LoginUnproven, 200), login(Timeout, 0)}
	var told [3][]Result // of each image for each reason: to make one takes longer than to judge it
	for image := range told {
		for _, reason := range reasons {
			told[image] = append(told[image], pulled(string(rune('a'+image)), reason))
		}
	}
	for range 20000 {
		p := plan{named: random.IntN(2) == 0}
		var found []evidence
		for h := range 1 + random.IntN(3) {
			e := evidence{hostQuestion: hostQuestion{host: string(rune('a' + h)), wildcard: random.IntN(2) == 0}, login: logins[random.IntN(len(logins))]}
			for i := range random.IntN(4) {
				e.pulls = append(e.pulls, told[i][random.IntN(len(reasons))])
			}
			if random.IntN(2) == 0 {
				e.inUse, e.inUsePulls = &logins[random.IntN(len(logins))], map[string]Result{}
				for i, pull := range e.pulls {
					e.inUsePulls[pull.Image] = told[i][random.IntN(len(reasons))]
				}
			}
			found = append(found, e)
		}
		before := judge(p, found)
		random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		for _, e := range found {
			random.Shuffle(len(e.pulls), func(i, j int) { e.pulls[i], e.pulls[j] = e.pulls[j], e.pulls[i] })
		}
		after := judge(p, found)
		if before.Verdict != after.Verdict || before.Proof != after.Proof || before.InUse != after.InUse {
			t.Fatalf("%+v\nin another order: %+v\nof %+v", before, after, found)
		}
	}
}

func TestHowLongARegistryIsLeftAlone(t *testing.T) {
	asks := func(wait time.Duration, result Result) Result { result.RetryAfter = wait; return result }
	accepted, busy := login(LoginAccepted, 200), login(RateLimited, 429)
	image := []Result{pulled("r.io/a", PullAllowed), asks(3*time.Minute, pulled("r.io/b", RateLimited))}
	old := asks(2*time.Minute, busy)
	for _, test := range []struct {
		name  string
		named bool
		e     evidence
		want  time.Duration
	}{
		{"as it asks for at the login", false, evidence{login: asks(time.Minute, busy)}, time.Minute},
		{"as it asks for at a named image", true, evidence{login: accepted, pulls: image}, 3 * time.Minute},
		{"not as it says of an image in use, which the people of a namespace choose", false, evidence{login: accepted, pulls: image}, 0},
		{"as it asks for at the login of the value in use", false, evidence{login: accepted, inUse: &old}, 2 * time.Minute},
		{"as it says of a named image with the value in use", true, evidence{login: accepted, inUse: &accepted, inUsePulls: map[string]Result{"r.io/b": image[1]}}, 3 * time.Minute},
		{"not as it says of an image in use with the value in use", false, evidence{login: accepted, inUse: &accepted, inUsePulls: map[string]Result{"r.io/b": image[1]}}, 0},
		{"not as a host asks for that an image in use chose", false, evidence{hostQuestion: hostQuestion{wildcard: true}, login: asks(time.Minute, busy)}, 0},
		{"as a host asks for that a named image chose", true, evidence{hostQuestion: hostQuestion{wildcard: true}, login: asks(time.Minute, busy)}, time.Minute},
		{"as the longest of all says", true, evidence{login: asks(time.Minute, busy), inUse: &old, pulls: image}, 3 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := judge(plan{named: test.named}, []evidence{test.e}); got.RetryAfter != test.want {
				t.Errorf("it is left alone for %s, want %s", got.RetryAfter, test.want)
			}
		})
	}
	hosts := []evidence{{login: accepted}, {login: asks(time.Minute, busy)}}
	for range 2 {
		slices.Reverse(hosts)
		if got := judge(plan{}, hosts); got.Verdict != ValueAccepted || got.RetryAfter != time.Minute {
			t.Errorf("where another host decides, it is left alone for %s: %+v", got.RetryAfter, got)
		}
	}
}

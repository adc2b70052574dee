package pullerror

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/cputime"
	"regcred.dev/regcred/test/racedetector"
)

// example is a message with its class.
type example struct {
	class   Class
	message string
}

// examples reads a file of testdata: the class in the first column, the message in the given one.
//
// pull-errors.tsv, more-pull-errors.tsv and reported.tsv hold messages that somebody met, with their source; grammar.tsv holds
// messages put together as the code and the documentation of runtimes and registries have them.
func examples(t testing.TB, file string, message int) []example {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var found []example
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		columns := strings.Split(line, "\t")
		if len(columns) <= message {
			t.Fatalf("%s:%d has %d columns", file, i+1, len(columns))
		}
		if i > 0 {
			found = append(found, example{class: Class(columns[0]), message: columns[message]})
		}
	}
	return found
}

func allExamples(t testing.TB) []example {
	return slices.Concat(examples(t, "pull-errors.tsv", 3), examples(t, "more-pull-errors.tsv", 3), examples(t, "grammar.tsv", 1), examples(t, "reported.tsv", 3))
}

func TestEveryExampleHasItsClass(t *testing.T) {
	racedetector.Skip(t)
	for _, e := range allExamples(t) {
		if got := Classify(e.message); got != e.class {
			t.Errorf("%s, want %s:\n\t%s\n\t%s", got, e.class, e.message, withoutNames(unwrap(e.message)))
		}
	}
}

func TestEveryRuleDecidesSomeExample(t *testing.T) {
	racedetector.Skip(t)
	decided := map[string]bool{}
	for _, e := range allExamples(t) {
		for _, cause := range causes(unwrap(e.message)) {
			if r := decider(cause); r != nil {
				decided[r.name] = true
			}
		}
	}
	for _, r := range rules {
		if !decided[r.name] {
			t.Errorf("no example is decided by %q", r.name)
		}
	}
}

func TestTheClassIsTheSameInEveryWrapping(t *testing.T) {
	racedetector.Skip(t)
	for _, e := range allExamples(t) {
		for _, wrapping := range []string{
			`Back-off pulling image "x/y:1": ErrImagePull: %s`,
			`Failed to pull image "x/y:1": %s`,
			`rpc error: code = Unknown desc = %s`,
			`Back-off pulling image "x/y:1": ErrImagePull: rpc error: code = NotFound desc = %s`,
			`Error: %s`,
			"  %s\n",
		} {
			sameAsBare(t, e, fmt.Sprintf(wrapping, e.message))
		}
	}
}

// sameAsBare checks that a wrapped message is read like the bare one. Its causes are the same as a rule, and then so is
// the class, which takes longer to find.
func sameAsBare(t *testing.T, e example, wrapped string) {
	t.Helper()
	if slices.Equal(causes(unwrap(wrapped)), causes(unwrap(e.message))) {
		return
	}
	if got := Classify(wrapped); got != e.class {
		t.Errorf("%s, want %s:\n\t%s", got, e.class, wrapped)
	}
}

func TestAMessageThatWasQuotedIsReadAlike(t *testing.T) {
	for _, e := range examples(t, "pull-errors.tsv", 3) {
		quoted := fmt.Sprintf("%q", `Back-off pulling image "x/y:1": ErrImagePull: `+e.message)
		if got := Classify(quoted[1 : len(quoted)-1]); got != e.class {
			t.Errorf("%s, want %s:\n\t%s", got, e.class, quoted)
		}
	}
}

func TestOfSeveralTriesTheMostTellingCauseCounts(t *testing.T) {
	const (
		refused   = `failed to pull and unpack image "r.io/x:1": failed to resolve image: unexpected status from HEAD request to https://r.io/v2/x/manifests/1: 401 Unauthorized`
		denied    = `failed to pull and unpack image "r.io/x:1": failed to resolve image: unexpected status from HEAD request to https://r.io/v2/x/manifests/1: 403 Forbidden`
		hidden    = `failed to pull and unpack image "r.io/x:1": failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`
		anonymous = `rpc error: code = Unknown desc = failed to resolve reference "r.io/x:1": failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized`
		missing   = `rpc error: code = NotFound desc = failed to pull and unpack image "r.io/x:1": failed to resolve image: r.io/x:1: not found`
		limited   = `Error response from daemon: toomanyrequests: You have reached your pull rate limit.`
		broken    = `initializing source docker://r.io/x:1: pinging container registry r.io: Get "https://r.io/v2/": dial tcp 10.0.0.1:443: i/o timeout`
		throttled = `pull QPS exceeded`
	)
	for _, c := range []struct {
		shows  string
		causes []string
		want   Class
	}{
		{"a refusal and no credential", []string{refused, anonymous}, AuthFailed},
		{"no credential and a refusal", []string{anonymous, refused}, AuthFailed},
		{"a refusal and a missing right", []string{denied, refused}, AuthFailed},
		{"a missing right and an open question", []string{hidden, denied}, Forbidden},
		{"a refusal and a missing image", []string{missing, refused}, AuthFailed},
		{"a missing image and a broken connection", []string{broken, missing}, NotFound},
		{"a limit and a missing image", []string{missing, limited}, RateLimited},
		{"a refusal and a throttled try", []string{refused, throttled}, AuthFailed},
		{"a broken connection and a throttled try", []string{throttled, broken}, Network},
		{"three tries", []string{broken, throttled, hidden}, NotFoundOrDenied},
		{"one try", []string{broken}, Network},
	} {
		t.Run(c.shows, func(t *testing.T) {
			list := "[" + strings.Join(c.causes, ", ") + "]"
			for _, message := range []string{list, `Back-off pulling image "r.io/x:1": ErrImagePull: ` + list, "rpc error: code = Unknown desc = " + list} {
				if got := Classify(message); got != c.want {
					t.Errorf("%s, want %s:\n\t%s", got, c.want, message)
				}
			}
			if len(causes(list)) != len(c.causes) {
				t.Errorf("%d causes found, want %d", len(causes(list)), len(c.causes))
			}
		})
	}
}

func TestAListIsReadInEveryForm(t *testing.T) {
	const (
		missing = `Error initializing source docker://a.io/x:1: Error reading manifest 1 in a.io/x: name unknown: Repo not found`
		refused = `Error initializing source docker://b.io/x:1: unable to retrieve auth token: invalid username/password: unauthorized: Please log in`
		broken  = `failed to pull and unpack image "r.io/x:1": failed to resolve image: failed to do request: Head "https://r.io/v2/": EOF`
		denied  = `failed to pull and unpack image "r.io/x:1": failed to resolve image: unexpected status from HEAD request to https://r.io/v2/: 403 Forbidden`
	)
	for _, c := range []struct {
		shows   string
		message string
		parts   int
		want    Class
	}{
		{"podman's list of registries", "2 errors occurred while pulling:\n * " + missing + "\n * " + refused, 2, AuthFailed},
		{"the older form of it", "unable to pull x: 2 errors occurred:\n\t* " + refused + "\n\t* " + missing + "\n\n", 2, AuthFailed},
		{"a list within a list", "[[" + broken + ", " + denied + "], " + broken + "]", 3, Forbidden},
		{"a list whose last cause ends in its telling word", `[` + broken + `, Error response from daemon: Head "https://r.io/v2/x/manifests/1": unauthorized]`, 2, NoCredentials},
		{"a list whose end was cut off", "[" + broken + ", " + denied, 2, Forbidden},
		{"a list whose last cause was cut off", "[" + denied + ", " + broken[:60], 2, Forbidden},
		{"a message that only begins like a list", "[DEPRECATION NOTICE] Docker Image manifest version 2, schema 1 support is disabled", 1, PlatformManifest},
		{"the second try of CRI-O, which says less than the first",
			"unable to pull image or OCI artifact: pull image err: " + missing + "; artifact err: get manifest: unauthorized: authentication required", 1, NotFound},
		{"such tries in a list", "[unable to pull image or OCI artifact: pull image err: " + missing + "; artifact err: x, " +
			"unable to pull image or OCI artifact: pull image err: " + refused + "; artifact err: y]", 2, AuthFailed},
	} {
		t.Run(c.shows, func(t *testing.T) {
			for _, wrapping := range []string{"%s", `Back-off pulling image "r.io/x:1": ErrImagePull: %s`, "Error: %s"} {
				message := fmt.Sprintf(wrapping, c.message)
				if got := Classify(message); got != c.want {
					t.Errorf("%s, want %s:\n\t%s", got, c.want, message)
				}
			}
			if got := causes(unwrap(c.message)); len(got) != c.parts {
				t.Errorf("%d causes found, want %d: %q", len(got), c.parts, got)
			}
		})
	}
}

func TestALongMessageTakesNoLongTime(t *testing.T) {
	racedetector.Skip(t)
	for _, repeated := range []string{"Error: ", `{"a":`} {
		message := strings.Repeat(repeated, (1<<20)/len(repeated))
		if took := cputime.Of(func() { Classify(message) }); took > 5*time.Second {
			t.Errorf("%q repeated takes %s", repeated, took)
		}
	}
}

func TestAnAnswerInJSONIsReadInAnyOrder(t *testing.T) {
	for message, want := range map[string]Class{
		`Error response from daemon: {"message":"Get https://r.io/v2/: x509: certificate signed by unknown authority"}`:                                                                                  TLS,
		`Error response from daemon: denied: {"errors":[{"detail":{},"message":"requested access to the resource is denied","code":"DENIED"}]}`:                                                          NotFoundOrDenied,
		`Server message: {"errors":[{"code":"MANIFEST_UNKNOWN"}]}`:                                                                                                                                       NotFound,
		`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository","Name":"429"}]}]}`:                                                                         AuthFailed,
		`{"errors":[{"status":401,"message":"Bad credentials"}]}`:                                                                                                                                        AuthFailed,
		`{"error":"invalid_grant","error_description":"AADSTS7000222: The provided client secret keys are expired."}`:                                                                                    AuthFailed,
		`StatusCode: 403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is denied\"}]}"`:                                                                             NotFoundOrDenied,
		`error parsing HTTP 403 response body: no error details found in HTTP response body: "{\"message\":\"API rate limit exceeded\"}"`:                                                                RateLimited,
		`StatusCode: 403, "{\"x\":\"toomanyrequests\"}"`:                                                                                                                                                 Forbidden,
		`StatusCode: 403, "{\"message\":\"toomany`:                                                                                                                                                       Forbidden,
		`error parsing HTTP 403 response body: no error details found in HTTP response body: "{\n  \"errors\": [\n    {\n      \"status\": 403,\n      \"message\": \"Bad credentials\"\n    }\n  ]\n}"`: AuthFailed,
		`unexpected status from HEAD request to https://r.io/v2/: 403 Forbidden: { "errors": [ { "code": "TOOMANYREQUESTS", "message": "slow down" } ] }`:                                                RateLimited,
		`error parsing HTTP 403 response body: invalid character 'T' looking for beginning of value: "The robot account is disabled\n"`:                                                                  AuthFailed,
		`error parsing HTTP 403 response body: invalid character 'x' looking for beginning of value: "x \"rate exceeded\""`:                                                                              Forbidden,
		`{"details":"incorrect username or password"}`:                                                                                                                                                   AuthFailed,
		`denied: {"errors":[{"code":"TOOMANYREQUESTS","message":"too many requests, please retr`:                                                                                                         RateLimited,
		`{"a":{"a":{"a":{"a":`: Other,
	} {
		if got := Classify(message); got != want {
			t.Errorf("%s, want %s:\n\t%s\n\t%s", got, want, message, withoutNames(message))
		}
	}
}

func TestWhatCuresAClass(t *testing.T) {
	byCredential := []Class{AuthFailed, NoCredentials, Forbidden, NotFoundOrDenied}
	byWaiting := []Class{RateLimited, KubeletThrottled, Network, Registry5xx}
	for _, c := range classes {
		if c.CuredByCredential() != slices.Contains(byCredential, c) {
			t.Errorf("%s: CuredByCredential is %v", c, c.CuredByCredential())
		}
		if c.CuredByWaiting() != slices.Contains(byWaiting, c) {
			t.Errorf("%s: CuredByWaiting is %v", c, c.CuredByWaiting())
		}
		if c.Ambiguous() != (c == NotFoundOrDenied) {
			t.Errorf("%s: Ambiguous is %v", c, c.Ambiguous())
		}
	}
}

func FuzzClassify(f *testing.F) {
	racedetector.Skip(f)
	for _, e := range allExamples(f) {
		f.Add(e.message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if len(message) > maxMessage/2 {
			return // a wrapping would push other words over the end of what is read
		}
		class := Classify(message)
		if !slices.Contains(classes, class) {
			t.Fatalf("%q is no class", class)
		}
		for _, wrapping := range []string{`Back-off pulling image "x/unauthorized:401": ErrImagePull: `, "rpc error: code = Unknown desc = "} {
			if got := Classify(wrapping + message); got != class {
				t.Errorf("%s alone and %s as %q", class, got, wrapping+message)
			}
		}
	})
}

package pullerror

import (
	"fmt"
	"strings"
	"testing"
)

func TestAnswersInJSONAreSpelledAsRuntimesWriteThem(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a quoted answer", `said "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}" and ended`, `said DENIED: no and ended`},
		{"two quoted answers", `a "{\"message\":\"one\"}" b "{\"message\":\"two\"}" c`, `a one b two c`},
		{"a quoted answer that was cut off", `said "{\"errors\":[{\"co`, `said "{\"errors\":[{\"co`},
		{"an answer that is not quoted", `said {"message":"no"} and ended`, `said no and ended`},
		{"two of them", `a {"message":"one"} b {"message":"two"} c`, `a one b two c`},
		{"an object that says nothing stays", `said {"x":1} and ended`, `said {"x":1} and ended`},
		{"an object that was cut off stays, and the next one is read", `said {"a and {"message":"no"} c`, `said {"a and no c`},
		{"a member of another type hides no other", `{"message":5,"error":"denied"}`, `denied`},
		{"a code alone", `{"errors":[{"code":"DENIED"}]}`, `DENIED`},
		{"a message alone", `{"errors":[{"message":"no"}]}`, `no`},
		{"an error with its description", `{"error":"invalid_client","error_description":"unknown"}`, `invalid_client: unknown`},
		{"several errors stand on lines of their own", `{"errors":[{"code":"A"},{"code":"B"}]}`, "A\nB"},
		{"nothing to spell", `unauthorized`, `unauthorized`},
	} {
		if got := spellAnswers(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	many := strings.Repeat(`{"message":"no"} `, maxAnswers+2)
	if got := strings.Count(spellAnswers(many), "{"); got != 2 {
		t.Errorf("%d of %d answers are not read", got, maxAnswers+2)
	}
}

func TestAtMostThirtyTwoLayersAreTakenOff(t *testing.T) {
	layer := "rpc error: code = Unknown desc = "
	for layers, want := range map[int]string{0: "unauthorized", 5: "unauthorized", maxWrappers: "unauthorized", maxWrappers + 2: layer + layer + "unauthorized"} {
		if got := unwrap(strings.Repeat(layer, layers) + "unauthorized"); got != want {
			t.Errorf("of %d layers %q is left", layers, got)
		}
	}
}

func TestTheGuessOfAnOldKubeletIsNoCause(t *testing.T) {
	const begin = `image pull failed for r.example/x:1, this may be because there are no credentials on this request.`
	for text, want := range map[string]string{
		begin: "", begin + "  details: (unauthorized: no)": "unauthorized: no", begin + " details: denied": "denied", "unauthorized": "unauthorized",
	} {
		if got := withoutGuess(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Classify(begin); got != Other {
		t.Errorf("nothing is known, and it is %s", got)
	}
}

func TestThePhraseOfAProxyIsToldFromThatOfARegistry(t *testing.T) {
	const asked = ` "https://r.example/v2/": `
	for _, c := range []struct {
		name, cause string
		proxy       bool
	}{
		{"a proxy that does not connect", `Get` + asked + `Bad Gateway`, true},
		{"docker before 1.10 wrote the phrase of a registry so", `Error response from daemon: Get` + asked + `Bad Gateway`, false},
		{"but not of a token server that is posted to", `Error response from daemon: Post` + asked + `Bad Gateway`, true},
		{"nor a refusal of the proxy", `Error response from daemon: Get` + asked + `Forbidden`, true},
		{"a connection that was closed is no phrase", `Get` + asked + `EOF`, false},
		{"what begins with a small letter is Go's own", `Get` + asked + `dial tcp: timeout`, false},
	} {
		if got := strings.HasSuffix(markProxy(c.cause), proxyMark); got != c.proxy || !got && markProxy(c.cause) != c.cause {
			t.Errorf("%s: %q", c.name, markProxy(c.cause))
		}
	}
}

func TestWhatIsNoNameStays(t *testing.T) {
	for text, want := range map[string]string{
		"I/O Timeout": "i/o timeout", "r.example is down": "… is down", "Reading r.example/x: Denied": "reading …: denied",
	} {
		if got := withoutNames(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAHostIsAMirrorOnlyWhereItIsAnotherThanTheImages(t *testing.T) {
	const status = `unexpected status from HEAD request to https://%s/v2/x/y/manifests/1?ns=%s: 401 Unauthorized`
	const token = `failed to resolve reference "docker.io/library/x:1": failed to authorize: failed to fetch %s token: unexpected status from GET request to https://harbor.local/service/token: 401 Unauthorized`
	const from = `failed to resolve reference "quay.io/x/y:1": pulling from host %s failed with status code [manifests 1]: %s`
	for _, c := range []struct {
		name, message string
		class         Class
		want          string
	}{
		{"a registry that is told its own name", fmt.Sprintf(status, "quay.io", "quay.io"), AuthFailed, ""},
		{"in other letters", fmt.Sprintf(status, "Quay.io", "quay.io"), AuthFailed, ""},
		{"Docker Hub's registry for an image of Docker Hub", fmt.Sprintf(status, "registry-1.docker.io", "docker.io"), AuthFailed, ""},
		{"Docker Hub's registry for an image of another one", fmt.Sprintf(status, "registry-1.docker.io", "quay.io"), AuthFailed, "registry-1.docker.io"},
		{"a mirror for an image of Docker Hub", fmt.Sprintf(status, "mirror.local", "docker.io"), AuthFailed, "mirror.local"},
		{"a mirror that wants a login", fmt.Sprintf(token, "anonymous"), NoCredentials, "harbor.local"},
		{"a mirror that does not say whether it has the image", fmt.Sprintf(from, "mirror.local", "requested access to the resource is denied"), NotFoundOrDenied, "mirror.local"},
		{"a mirror that does not have it", fmt.Sprintf(from, "mirror.local", "404 Not Found"), NotFound, ""},
		{"with one credential the registry refused, and with another a mirror", "[" + fmt.Sprintf(from, "quay.io", "401 Unauthorized") + ", " + fmt.Sprintf(from, "mirror.local", "401 Unauthorized") + "]", AuthFailed, "mirror.local"},
		{"a mirror failed for another cause than the registry", "[" + fmt.Sprintf(from, "mirror.local", "500 Internal Server Error") + ", " + fmt.Sprintf(from, "quay.io", "401 Unauthorized") + "]", AuthFailed, ""},
	} {
		if got := Classify(c.message); got != c.class {
			t.Errorf("%s: it is %s, want %s", c.name, got, c.class)
		}
		if got := Mirror(c.message, "quay.io/x/y:1"); got != c.want {
			t.Errorf("%s: the mirror is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOnlyTheWholeMessageOfAKubeletSpeaksOfABrokenSecret(t *testing.T) {
	// What a registry says may hold the same words: it is no pull Secret of the pod that breaks.
	for _, said := range []string{
		"illegal base64 data at input byte 4", "unable to parse auth field, must be formatted as base64(username:password)", "unexpected end of JSON input",
		"json: cannot unmarshal number into Go value", "invalid character 'x' looking for beginning of value", "exceeded max depth",
		"error occurred while trying to unmarshal json", "jsontext: invalid character 'x' at start of value",
	} {
		if got := Classify(said); got != MalformedSecret {
			t.Errorf("%q alone: %s", said, got)
		}
		if got := Classify("failed to resolve image: unauthorized: " + said); got == MalformedSecret {
			t.Errorf("%q in a registry's answer: %s", said, got)
		}
	}
}

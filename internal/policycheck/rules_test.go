package policycheck

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func said(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}}
}

// Whoever may install a webhook or a policy chooses its name, which people are shown.
func TestWhoRefusedAProbeIsNamedAndCleaned(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want Answer
	}{
		{"another policy", said(422, "Invalid", "secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'a\x1bb' with binding"), Answer{By: "ValidatingAdmissionPolicy a b"}},
		{"a webhook", said(403, "Forbidden", "admission webhook \"a\x1bb\" denied the request"), Answer{By: "admission webhook a b"}},
		{"a webhook that does not answer", said(500, "InternalError", "Internal error occurred: failed calling webhook \"a\x1bb\": no"), Answer{By: "admission webhook a b"}},
		{"somebody without a name", said(418, "Teapot\n", "no"), Answer{By: "something that gives no name (418 Teapot )"}},
		{"the first code of a refusal", said(400, "BadRequest", "no"), Answer{By: "something that gives no name (400 BadRequest)"}},
		{"nobody: the server fails", said(500, "InternalError", "no"), Answer{Kind: Unknown}},
		{"nobody: the operator is not known", said(401, "Unauthorized", "no"), Answer{Kind: Unknown}},
		{"nobody: the server is busy", said(429, "TooManyRequests", "no"), Answer{Kind: Unknown}},
		{"nobody: no failure at all", said(200, "", "ok"), Answer{Kind: Unknown}},
		{"nobody: no answer", errors.New("away"), Answer{Kind: Unknown}},
	} {
		if got := Judge("regcred-secrets", test.err); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestWhichRequestsWriteASecret(t *testing.T) {
	for _, test := range []struct {
		method, url string
		want        bool
	}{
		{"PATCH", "/api/v1/namespaces/shop/secrets/regcred", true}, {"PUT", "/api/v1/namespaces/shop/secrets/regcred", true},
		{"POST", "/api/v1/namespaces/shop/secrets", true}, {"DELETE", "/api/v1/namespaces/shop/secrets/regcred", true},
		{"PUT", "/prefix/api/v1/namespaces/shop/secrets/regcred", true}, {"PATCH", "/api/v1/namespaces/shop/secrets/regcred?dryRun=None", true},
		{"GET", "/api/v1/namespaces/shop/secrets/regcred", false}, {"HEAD", "/api/v1/namespaces/shop/secrets/regcred", false},
		{"OPTIONS", "/api/v1/namespaces/shop/secrets", false}, {"PATCH", "/api/v1/namespaces/shop/secrets/regcred?dryRun=All", false},
		{"PATCH", "/api/v1/namespaces/shop/serviceaccounts/default", false}, {"PATCH", "/api/v1/namespaces/shop", false},
		{"PATCH", "/api/v1/namespaces/secrets", false}, {"POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", false},
		{"PATCH", "/apis/example/v1/namespaces/shop/secrets/x", false},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, "https://api.example"+test.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := writesSecret(request); got != test.want {
			t.Errorf("%s %s: %t", test.method, test.url, got)
		}
	}
}

// closing notes that a body is closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

func TestTheBodyOfAWriteThatIsNotSentIsClosed(t *testing.T) {
	gate := NewGate(true)
	gate.Set(State{Known: true, Missing: []string{"regcred-secrets"}})
	body := &closing{Reader: strings.NewReader("{}")}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://api.example/api/v1/namespaces/shop/secrets/regcred", body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := gate.Wrap(http.DefaultTransport).RoundTrip(request)
	if response != nil || !errors.Is(err, ErrNotFenced) || body.closed != 1 {
		t.Errorf("%v, %v, closed %d times", response, err, body.closed)
	}
}

func TestWhatIsAChangeOfTheFence(t *testing.T) {
	gate := NewGate(true)
	for _, step := range []struct {
		name  string
		state State
		want  bool
	}{
		{"it is known", State{Known: true}, true},
		{"it is as it was", State{Known: true}, false},
		{"a policy is missing", State{Known: true, Missing: []string{"a"}}, true},
		{"another one is", State{Known: true, Missing: []string{"b"}}, true},
		{"one is hidden", State{Known: true, Missing: []string{"b"}, Hidden: []string{"a"}, HiddenBy: []string{"x"}}, true},
		{"another one is hidden", State{Known: true, Missing: []string{"b"}, Hidden: []string{"c"}, HiddenBy: []string{"x"}}, true},
		{"it is hidden by another", State{Known: true, Missing: []string{"b"}, Hidden: []string{"c"}, HiddenBy: []string{"y"}}, true},
		{"all of it as it was", State{Known: true, Missing: []string{"b"}, Hidden: []string{"c"}, HiddenBy: []string{"y"}}, false},
	} {
		if got := gate.Set(step.state); got != step.want {
			t.Errorf("%s: a change is %t", step.name, got)
		}
	}
}

// Who refuses the dry runs names itself.
func TestWhatIsHiddenIsToldWithoutWhatActsOnATerminal(t *testing.T) {
	message := Message(State{Known: true, Hidden: []string{"regcred-secrets"}, HiddenBy: []string{"webhook\x1b[2J\u202e"}}, true)
	if !strings.Contains(message, "because webhook") || strings.ContainsAny(message, "\x1b\u202e") {
		t.Errorf("it says %q", message)
	}
}

// Names are chosen by others, and what is to be done is told however many they are.
func TestAMessageIsCleanedAndSaysWhatToDo(t *testing.T) {
	const install, exempt = "apply config/default with its transformers and limits", "Exempt the operator's ServiceAccount there, or set --require-fence=false"
	names := slices.Repeat([]string{"a\x1bb"}, 500)
	for _, test := range []struct {
		state State
		next  string
	}{
		{State{Known: true, Missing: names}, install},
		{State{Known: true, Hidden: names, HiddenBy: names}, exempt},
		{State{Hidden: names, HiddenBy: names}, exempt},
		{State{Known: true}, ""},
	} {
		for _, required := range []bool{true, false} {
			got := Message(test.state, required)
			written := "no Secret is written"
			switch {
			case !required:
				written = "(--require-fence=false)"
			case test.state.Standing():
				written = "until the operator restarts"
			}
			if got != "" && !strings.Contains(got, written) {
				t.Errorf("%+v, required: %t: it does not say %q: %q", test.state.Known, required, written, got)
			}
			if len(got) > 1000 || strings.Contains(got, "\x1b") || !strings.HasSuffix(got, test.next) || (got == "") != (test.next == "") {
				t.Errorf("%d bytes: %q", len(got), got)
			}
		}
	}
}

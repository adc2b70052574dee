package verify

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"regcred.dev/regcred/internal/dockerconfig"
)

func TestWhatAStatusSaysDependsOnTheStep(t *testing.T) {
	told := []transport.Diagnostic{{Code: transport.DeniedErrorCode}}
	for _, test := range []struct {
		step   Step
		status int
		errors []transport.Diagnostic
		want   Reason
	}{
		{StepHead, 401, nil, PullDenied}, {StepHead, 403, nil, PullDenied}, {StepHead, 404, nil, ImageNotFound}, {StepHead, 400, told, RegistryError},
		{StepPing, 401, nil, RegistryError}, {StepPing, 403, told, RegistryError}, {StepPing, 404, nil, RegistryError},
		{StepBasic, 401, nil, LoginFailed}, {StepBasic, 403, nil, RegistryError}, {StepBasic, 403, told, LoginFailed}, {StepBasic, 404, nil, RegistryError},
		{StepToken, 401, nil, LoginFailed}, {StepToken, 403, nil, RegistryError}, {StepToken, 403, told, LoginFailed}, {StepToken, 400, told, RegistryError},
	} {
		if got := refusal(test.step, &transport.Error{StatusCode: test.status, Errors: test.errors}); got != test.want {
			t.Errorf("%d at %s, with %d errors: %s", test.status, test.step, len(test.errors), got)
		}
	}
}

func TestWhichAnswersAreLookedAtFurther(t *testing.T) {
	asked := &url.URL{Scheme: "https", Host: "r.example", Path: "/v2/"}
	for _, test := range []struct {
		status   int
		location string
		want     error // nil: it is
	}{
		{200, "", nil}, {299, "", nil}, {300, "", &redirectError{}}, {302, "https://r.example/other", nil}, {302, "https://s.example/", &redirectError{}}, {399, "", &redirectError{}},
		{400, "", nil}, {401, "", nil}, {429, "", &statusError{}}, {430, "", nil}, {499, "", nil}, {500, "", &statusError{}}, {503, "", &statusError{}},
	} {
		response := &http.Response{StatusCode: test.status, Header: http.Header{}, Request: &http.Request{URL: asked}}
		if test.location != "" {
			response.Header.Set("Location", test.location)
		}
		if got := unusable(asked, response); fmt.Sprintf("%T", got) != fmt.Sprintf("%T", test.want) {
			t.Errorf("%d, %q: %v", test.status, test.location, got)
		}
	}
}

func TestOfARefusalTheBodyIsCutOffAndElseItIsAnError(t *testing.T) {
	transport := &boundedTransport{maxBody: maxErrorBody + 10}
	for status, want := range map[int]struct {
		read  int
		fails bool
	}{200: {maxErrorBody + 10, true}, 299: {maxErrorBody + 10, true}, 300: {maxErrorBody, false}, 401: {maxErrorBody, false}} {
		body := transport.bounded(&http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 2*maxErrorBody)))})
		read, err := io.ReadAll(body)
		if len(read) != want.read || (err != nil) != want.fails {
			t.Errorf("%d: %d bytes, %v", status, len(read), err)
		}
	}
}

// answering answers each request the same, and notes it.
type answering struct{ asked []*http.Request }

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, r)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// A RoundTripper leaves a request as it was.
func TestARequestIsSentInAnotherFormAndStaysAsItWas(t *testing.T) {
	var below answering
	for path, want := range map[string]string{"/v2/": "HEAD /v2/a/manifests/1 " + manifestTypes, "/token": "GET /token "} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://r.example"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&manifestPing{inner: &below, path: "/v2/a/manifests/1"}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		sent := below.asked[len(below.asked)-1]
		if got := sent.Method + " " + sent.URL.Path + " " + sent.Header.Get("Accept"); got != want {
			t.Errorf("sent is %s", got)
		}
		if request.Method != http.MethodGet || request.URL.Path != path || len(request.Header) != 0 {
			t.Errorf("the request became %+v", request)
		}
	}
	for _, address := range []string{"http://r.example/", "https://127.0.0.1:1/"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := newBoundedTransport(New(Options{}).options, nil, &route{}).RoundTrip(request)
		if response != nil {
			_ = response.Body.Close()
		}
		if err == nil || len(request.Header) != 0 {
			t.Errorf("%s: %v, and the request became %+v", address, err, request)
		}
	}
}

func TestAnAddressThatIsNoneIsNotDialled(t *testing.T) {
	if err := dialControl(true)(t.Context(), "tcp", "r.example:443", nil); err == nil {
		t.Error("a name is dialled unresolved")
	}
	way := &route{options: New(Options{}).options}
	if conn, err := dialTLS(t.Context(), way, "tcp", "r.example", nil); err == nil {
		_ = conn.Close()
		t.Error("an address without a port is dialled")
	}
	if err := way.checkBehind(t.Context(), "r.example"); err == nil {
		t.Error("an address without a port is left to a proxy")
	}
}

func TestWhichHostsAreNumbersInDisguise(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "r.example": false, "127.1": true, "127.1.": true, "2130706433": true, "0x7f000001": true, "0X7F.1": true, "1.0X7F": true, "0x": true,
		"a.0xg": false, "a..": false, "": false, "1.example": false, "example.1": true, "r1": false,
	} {
		if got := endsInNumber(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestWhichAddressIsThatOfTheNamedRegistry(t *testing.T) {
	for address, want := range map[string]bool{"R.example:443": true, "r.example:80": true, "r.example:5000": false, "s.example:443": false, ":443": false} {
		if got := (&route{named: "r.example"}).isNamed(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
		if (&route{}).isNamed(address) {
			t.Errorf("%s is named by nobody", address)
		}
	}
	if !(&route{named: "r.example:5000"}).isNamed("r.example:5000") {
		t.Error("a registry with a port is not known")
	}
}

func TestCAsAreReadAgainForEachTest(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "ca.crt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RootCAs(map[string]string{"r.example": file}); err == nil || !strings.Contains(err.Error(), "r.example") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	write("nothing")
	if _, err := RootCAs(map[string]string{"r.example": file}); err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
		t.Errorf("a file without a certificate: %v", err)
	}
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	write(certificate)
	roots, err := RootCAs(map[string]string{"r.example": file})
	if err != nil {
		t.Fatal(err)
	}
	trusted := roots("r.example")
	if trusted == nil || len(trusted.Subjects()) != 1 || roots("s.example") != nil { //nolint:staticcheck // no system pool
		t.Errorf("trusted for r.example is %v, for others %v", trusted, roots("s.example"))
	}
	if pool := roots("R.Example"); pool == nil || !pool.Equal(trusted) {
		t.Error("a CA is not found for other letters of the host")
	}
	write("nothing")
	if pool := roots("r.example"); pool == nil || pool.Equal(trusted) || len(pool.Subjects()) != 0 { //nolint:staticcheck // no system pool
		t.Error("a file that broke is not a reason to trust the system's")
	}
	if write(certificate); !roots("r.example").Equal(trusted) {
		t.Error("a file that was mended is not read again")
	}
}

func TestAQuestionIsPlannedOfWhatCanBeAsked(t *testing.T) {
	longest := "r.io/" + strings.Repeat("a/", 120) + strings.Repeat("b", 10) + ":1"
	if _, readable := readImage(longest + strings.Repeat("x", MaxImageLength)); readable {
		t.Error("an image that nobody can pull is read")
	}
	p := Question{Keys: []string{"", "r.io"}, Sampled: []string{"r.io/a", "R.io/:::"}}.plan()
	if len(p.hosts) != 1 || len(p.unreadable) != 0 {
		t.Errorf("of images in use: %+v", p)
	}
	if p = (Question{Keys: []string{"r.io"}, Named: []string{"R.io/:::"}}).plan(); !slices.Equal(p.unreadable, []string{"R.io/:::"}) {
		t.Errorf("of named images: %+v", p)
	}
	var none *InUse
	if none.namesHost("r.io") || (&InUse{Keys: []string{"r.io"}, Credential: dockerconfig.Credential{}}).namesHost("r.io") {
		t.Error("a value that is not there may be shown")
	}
}

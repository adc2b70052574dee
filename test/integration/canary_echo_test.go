package integration

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// echo is a proxy in front of a server. While it is given an answer, it gives that one, which can quote the request.
type echo struct {
	*httptest.Server
	answer atomic.Pointer[echoedAnswer]
	// echoed counts the requests that got such an answer.
	echoed atomic.Int64
}

// echoedAnswer writes an answer, or returns false where the request is to go on. body is that of the request.
type echoedAnswer func(w http.ResponseWriter, r *http.Request, body string) bool

func startEcho(t *testing.T, to string, transport http.RoundTripper, serve func(http.Handler) *httptest.Server) *echo {
	t.Helper()
	target, err := url.Parse(to)
	vaultMust(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	e := &echo{}
	e.Server = serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := e.answer.Load(); answer != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			if (*answer)(w, r, string(body)) {
				e.echoed.Add(1)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		e.CloseClientConnections()
		e.Close()
	})
	return e
}

// quote gives all further requests an answer; nil ends that.
func (e *echo) quote(answer echoedAnswer) {
	if answer == nil {
		e.answer.Store(nil)
		return
	}
	e.answer.Store(&answer)
}

// throughEcho lets the operator speak to the API server through a proxy, with its token.
func (r *operatorRun) throughEcho(t *testing.T) *echo {
	t.Helper()
	config := rest.CopyConfig(r.config)
	config.TLSClientConfig.CertData, config.TLSClientConfig.KeyData, config.BearerToken = nil, nil, "" // only what the operator itself sends
	transport, err := rest.TransportFor(config)
	vaultMust(t, err)
	e := startEcho(t, withScheme(r.config.Host), transport, httptest.NewTLSServer) // a client sends its token over TLS alone
	own, err := clientcmd.LoadFromFile(r.kubeconfig)
	vaultMust(t, err)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})
	own.Clusters["c"] = &clientcmdapi.Cluster{Server: e.URL, CertificateAuthorityData: authority}
	vaultMust(t, clientcmd.WriteToFile(*own, r.kubeconfig))
	return e
}

// refusedWrites is an API server, or a webhook of somebody, that quotes what it refuses: in the message and in the details.
func refusedWrites(status int, namespace string) echoedAnswer {
	return func(w http.ResponseWriter, r *http.Request, body string) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/namespaces/"+namespace) || !strings.Contains(r.URL.Path, "/secrets/") || r.URL.Query().Has("dryRun") {
			return false
		}
		refusal := metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(status), //nolint:gosec // an HTTP status
			Reason: metav1.StatusReasonInvalid, Message: "admission webhook \"audit.example\" denied the request: " + body + " " + decodedData(body),
			Details: &metav1.StatusDetails{Name: "regcred", Kind: "Secret", Causes: []metav1.StatusCause{
				{Type: metav1.CauseTypeFieldValueInvalid, Field: "data", Message: fmt.Sprintf("Invalid value: %q", decodedData(body))}}},
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(refusal)
		return true
	}
}

// decodedData are the values of a Secret's data as they are.
func decodedData(body string) string {
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	_ = json.Unmarshal([]byte(body), &secret) // a body of another form is quoted as it is
	var all strings.Builder
	for key, value := range secret.Data {
		fmt.Fprintf(&all, "%s=%s ", key, value)
	}
	return all.String()
}

// quotingVault answers reads and looks at tokens with what was sent, and with what is stored.
func quotingVault(status int, body func(token string) string) echoedAnswer {
	return func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/secret/") {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body(r.Header.Get("X-Vault-Token")))
		return true
	}
}

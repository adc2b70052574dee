package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/proxy"
)

const (
	// maxAnswer is the largest answer that is read, in bytes.
	maxAnswer = 1 << 20
	// maxRedirects is how often a standby may send a request on.
	maxRedirects = 2
)

var errOversized = errors.New("the answer is larger than 1 MiB, or holds far more values than a registry credential")

// forgetEnvironment removes every VAULT_* variable from this process: Vault's client reads address, token, namespace,
// headers, proxy, CA, wrapping and more from them, some at each request, and refuses to start over one that it cannot
// parse. A connection is made of its object alone.
func forgetEnvironment() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "VAULT_") {
			_ = os.Unsetenv(name) // fails for an empty name only
		}
	}
}

// newHTTPClient makes the client that all sessions of a connection share, and with it their pool of connections. Proxy and TLS are as
// the connection says, whatever the environment has, and redirects go to allowed hosts only.
func newHTTPClient(tlsConfig *tls.Config, allowed []string, way *proxy.Server) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:        tlsConfig,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if way != nil {
		transport.DialContext = way.DialContext
	}
	return &http.Client{
		Transport: boundedTransport{transport},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || !mayFollow(next, via[0], allowed) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// mayFollow reports whether a redirect only moves the same request to another allowed node. The request carries a token
// or a login, and Go would take both along to any host.
func mayFollow(next, first *http.Request, allowed []string) bool {
	code := next.Response.StatusCode
	if code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect {
		return false // others turn a PUT into a GET
	}
	return next.URL.RequestURI() == first.URL.RequestURI() && slices.Contains(allowed, origin(next.URL))
}

// origin is scheme, host and port of an address in one spelling.
func origin(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + host + ":" + port
}

// boundedTransport cuts answers off at maxAnswer, and has sockets read slowly.
type boundedTransport struct{ *http.Transport }

func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if socket, is := response.Body.(io.ReadWriteCloser); is { // only that of 101 can be written to, and it bounds its own messages
		response.Body = &throttledSocket{socket, rate.NewLimiter(socketRate, socketBurst)}
		return response, nil
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errOversized
	}
	return n, err
}

// newAPIClient makes a client for one token that is never changed: a new login makes a new one. Retries are the queue's
// business, redirects the HTTP client's.
func newAPIClient(address, namespace, token string, httpClient *http.Client) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address:          address,
		HttpClient:       httpClient,
		MaxRetries:       0,
		CheckRetry:       func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		DisableRedirects: true,
	})
	if err != nil {
		return nil, err
	}
	client.SetToken(token)
	client.ClearNamespace()
	if namespace != "" {
		client.SetNamespace(namespace)
	}
	return client, nil
}

// answer is what came back, whole. It holds secrets.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	content content
	json    bool // the body was a JSON object
	read    readContext
	// exchanged is what a cloud gave for the data, nil where that is delivered itself.
	exchanged payload.Fields
}

// readContext is what the reader adds to an answer.
type readContext struct {
	at           time.Time
	token        string    // the token that was sent
	tokenExpires time.Time // zero: never
}

// content is the JSON of Vault's answers.
type content struct {
	LeaseID       string              `json:"lease_id"`
	LeaseDuration int64               `json:"lease_duration"`
	Renewable     bool                `json:"renewable"`
	Data          map[string]any      `json:"data"`
	Warnings      []string            `json:"warnings"`
	Errors        []string            `json:"errors"`
	Auth          *api.SecretAuth     `json:"auth"`
	WrapInfo      *api.SecretWrapInfo `json:"wrap_info"`
}

// get reads a path below /v1/.
func get(ctx context.Context, client *api.Client, path string, query url.Values) (*answer, error) {
	response, err := client.Logical().ReadRawWithDataWithContext(ctx, path, query)
	return readAnswer(response, err)
}

// put writes a JSON object to a path below /v1/.
func put(ctx context.Context, client *api.Client, path string, body map[string]any) (*answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	response, err := client.Logical().WriteRawWithContext(ctx, path, encoded)
	return readAnswer(response, err)
}

// readAnswer takes the answer out of what the client returns. A status of failure is an answer, too; an error is left
// where there was none.
func readAnswer(response *api.Response, err error) (*answer, error) {
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	var refused *api.ResponseError
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	if response == nil {
		return nil, errors.New("the client gave neither answer nor error")
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if payload.Crowded(body) {
		return nil, errOversized // decoded, it would take fifty times its size, at each worker
	}
	a := &answer{status: response.StatusCode, header: response.Header, body: body}
	a.json = decode(body, &a.content) == nil && isLeaseName(a.content.LeaseID)
	return a, nil
}

// longestLeaseName is the most bytes of a lease's name: those of Vault are the path that was read, and a few letters. It is kept in a record
// of one credential, with those of the leases before it.
const longestLeaseName = 1 << 10

// isLeaseName reports whether a text can name a lease, or is empty. It is sent back to the server, and shown where that fails.
func isLeaseName(text string) bool { return foreign.Text(text, longestLeaseName) == text }

// decode keeps numbers as they were written.
func decode(body []byte, into *content) error {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// tlsConfig is what the connection says of TLS; roots may be empty for the system's.
func tlsConfig(roots []byte, serverName string, certificate *tls.Certificate) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if len(roots) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(roots) {
			return nil, errors.New("it holds no PEM certificate")
		}
	}
	if certificate != nil {
		// Whatever CAs the server names: the cert auth method has its own.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config, nil
}

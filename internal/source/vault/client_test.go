package vault

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

// hostile sets every variable that Vault's client is known to follow to a value that would do harm.
func hostile(t *testing.T, elsewhere string) {
	t.Helper()
	for name, value := range map[string]string{
		"VAULT_ADDR":              elsewhere,
		"VAULT_AGENT_ADDR":        elsewhere,
		"VAULT_CACERT":            "/nonexistent",
		"VAULT_CACERT_BYTES":      "nonsense",
		"VAULT_CAPATH":            "/nonexistent",
		"VAULT_CLIENT_CERT":       "/nonexistent",
		"VAULT_CLIENT_KEY":        "/nonexistent",
		"VAULT_CLIENT_TIMEOUT":    "1ns",
		"VAULT_DISABLE_REDIRECTS": "false",
		"VAULT_HEADERS":           `{"X-Stray":"1"}`,
		"VAULT_HTTP_PROXY":        elsewhere,
		"VAULT_MAX_RETRIES":       "7",
		"VAULT_MFA":               "stray",
		"VAULT_NAMESPACE":         "stray",
		"VAULT_PROXY_ADDR":        elsewhere,
		"VAULT_RATE_LIMIT":        "garbage",
		"VAULT_SKIP_VERIFY":       "true",
		"VAULT_SRV_LOOKUP":        "true",
		"VAULT_TLS_SERVER_NAME":   "stray",
		"VAULT_TOKEN":             "stray",
		"VAULT_WRAP_TTL":          "60s",
	} {
		t.Setenv(name, value)
	}
}

func TestNothingComesFromTheEnvironment(t *testing.T) {
	elsewhere := newScripted(t)
	hostile(t, elsewhere.URL)
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)

	if n := len(elsewhere.requests("")); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	for _, request := range server.requests("") {
		for _, header := range []string{"X-Vault-Namespace", "X-Vault-Wrap-TTL", "X-Vault-MFA", "X-Stray"} {
			if value := request.Header.Get(header); value != "" {
				t.Errorf("%s has %s: %s", request.URL.Path, header, value)
			}
		}
		token, wanted := request.Header.Get("X-Vault-Token"), testToken
		if strings.HasSuffix(request.URL.Path, "/login") {
			wanted = ""
		}
		if token != wanted {
			t.Errorf("%s has the token %q", request.URL.Path, token)
		}
	}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "VAULT_") {
			t.Errorf("%s is left", variable)
		}
	}
}

func TestTLSIsVerifiedWhateverTheEnvironmentSays(t *testing.T) {
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonTLSFailed)
}

func TestARedirectIsFollowedToAllowedAddressesOnly(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		path     string // at the target; empty: the same
		allowed  bool
		followed bool
	}{
		"a standby's, to an allowed node":       {status: 307, allowed: true, followed: true},
		"permanent, to an allowed node":         {status: 308, allowed: true, followed: true},
		"a standby's, to another node":          {status: 307},
		"one that turns a PUT into a GET":       {status: 302, allowed: true},
		"to another path of an allowed node":    {status: 307, allowed: true, path: "/v1/sys/raw/core"},
		"to another query of an allowed node":   {status: 307, allowed: true, path: "/v1/secret/data/a?list=true"},
		"permanently moved, to an allowed node": {status: 301, allowed: true},
	} {
		for _, redirected := range []string{"/v1/secret/data/a", "/v1/auth/approle/login"} {
			t.Run(name+", at "+redirected, func(t *testing.T) {
				active, standby := newScripted(t), newScripted(t)
				active.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
				standby.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
				standby.handle(redirected, func(w http.ResponseWriter, r *http.Request) {
					path := r.URL.Path
					if test.path != "" {
						path = test.path
					}
					http.Redirect(w, r, active.URL+path, test.status)
				})
				rig := newRig(t, standby.URL, func(o *Options) {
					o.AllowedAddresses = []string{standby.URL}
					if test.allowed {
						o.AllowedAddresses = append(o.AllowedAddresses, active.URL)
					}
				})
				if test.followed {
					rig.mustRead(atKV2)
					return
				}
				failure := rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused)
				if !strings.Contains(failure.Message, active.URL) {
					t.Errorf("the message does not name the host: %s", failure.Message)
				}
				if n := len(active.requests("")); n != 0 {
					t.Errorf("%d requests followed", n)
				}
			})
		}
	}
}

func TestARedirectLoopEnds(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, server.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	rig := newRig(t, server.URL, func(o *Options) { o.AllowedAddresses = []string{server.URL} })
	rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused)
	if n := len(server.requests("/v1/secret/data/a")); n != maxRedirects+1 {
		t.Errorf("%d requests", n)
	}
}

func TestACompressedAnswerIsMeasuredAsItUnfolds(t *testing.T) {
	var bomb bytes.Buffer
	compressor := gzip.NewWriter(&bomb)
	if _, err := compressor.Write(bytes.Repeat([]byte(" "), 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, bomb.String(), "Content-Encoding", "gzip"))
	failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonMalformed)
	if !strings.Contains(failure.Message, "1 MiB") {
		t.Error(failure.Message)
	}
}

func TestAnAnswerOfManyValuesIsNotDecoded(t *testing.T) {
	server := newScripted(t)
	body := `{"data":{"data":{"x":[` + strings.Repeat("1,", 300_000) + `1]}}}`
	server.handle("/v1/secret/data/a", answers(200, body))
	r := newRig(t, server.URL)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.mustFail(atKV2, v1alpha1.ReasonMalformed)
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) / uint64(len(body)); took > 20 {
		t.Errorf("it took %d times the memory of its text", took)
	}
}

func TestOnlyListedAddressesAreUsed(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	other := newRig(t, server.URL, func(o *Options) { o.AllowedAddresses = []string{"https://vault.company.io"} })
	failure := other.mustFail(atKV2, v1alpha1.ReasonConnectionRefused)
	if !strings.Contains(failure.Message, "--vault-addresses") || len(server.requests("")) != 0 {
		t.Errorf("%s; %d requests", failure.Message, len(server.requests("")))
	}
	listed := newRig(t, server.URL+"/", func(o *Options) { o.AllowedAddresses = []string{strings.ToUpper(server.URL[:4]) + server.URL[4:]} })
	listed.mustRead(atKV2)
}

func TestWhatIsNoAddressIsRefusedAtTheStart(t *testing.T) {
	for _, address := range []string{"", "vault.company.io", "ftp://vault.company.io", "https://", "https://user@vault.company.io", "https://vault.company.io/path", "https://vault.company.io?x=y", "https://vault.company.io#x", "https://[::1"} {
		if _, err := New(Options{AllowedAddresses: []string{address}}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestAddressesAreOneHoweverTheyAreWritten(t *testing.T) {
	for address, same := range map[string]string{
		"https://Vault.company.io":      "https://vault.company.io:443",
		"http://vault.company.io/":      "http://vault.company.io:80",
		"https://vault.company.io:8200": "https://vault.company.io:8200/",
		"https://[::1]:8200":            "https://[::1]:8200",
	} {
		m, err := New(Options{AllowedAddresses: []string{same}})
		if err != nil {
			t.Fatal(err)
		}
		if fault := checkAddress(address, m.allowed); fault != "" {
			t.Errorf("%s and %s: %s", address, same, fault)
		}
	}
	m, err := New(Options{AllowedAddresses: []string{"https://vault.company.io:8200"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"http://vault.company.io:8200", "https://vault.company.io", "https://vault.company.io.evil.example:8200"} {
		if checkAddress(other, m.allowed) == "" {
			t.Errorf("%s is taken for https://vault.company.io:8200", other)
		}
	}
}

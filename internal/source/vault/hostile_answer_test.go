package vault

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/source"
)

// odd is what one path of a server answers that is well otherwise.
func odd() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"a certificate, as PKI gives at ca/pem": answers(200, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "Content-Type", "application/pem-certificate-chain"),
		"bytes, as PKI gives at crl":            answers(200, "\x30\x82\x01\x00", "Content-Type", "application/pkix-crl"),
		"JSON that is no object of Vault":       answers(200, `{"data":["a"]}`),
		"a number where Vault has none":         answers(200, `{"data":{"username":"a","password":"b"},"lease_duration":1e30}`),
		"a page that finds nothing":             answers(404, "<html>"),
		"a connection that breaks": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
			panic(http.ErrAbortHandler)
		},
		"headers of a megabyte":            answers(200, kv2Answer(goodData), "X-Long", strings.Repeat("x", 1<<20)),
		"a body that is compressed wrong":  answers(200, "no gzip", "Content-Encoding", "gzip"),
		"a wait of as long as there is":    answers(429, `{"errors":[]}`, "Retry-After", "9223372036854775807"),
		"a wait that is less than nothing": answers(429, `{"errors":[]}`, "Retry-After", "-9223372036"),
	}
}

// Who edits a RegistryCredential chooses the path, and who writes an engine what it answers: neither is the server.
func TestWhatOnePathAnswersShutsNoGateForOthers(t *testing.T) {
	for name, answer := range odd() {
		if strings.Contains(name, "wait") {
			continue // that is the server's, for all
		}
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/robots/creds/a", answer)
			r := newRig(t, server.URL)
			for range 3 {
				if _, failure := r.read(atDynamic); failure == nil {
					t.Fatal("it is read")
				}
			}
			r.mustRead(atKV2)
		})
	}
}

// A server may ask for any wait, and gets longestPause.
func TestAWaitIsNeverLongerThanTheLongestPause(t *testing.T) {
	for _, told := range []string{"9223372036854775807", "9223372037", "18446744073", "31536000", "1000000000000000000", "-1", "0", "1e9", "NaN", "99999999999999999999"} {
		server := newScripted(t)
		server.handle("/v1/secret/data/a", answers(429, `{"errors":[]}`, "Retry-After", told))
		r := newRig(t, server.URL)
		failure := r.mustFail(atKV2, v1alpha1.ReasonRateLimited)
		if failure.RetryAfter < lastProbe || failure.RetryAfter > longestPause+othersSpread {
			t.Errorf("Retry-After %s: %s", told, failure.RetryAfter)
		}
		before := len(server.requests("/v1/secret/data/a"))
		if r.read(atKV2); len(server.requests("/v1/secret/data/a")) != before {
			t.Errorf("Retry-After %s: it is asked again at once", told)
		}
	}
}

// lifetimes are those that no server means, in seconds.
var lifetimes = []string{"9223372036854775807", "9223372037", "18446744074", "1000000000000000000", "-1", "-9223372036854775808", "3153600000000"}

// The end of a lease of ours lies ahead, and no more than a lifetime of people.
func TestALeaseOfAnyLengthEndsAhead(t *testing.T) {
	ahead := func(r *rig, end time.Time) bool {
		return end.IsZero() || end.After(r.now()) && end.Before(r.now().AddDate(100, 0, 0))
	}
	for _, seconds := range lifetimes {
		server := newScripted(t)
		server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","renewable":true,"lease_duration":`+seconds+`,"data":{"username":"a","password":"b"}}`))
		server.handle("/v1/sys/leases/renew", answers(200, `{"lease_id":"robots/creds/a/1","renewable":true,"lease_duration":`+seconds+`}`))
		server.handle("/v1/sys/leases/revoke", answers(204, ""))
		r := newRig(t, server.URL)
		snapshot, failure := r.read(atDynamic)
		if failure == nil && !ahead(r, snapshot.ExpireTime) {
			t.Errorf("a lease of %s s ends at %s", seconds, snapshot.ExpireTime)
		}
		renewed, err := r.Renew(t.Context(), source.Lease{Connection: "default", ID: "robots/creds/a/1", Renewable: true, Term: time.Hour, Duration: time.Hour, Obtained: r.now()})
		if err == nil && !ahead(r, renewed.Obtained.Add(renewed.Duration)) {
			t.Errorf("one that is renewed by %s s ends at %s", seconds, renewed.Obtained.Add(renewed.Duration))
		}
	}
}

// A token of any length is used, and no login follows another because of it.
func TestATokenOfAnyLengthIsUsed(t *testing.T) {
	for _, seconds := range lifetimes {
		server := newScripted(t)
		server.handle("/v1/auth/approle/login", answers(200, `{"auth":{"client_token":"t","renewable":true,"lease_duration":`+seconds+`}}`))
		server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"t","renewable":true,"lease_duration":`+seconds+`}}`))
		server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
		r := newRig(t, server.URL)
		for range 5 {
			r.mustRead(atKV2)
			r.pass(time.Second)
		}
		if logins := len(server.requests("/v1/auth/approle/login")); logins != 1 {
			t.Errorf("%s s: %d logins", seconds, logins)
		}
	}
}

// What an engine makes and nobody can use is given back: it would live on until its end, one more with each read.
func TestWhatAnEngineMadeInVainIsGivenBack(t *testing.T) {
	for name, data := range map[string]string{
		"the spec names another key":       `"lease_duration":3600,"data":{"user":"a","pass":"b"}`,
		"a password that is none":          `"lease_duration":3600,"data":{"username":"a","password":"a\tb"}`,
		"nothing":                          `"lease_duration":3600,"data":{}`,
		"a login":                          `"lease_duration":3600,"auth":{"client_token":"t"},"data":{"username":"a","password":"b"}`,
		"the operator's own token":         `"lease_duration":3600,"data":{"username":"a","password":"` + testToken + `"}`,
		"something in the form of KV v2":   `"lease_duration":3600,"data":{"data":{},"metadata":{"version":1}}`,
		"a docker config without registry": `"lease_duration":3600,"data":{".dockerconfigjson":"{\"auths\":{\"other.example\":{\"auth\":\"YTpi\"}}}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","renewable":true,`+data+`}`))
			server.handle("/v1/sys/leases/revoke", answers(204, ""))
			r := newRig(t, server.URL)
			if _, failure := r.read(atDynamic); failure == nil {
				t.Fatal("it is used")
			}
			if revoked := len(server.requests("/v1/sys/leases/revoke")); revoked != 1 {
				t.Errorf("%d leases were revoked", revoked)
			}
		})
	}
}

// What waits to be exchanged and is asked for no more is given back, too, whoever else asks for something.
func TestWhatNobodyAsksForAnyMoreIsGivenBack(t *testing.T) {
	server, r, cloud := exchanging(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	cloud.says(exchange.ErrUnavailable)
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
	r.pass(longestInput + time.Minute)
	r.mustRead(atKV2)
	r.maintain(t.Context())
	await(t, "the lease is revoked", func() bool { return len(server.requests("/v1/sys/leases/revoke")) == 1 })
}

// The name of a lease is kept in a record and in memory, for each that was ever given.
func TestALeaseWhoseNameIsNoneIsNotTaken(t *testing.T) {
	for name, id := range map[string]string{"long": strings.Repeat("a", 1<<19), "of several lines": `a\nb`, "with an escape": `a\u001b[31m`, "that turns around": `a\u202eb`} {
		server := newScripted(t)
		server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"`+id+`","renewable":true,"lease_duration":3600,"data":{"username":"a","password":"b"}}`))
		r := newRig(t, server.URL)
		if snapshot, failure := r.read(atDynamic); failure == nil {
			t.Errorf("%s: it is taken, with a name of %d bytes", name, len(snapshot.Lease.ID))
		}
	}
}

// shownFit reports whether a text is fit for a status: short, one line, nothing that cannot be seen.
func shownFit(text string) bool {
	return len(text) <= 1000 && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
}

func TestWhatAServerSaysOfItselfIsFitToBeShown(t *testing.T) {
	for name, version := range map[string]string{"long": strings.Repeat("1", 1<<19), "with an escape": `1.2\u001b[31m`, "that turns around": `1\u202e2`, "of several lines": `1\n2`} {
		server := newScripted(t)
		server.handle("/v1/sys/health", answers(200, fmt.Sprintf(`{"initialized":true,"sealed":false,"version":"%s"}`, version)))
		r := newRig(t, server.URL)
		object, err := r.getConnection(t.Context(), "default")
		if err != nil {
			t.Fatal(err)
		}
		state, err := r.Check(t.Context(), object)
		if err != nil || !shownFit(state.ServerVersion) || len(state.ServerVersion) > 100 {
			t.Errorf("a version that is %s: %d bytes, error %v", name, len(state.ServerVersion), err)
		}
	}
	for _, host := range []string{"evil\u202eexample", strings.Repeat("\u202e", 200), "a\u200bb", strings.Repeat("long.", 200)} {
		server := newScripted(t)
		server.handle("/v1/secret/data/a", answers(307, "", "Location", "https://"+host+"/v1/secret/data/a"))
		if failure := newRig(t, server.URL).mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !shownFit(failure.Message) || !strings.HasSuffix(failure.Message, outcomeRedirect.Message) {
			t.Errorf("a redirect to %q is shown as %q", host, failure.Message)
		}
	}
}

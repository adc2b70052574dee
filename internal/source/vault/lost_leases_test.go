package vault

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/source"
)

// engine is an engine that makes a credential with a lease at each read, and takes leases back.
type engine struct {
	mu     sync.Mutex
	data   string
	made   int
	leases map[string]bool // that were made and not given back
	// refuses is the status of an answer to a revocation, 0 to take it.
	refuses int
}

// newEngine serves robots/creds/a.
func newEngine(server *scripted, data string) *engine {
	e := &engine{data: data, leases: map[string]bool{}}
	server.handle("/v1/robots/creds/a", e.make)
	server.handle("/v1/sys/leases/revoke", e.revoke)
	return e
}

func (e *engine) make(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made++
	lease := fmt.Sprintf("robots/creds/a/%d", e.made)
	e.leases[lease] = true
	answers(200, fmt.Sprintf(`{"lease_id":%q,"lease_duration":2764800,"renewable":true,"data":%s}`, lease, e.data))(w, r)
}

func (e *engine) revoke(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var asked struct {
		ID string `json:"lease_id"`
	}
	_ = json.Unmarshal(body, &asked)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuses != 0 {
		answers(e.refuses, `{"errors":["no"]}`)(w, r)
		return
	}
	delete(e.leases, asked.ID)
	answers(204, "")(w, r)
}

// left is how many leases nobody gave back, of how many.
func (e *engine) left() (left, made int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.leases), e.made
}

func (e *engine) says(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuses = status
}

// A read makes a credential. Where that is of no use, each look at the refresh period makes another one, which lives for a month.
func TestACredentialThatIsOfNoUseIsGivenBack(t *testing.T) {
	for _, c := range []struct {
		name, data, reason string
		change             func(*v1alpha1.VaultSource)
	}{
		{"a key is named that the answer has not", `{"username":"robot","password":"pw"}`, v1alpha1.ReasonKeyMissing,
			func(s *v1alpha1.VaultSource) { s.Keys = &v1alpha1.VaultKeys{Password: "secret"} }},
		{"the answer has no value", `{}`, v1alpha1.ReasonKeyMissing, func(*v1alpha1.VaultSource) {}},
		{"the answer is a docker config without the registry", `{"config":{"auths":{"other.example":{"auth":"YTpi"}}}}`, v1alpha1.ReasonRegistryMissing,
			func(s *v1alpha1.VaultSource) { s.Keys = &v1alpha1.VaultKeys{DockerConfig: "config"} }},
		{"it is the operator's own token", `{"username":"robot","password":"` + testToken + `"}`, v1alpha1.ReasonMalformed, func(*v1alpha1.VaultSource) {}},
		{"the mount is KV of version 2", `{"data":{"password":"pw"},"metadata":{"version":1}}`, v1alpha1.ReasonWrongEngine, func(*v1alpha1.VaultSource) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newScripted(t)
			engine := newEngine(server, c.data)
			r := newRig(t, server.URL)
			place := atDynamic
			c.change(&place)
			for range 3 {
				r.mustFail(place, c.reason)
				r.pass(5 * time.Minute)
				r.maintain(t.Context())
			}
			if left, made := engine.left(); made != 3 || left != 0 {
				t.Errorf("%d were made, and %d are not given back", made, left)
			}
		})
	}
}

// While a cloud is away for hours, the keys that wait for it are made again now and then, and each one before is given back.
func TestWhatWaitedTooLongForACloudIsGivenBack(t *testing.T) {
	for name, pause := range map[string]time.Duration{"it is asked every two minutes": 2 * time.Minute, "it is asked every seven minutes": 7 * time.Minute, "it is asked every half hour": 30 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			server := newScripted(t)
			engine := newEngine(server, `{"access_key":"AKIA1","secret_key":"hidden"}`)
			r := newRig(t, server.URL)
			cloud := &scriptedCloud{life: 12 * time.Hour, now: r.now, err: exchange.ErrUnavailable}
			r.options.Exchange = cloud
			for range 30 {
				r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
				r.pass(pause)
			}
			if left, made := engine.left(); left > 1 {
				t.Errorf("%d users were made, and %d of them live", made, left)
			}
			cloud.says(nil)
			r.mustRead(ofCloud(atDynamic))
			if left, made := engine.left(); left != 1 {
				t.Errorf("%d users were made, one is in use, and %d of them live", made, left)
			}
		})
	}
}

// An object that is gone, or whose spec changed, asks for no exchange any more.
func TestWhatNobodyExchangesAnyMoreIsGivenBack(t *testing.T) {
	server := newScripted(t)
	engine := newEngine(server, `{"username":"robot","password":"pw","access_key":"AKIA1","secret_key":"hidden"}`)
	r := newRig(t, server.URL)
	r.options.Exchange = &scriptedCloud{life: 12 * time.Hour, now: r.now, err: exchange.ErrUnavailable}
	r.mustFail(ofCloud(atDynamic), v1alpha1.ReasonExchangeUnavailable)
	r.mustRead(atDynamic) // exchange was taken out of the spec
	r.pass(longestInput + time.Minute)
	r.maintain(t.Context())
	if left, made := engine.left(); left != 1 || made != 2 {
		t.Errorf("%d users were made, one is in use, and %d of them live", made, left)
	}
}

// What Vault does not take back at once is given back later.
func TestWhatIsOfNoUseIsGivenBackWhenVaultTakesIt(t *testing.T) {
	server := newScripted(t)
	engine := newEngine(server, `{}`)
	r := newRig(t, server.URL)
	engine.says(500)
	r.mustFail(atDynamic, v1alpha1.ReasonKeyMissing)
	r.pass(time.Minute)
	engine.says(0)
	r.maintain(t.Context())
	if left, _ := engine.left(); left != 0 {
		t.Errorf("%d are not given back", left)
	}
}

// The token of the operator can die at any time: whatever finds that out has another one made, and does what it was asked.
func TestALeaseIsGivenBackThoughTheTokenDied(t *testing.T) {
	server := newScripted(t)
	engine := newEngine(server, `{"username":"robot","password":"pw"}`)
	r := newRig(t, server.URL)
	lease := r.mustRead(atDynamic).Lease
	dead := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, request *http.Request) {
			if request.Header.Get("X-Vault-Token") == testToken {
				answers(403, `{"errors":["permission denied"]}`)(w, request)
				return
			}
			next(w, request)
		}
	}
	server.handle("/v1/sys/leases/revoke", dead(engine.revoke))
	server.handle("/v1/auth/token/lookup-self", dead(answers(200, `{"data":{"ttl":3600,"renewable":true}}`)))
	server.handle("/v1/auth/approle/login", answers(200, loginAnswer("hvs.another")))
	r.pass(time.Minute)
	if err := r.Release(t.Context(), source.Lease{Connection: "default", ID: lease.ID}); err != nil {
		t.Errorf("%v", err)
	}
	if left, _ := engine.left(); left != 0 {
		t.Errorf("%d are not given back", left)
	}
}

// KVv2 is the default: whoever forgets to set the engine has each read make a credential that nobody follows.
func TestALeaseFromWhatIsSaidToBeKVIsGivenBack(t *testing.T) {
	server := newScripted(t)
	engine := newEngine(server, `{"username":"robot","password":"pw"}`)
	r := newRig(t, server.URL)
	place := atDynamic
	place.Engine = v1alpha1.EngineKVv1
	r.mustFail(place, v1alpha1.ReasonWrongEngine)
	r.maintain(t.Context())
	if left, made := engine.left(); made != 1 || left != 0 {
		t.Errorf("%d were made, and %d are not given back", made, left)
	}
}

// Vault is away for long, and then slow. Neither a reader nor the renewal of the token waits for hundreds of leases that are given back.
func TestFewLeasesThatNobodyUsesAreGivenBackAtOnce(t *testing.T) {
	server := newScripted(t)
	newEngine(server, `{"username":"robot","password":"pw"}`)
	r := newRig(t, server.URL)
	r.mustRead(atDynamic)
	for n := range 40 {
		r.unused.add("default", fmt.Sprintf("robots/creds/a/old-%d", n), r.now())
	}
	for _, want := range []int{16, 32, 40, 40} {
		r.maintain(t.Context())
		if got := len(server.requests("/v1/sys/leases/revoke")); got != want {
			t.Errorf("%d were given back, want %d", got, want)
		}
	}
}

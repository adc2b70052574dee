package vault

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"go.uber.org/goleak"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatIsNoneOfVaultsVariablesStays(t *testing.T) {
	t.Setenv("VAULTS", "kept")
	t.Setenv("VAULT_TOKEN", "stray")
	newRig(t, "http://127.0.0.1:1")
	if got := os.Getenv("VAULTS"); got != "kept" {
		t.Errorf("it is %q", got)
	}
	if _, there := os.LookupEnv("VAULT_TOKEN"); there {
		t.Error("a variable of Vault's is left")
	}
}

// Vault's client reads its variables whenever one is made.
func TestNothingComesFromAVariableThatIsSetLater(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	rig := newRig(t, server.URL)
	t.Setenv("VAULT_TOKEN", "stray")
	t.Setenv("VAULT_NAMESPACE", "stray")
	rig.mustRead(atKV2)
	for _, request := range server.requests("") {
		token := request.Header.Get("X-Vault-Token")
		if _, there := request.Header["X-Vault-Namespace"]; there || token == "stray" || token != "" && strings.HasSuffix(request.URL.Path, "/login") {
			t.Errorf("%s has the headers %v", request.URL.Path, request.Header)
		}
	}
}

func TestAnAnswerOfTheLargestSizeIsRead(t *testing.T) {
	good := kv2Answer(goodData)
	for size, want := range map[int]string{maxAnswer: "", maxAnswer + 1: v1alpha1.ReasonMalformed} {
		server := newScripted(t)
		server.handle("/v1/secret/data/a", answers(200, good+strings.Repeat(" ", size-len(good))))
		_, failure := newRig(t, server.URL).read(atKV2)
		if (failure == nil) != (want == "") || failure != nil && failure.Reason != want {
			t.Errorf("%d bytes: %+v", size, failure)
		}
	}
}

func TestAQuestionThatCannotBeAskedIsAnError(t *testing.T) {
	c := connection{spec: v1alpha1.VaultConnectionSpec{Address: "http://[::1"}, http: http.DefaultClient}
	if _, err := c.asking("", "", nil)(t.Context()); err == nil {
		t.Error("an address that is none is asked")
	}
	if _, err := c.newSession(&grant{token: "t"}, readAt); err == nil {
		t.Error("there is a session at an address that is none")
	}
	if _, err := put(t.Context(), nil, "a", map[string]any{"a": func() {}}); err == nil {
		t.Error("what is no JSON is sent")
	}
	if a, err := readAnswer(nil, nil); a != nil || err == nil {
		t.Errorf("nothing is the answer %v", a)
	}
}

// Eight workers read at once, again and again: each has a connection that stays.
func TestConnectionsToTheServerAreKept(t *testing.T) {
	const workers = 8
	var opened atomic.Int32
	server := newScripted(t)
	counted := httptest.NewUnstartedServer(server.Config.Handler)
	counted.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	counted.Start()
	t.Cleanup(counted.Close)
	rig := newRig(t, counted.URL)
	for range 3 {
		var arrived, ended sync.WaitGroup
		arrived.Add(workers)
		for i := range workers {
			server.handle(fmt.Sprintf("/v1/secret/data/%d", i), func(w http.ResponseWriter, r *http.Request) {
				arrived.Done()
				arrived.Wait()
				answers(200, kv2Answer(goodData))(w, r)
			})
		}
		for i := range workers {
			ended.Go(func() { rig.mustRead(v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprint(i)}) })
		}
		ended.Wait()
	}
	if n := opened.Load(); n > workers+2 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestAClosedConnectionKeepsNoneToTheServer(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	before := goleak.IgnoreCurrent()
	rig := newRig(t, server.URL)
	rig.mustRead(atKV2)
	if err := rig.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	nothingIsLeft(t, before)
}

func TestAForwardedReadThatFailsIsAFailure(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason string
		asked  int // 0: once or twice
	}{
		{"the connection breaks", breaks, v1alpha1.ReasonUnavailable, 0},
		{"it is denied, in the words of a header that is not allowed", answers(403, `{"errors":["forwarding via header"]}`), v1alpha1.ReasonPermissionDenied, 1},
		{"the header is not allowed, and nothing is there", answers(400, `{"errors":["forwarding via header"]}`), v1alpha1.ReasonBadRequest, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			server.handle("/v1/secret/data/a", test.answer)
			rig := newRig(t, server.URL)
			if _, failure := rig.readForwarded(atKV2, 0); failure == nil || failure.Reason != test.reason || test.asked > 0 && len(server.requests("/v1/secret/data/a")) != test.asked {
				t.Errorf("asked %d times, %+v", len(server.requests("/v1/secret/data/a")), failure)
			}
		})
	}
}

func TestANodeThatIsBehindIsGivenAWhile(t *testing.T) {
	client, err := newAPIClient("http://nobody.invalid", "", "", &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		may, took      time.Duration
		asked, plainly int // with the state, and without
		status         int
	}{
		{"a second and a half, with longer and longer waits, and then it is asked without the state", time.Minute, 1500 * time.Millisecond, 5, 1, 200},
		{"no longer than a read may take", time.Second, time.Second, 4, 0, 412},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, plainly, began := 0, 0, time.Now()
				ask := func(_ context.Context, with *api.Client, _ string) (*answer, error) {
					if with == client {
						plainly++
						return &answer{status: http.StatusOK}, nil
					}
					asked++
					return &answer{status: http.StatusPreconditionFailed}, nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.may)
				defer cancel()
				a, err := afterState("djE6YQ==", ask)(ctx, client, "secret/a")
				if took := time.Since(began); err != nil || a.status != test.status || asked != test.asked || plainly != test.plainly || took != test.took {
					t.Errorf("status %d, %v, asked %d times and %d times without the state, within %s", a.status, err, asked, plainly, took)
				}
			})
		})
	}
}

func TestANodeThatFailsIsGivenNoTime(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
		asked  int32 // at most
	}{
		{"where it breaks off", breaks, "the connection broke", 2},
		{"where it answers that it failed", answers(500, `{"errors":[]}`), "Vault failed at this path", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			var asked, plainly atomic.Int32
			server.handle("/v1/secret/data/a", func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Vault-Index") == "" {
					plainly.Add(1)
				}
				asked.Add(1)
				test.answer(w, r)
			})
			request := requestOf(atKV2)
			request.State = "djE6YQ=="
			_, err := newRig(t, server.URL).Read(t.Context(), request)
			if err == nil || !strings.Contains(err.Error(), test.says) || asked.Load() > test.asked || plainly.Load() != 0 {
				t.Errorf("asked %d times, %d without the state, %v", asked.Load(), plainly.Load(), err)
			}
		})
	}
}

func TestARequestThatNamesNoPlaceIsRefused(t *testing.T) {
	rig := newRig(t, "http://127.0.0.1:1")
	request := requestOf(atKV2)
	request.Source.Vault = nil
	snapshot, err := rig.Read(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "spec.source.vault is not set") || snapshot.Revision != "" {
		t.Errorf("%v", err)
	}
}

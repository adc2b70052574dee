package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestAPlaceIsKnownToEventsByTheNamespaceOfItsConnection(t *testing.T) {
	for namespace, want := range map[string]string{"": "secret/data/a", "team/shop": "team/shop/secret/data/a", "root": "secret/data/a"} {
		var i interests
		c := &connection{spec: v1alpha1.VaultConnectionSpec{VaultNamespace: namespace}, now: func() time.Time { return readAt }}
		request := requestOf(atKV2)
		i.read(c, &atKV2, "secret/data/a", request, nil)
		if got := i.at([]string{want}); len(got) != 1 || got[0] != request.Place() || len(i.paths) != 1 {
			t.Errorf("%q: it is known at %v", namespace, i.paths)
		}
	}
}

// Two objects share an answer, and what one has made of it is nothing of the other's.
func TestWhoSharesAnAnswerThatAnotherExchangesHasItAsItIs(t *testing.T) {
	server, rig, _ := exchanging(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"access_key": "AKIA", "secret_key": "s", "username": "robot", "password": "pw"})))
	traded, failure := rig.readAged(ofCloud(atKV2), time.Hour)
	if failure != nil || traded.Config["registry.example"].Password() != "login-1" {
		t.Fatalf("%v, %v", traded, failure)
	}
	for range 2 {
		got, failure := rig.readAged(atKV2, time.Hour)
		if failure != nil || got.Config["registry.example"].Password() != "pw" || got.Minted || len(server.requests("/v1/secret/data/a")) != 1 {
			t.Errorf("%v, %v, after %d reads", got, failure, len(server.requests("/v1/secret/data/a")))
		}
	}
}

// several are the connections of a rig by name, and what the API server answers where one is not there.
func several(r *rig, missing func(name string) error) func(*Options) {
	return func(o *Options) {
		o.Connection = func(_ context.Context, name string) (*v1alpha1.VaultConnection, error) {
			if err := missing(name); err != nil {
				return nil, err
			}
			object := r.connection.DeepCopy()
			object.Name = name
			return object, nil
		}
	}
}

func TestMaintenanceForgetsWhatIsGoneAndNothingElse(t *testing.T) {
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "vaultconnections"}, "x")
	for _, test := range []struct {
		name string
		err  error
		kept int // of nine connections, of which the API server gives no more than one
	}{
		{"eight are deleted", gone, 1},
		{"of eight the API server does not say", errors.New("the API server is away"), 9},
		{"eight may not be read any more", apierrors.NewForbidden(schema.GroupResource{Resource: "vaultconnections"}, "x", errors.New("no")), 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newScripted(t)
			tokens(server, 3600, true)
			server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
			server.handle("/v1/auth/token/renew-self", answers(200, `{"auth":{"client_token":"x","lease_duration":3600,"renewable":true}}`))
			var fault error
			rig := newRig(t, server.URL)
			several(rig, func(name string) error {
				if name == "stays" {
					return nil
				}
				return fault
			})(&rig.options)
			place := atKV2
			for i := range 9 {
				if place.Connection = fmt.Sprint("gone-", i); i == 8 {
					place.Connection = "stays"
				}
				rig.mustRead(place)
			}
			rig.pass(45 * time.Minute) // when each is to be renewed
			fault = test.err
			rig.maintain(t.Context())
			if len(rig.connections) != test.kept || rig.connections["stays"] == nil {
				t.Errorf("%d are kept", len(rig.connections))
			}
			if n := len(server.requests("/v1/auth/token/renew-self")); n != test.kept {
				t.Errorf("%d tokens are renewed, want %d", n, test.kept)
			}
		})
	}
}

func TestOfAConnectionWhoseObjectMaintenanceFindsGoneNoTroubleIsKept(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/auth/approle/login", answers(400, `{"errors":[]}`))
	rig := newRig(t, server.URL)
	rig.mustFail(atKV2, v1alpha1.ReasonLoginFailed)
	rig.mu.Lock()
	rig.connection = nil
	rig.mu.Unlock()
	rig.maintain(t.Context())
	if len(rig.troubles)+len(rig.interests)+len(rig.connections) != 0 {
		t.Errorf("kept are %v, %d interests and %d connections", rig.troubles, len(rig.interests), len(rig.connections))
	}
}

// Nothing is read for an address that is not to be used, so that what is told of is the address.
func TestAnAddressThatIsNotListedIsToldBeforeASecretThatIsMissing(t *testing.T) {
	asked := 0
	rig := newRig(t, "http://elsewhere.example:8200", func(o *Options) {
		o.AllowedAddresses = []string{"http://vault.example:8200"}
		secret := o.Secret
		o.Secret = func(ctx context.Context, name string) (*corev1.Secret, error) { asked++; return secret(ctx, name) }
	})
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = "missing" })
	if failure := rig.mustFail(atKV2, v1alpha1.ReasonConnectionRefused); !strings.Contains(failure.Message, "--vault-addresses") || asked != 0 {
		t.Errorf("%s, after %d reads of Secrets", failure.Message, asked)
	}
}

// When it was put there is known of KV version 2 and of static roles alone: a time that is none would order values by it.
func TestOfWhatAnEngineMakesNobodySaysWhenItWasWritten(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/robots/creds/a", answers(200, `{"lease_id":"robots/creds/a/1","lease_duration":3600,"data":{"username":"robot","password":"pw"}}`))
	rig := newRig(t, server.URL)
	if got := rig.mustRead(atDynamic); !got.CreatedTime.IsZero() || got.ReadTime.IsZero() {
		t.Errorf("it was written at %s, and read at %s", got.CreatedTime, got.ReadTime)
	}
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(goodData)))
	if got := rig.mustRead(atKV2); got.CreatedTime.IsZero() || got.CreatedTime.Equal(got.ReadTime) {
		t.Errorf("it was written at %s, and read at %s", got.CreatedTime, got.ReadTime)
	}
}

// Whoever is refused while Vault is asked about the token was refused later, and has it asked again.
func TestALookUpCountsFromItsBegin(t *testing.T) {
	server := newScripted(t)
	tokens(server, 36000, true)
	server.handle("/v1/secret/data/a", answers(403, `{"errors":["permission denied"]}`))
	rig := newRig(t, server.URL)
	looked := 0
	server.handle("/v1/auth/token/lookup-self", func(w http.ResponseWriter, r *http.Request) {
		rig.Manager.mu.Lock()
		c := rig.connections["default"]
		rig.Manager.mu.Unlock()
		if c.tokens.present() != nil { // else it is the login's own look
			if looked++; c.tokens.lookups.Load() != int64(looked) {
				t.Errorf("while it is asked for the %d. time, %d are counted", looked, c.tokens.lookups.Load())
			}
		}
		answers(200, `{"data":{"ttl":36000,"renewable":true}}`)(w, r)
	})
	for range 3 {
		rig.mustFail(atKV2, v1alpha1.ReasonPermissionDenied)
	}
	if looked != 3 {
		t.Errorf("it was asked %d times", looked)
	}
}

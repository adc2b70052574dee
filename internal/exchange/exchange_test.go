package exchange_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/exchange"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/test/box"
)

const (
	irish   = v1alpha1.Registry("111122223333.dkr.ecr.eu-west-1.amazonaws.com")
	another = v1alpha1.Registry("444455556666.dkr.ecr.eu-west-1.amazonaws.com/team")
	ohio    = v1alpha1.Registry("111122223333.dkr.ecr.us-east-2.amazonaws.com")
	gallery = v1alpha1.Registry("public.ecr.aws/company")
	azure   = v1alpha1.Registry("company.azurecr.io")
)

var (
	toECR = &v1alpha1.VaultExchange{ECR: &v1alpha1.ECRExchange{}}
	toACR = &v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{}}
)

// rig is an Exchanger before stand-ins of the clouds.
type rig struct {
	*exchange.Exchanger
	cloud *box.Cloud
	now   time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{cloud: box.CloudForTest(t), now: time.Now()}
	client, err := r.cloud.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	r.Exchanger = exchange.New(client.Transport, func() time.Time { return r.now })
	return r
}

// logins are those by host, as user:password, and their end.
func logins(t *testing.T, fields payload.Fields) (map[string]string, time.Time) {
	t.Helper()
	content, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		DockerConfig struct {
			Auths map[string]struct{ Username, Password string }
		}
		End time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for host, login := range got.DockerConfig.Auths {
		all[host] = login.Username + ":" + login.Password
	}
	return all, got.End
}

func TestKeysOfAWSBecomeLoginsAtECR(t *testing.T) {
	for _, test := range []struct {
		name       string
		keys       func(*box.AWSCloud) map[string]any
		registries []v1alpha1.Registry
		hosts      []string
		requests   []string
	}{
		{"a user, one registry", (*box.AWSCloud).UserKeys, []v1alpha1.Registry{irish}, []string{"111122223333.dkr.ecr.eu-west-1.amazonaws.com"},
			[]string{"POST api.ecr.eu-west-1.amazonaws.com/"}},
		{"a session, two accounts of a region: one login", (*box.AWSCloud).SessionKeys, []v1alpha1.Registry{irish, another},
			[]string{"111122223333.dkr.ecr.eu-west-1.amazonaws.com", "444455556666.dkr.ecr.eu-west-1.amazonaws.com"}, []string{"POST api.ecr.eu-west-1.amazonaws.com/"}},
		{"two regions: a login for each", (*box.AWSCloud).SessionKeys, []v1alpha1.Registry{irish, ohio},
			[]string{"111122223333.dkr.ecr.eu-west-1.amazonaws.com", "111122223333.dkr.ecr.us-east-2.amazonaws.com"},
			[]string{"POST api.ecr.eu-west-1.amazonaws.com/", "POST api.ecr.us-east-2.amazonaws.com/"}},
		{"the public gallery", (*box.AWSCloud).SessionKeys, []v1alpha1.Registry{gallery}, []string{"public.ecr.aws"}, []string{"POST api.ecr-public.us-east-1.amazonaws.com/"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			fields, err := r.Exchange(t.Context(), toECR, test.registries, test.keys(r.cloud.AWS))
			if err != nil {
				t.Fatal(err)
			}
			got, end := logins(t, fields)
			if hosts := slices.Sorted(maps.Keys(got)); !slices.Equal(hosts, test.hosts) {
				t.Errorf("logins are for %v, want %v", hosts, test.hosts)
			}
			for host, login := range got {
				if password, ok := strings.CutPrefix(login, "AWS:"); !ok || !slices.Contains(r.cloud.AWS.ECRPasswords(), password) {
					t.Errorf("for %s it is another login than was given", host)
				}
			}
			if left := end.Sub(r.now); left < 11*time.Hour || left > 12*time.Hour+time.Minute {
				t.Errorf("it ends in %s", left)
			}
			if asked := posts(r.cloud); !slices.Equal(asked, test.requests) {
				t.Errorf("asked were %v, want %v", asked, test.requests)
			}
		})
	}
}

func posts(cloud *box.Cloud) []string {
	asked := slices.DeleteFunc(cloud.Asked(), func(request string) bool { return !strings.HasPrefix(request, "POST ") })
	slices.Sort(asked)
	return asked
}

func TestWhatEntraKnowsBecomesALoginAtACR(t *testing.T) {
	r := newRig(t)
	token, err := r.cloud.Azure.AccessToken()
	if err != nil {
		t.Fatal(err)
	}
	withTenant := &v1alpha1.VaultExchange{ACR: &v1alpha1.ACRExchange{Tenant: r.cloud.Azure.Tenant}}
	principal := payload.Fields{"client_id": r.cloud.Azure.ClientID, "client_secret": r.cloud.Azure.ClientSecret}
	named := maps.Clone(principal)
	named["tenant_id"] = r.cloud.Azure.Tenant
	for _, test := range []struct {
		name   string
		how    *v1alpha1.VaultExchange
		fields payload.Fields
	}{
		{"an access token, without a tenant", toACR, payload.Fields{"access_token": token, "expires_in": json.Number("3599")}},
		{"an access token, with its tenant", withTenant, payload.Fields{"access_token": token}},
		{"a service principal of a tenant", withTenant, principal},
		{"a service principal whose tenant is beside it", toACR, named},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields, err := r.Exchange(t.Context(), test.how, []v1alpha1.Registry{azure}, test.fields)
			if err != nil {
				t.Fatal(err)
			}
			got, end := logins(t, fields)
			password, ok := strings.CutPrefix(got["company.azurecr.io"], "00000000-0000-0000-0000-000000000000:")
			if !ok || len(got) != 1 || password == token || strings.Count(password, ".") != 2 {
				t.Errorf("it gives %v", got)
			}
			if left := end.Sub(r.now); left < 2*time.Hour || left > 3*time.Hour+time.Minute {
				t.Errorf("it ends in %s", left)
			}
		})
	}
}

// changed is a copy of fields with one changed.
func changed(fields payload.Fields, name string, value any) payload.Fields {
	fields = maps.Clone(fields)
	fields[name] = value
	return fields
}

func TestTheCloudsRefuse(t *testing.T) {
	r := newRig(t)
	aws, entra := r.cloud.AWS, r.cloud.Azure
	other := "22222222-2222-3333-4444-555555555555"
	session, principal := aws.SessionKeys(), payload.Fields{"client_id": entra.ClientID, "client_secret": entra.ClientSecret, "tenant_id": entra.Tenant}
	token, err := entra.AccessToken()
	if err != nil {
		t.Fatal(err)
	}
	access := payload.Fields{"access_token": token, "tenant_id": entra.Tenant}
	for _, test := range []struct {
		name     string
		how      *v1alpha1.VaultExchange
		registry v1alpha1.Registry
		fields   payload.Fields
		arrange  func(bool)
		reason   error
		says     string
	}{
		{"AWS: another secret", toECR, irish, changed(session, "secret_key", "other"), nil, exchange.ErrRefused, "InvalidSignatureException"},
		{"AWS: a key that nobody has", toECR, irish, changed(session, "access_key", "AKIAOTHER"), nil, exchange.ErrRefused, "UnrecognizedClientException"},
		{"AWS: a session without its token", toECR, irish, changed(session, "session_token", nil), nil, exchange.ErrRefused, "UnrecognizedClientException"},
		{"AWS: the token of another session", toECR, irish, changed(session, "session_token", aws.SessionKeys()["session_token"]), nil, exchange.ErrRefused, "UnrecognizedClientException"},
		{"AWS: a clock that is late", toECR, irish, session, func(on bool) {
			r.now = map[bool]time.Time{true: time.Now().Add(-20 * time.Minute), false: time.Now()}[on]
		}, exchange.ErrRefused, "InvalidSignatureException"},
		{"AWS: an identity that was taken away", toECR, irish, session, aws.Refuse, exchange.ErrRefused, "UnrecognizedClientException"},
		{"AWS: a session without the right", toECR, irish, aws.ForbiddenKeys(), nil, exchange.ErrRefused, "AccessDeniedException"},
		{"AWS: a session that is over", toECR, irish, aws.EndedKeys(), nil, exchange.ErrRefused, "ExpiredTokenException"},
		{"AWS: no secret", toECR, irish, changed(session, "secret_key", nil), nil, exchange.ErrInput, "access_key and secret_key"},
		{"AWS: a secret that is a number", toECR, irish, changed(session, "secret_key", json.Number("1")), nil, exchange.ErrInput, "as text"},
		{"AWS: a registry of somebody else", toECR, "registry.company.io", session, nil, exchange.ErrRegistry, "registry.company.io"},
		{"AWS: a registry that only looks like one", toECR, "111122223333.dkr.ecr.evil.amazonaws.com.evil.example", session, nil, exchange.ErrRegistry, "as Amazon ECR writes"},

		{"Azure: another secret", toACR, azure, changed(principal, "client_secret", "other"), nil, exchange.ErrRefused, "login.microsoftonline.com: invalid_client"},
		{"Azure: a principal that nobody knows", toACR, azure, changed(principal, "client_id", other), nil, exchange.ErrRefused, "unauthorized_client"},
		{"Azure: another tenant", toACR, azure, changed(principal, "tenant_id", other), nil, exchange.ErrRefused, "invalid_tenant"},
		{"Azure: an identity that was taken away", toACR, azure, principal, entra.Refuse, exchange.ErrRefused, "invalid_client"},
		{"Azure: no tenant", toACR, azure, changed(principal, "tenant_id", nil), nil, exchange.ErrInput, "exchange.acr.tenant"},
		{"Azure: a tenant that is a path", toACR, azure, changed(principal, "tenant_id", "a/../b"), nil, exchange.ErrInput, "exchange.acr.tenant"},
		{"Azure: neither token nor principal", toACR, azure, payload.Fields{"password": "x"}, nil, exchange.ErrInput, "client_id and client_secret"},
		{"Azure: a token that nobody signed", toACR, azure, changed(access, "access_token", token+"x"), nil, exchange.ErrRefused, "company.azurecr.io: UNAUTHORIZED"},
		{"Azure: a token for another tenant", toACR, azure, changed(access, "tenant_id", other), nil, exchange.ErrRefused, "UNAUTHORIZED"},
		{"Azure: a token of an identity that was taken away", toACR, azure, access, entra.Refuse, exchange.ErrRefused, "UNAUTHORIZED"},
		{"Azure: a registry of somebody else", toACR, "ghcr.io/company", access, nil, exchange.ErrRegistry, "ghcr.io"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.arrange != nil {
				test.arrange(true)
				defer test.arrange(false)
			}
			_, err := r.Exchange(t.Context(), test.how, []v1alpha1.Registry{test.registry}, test.fields)
			if !errors.Is(err, test.reason) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%v, want %v with %q", err, test.reason, test.says)
			}
			for _, secret := range []string{box.CloudWords, "other", token} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("it repeats what it must not: %v", err)
				}
			}
		})
	}
	// A refusal is an answer: the next request is sent at once.
	if _, err := r.Exchange(t.Context(), toECR, []v1alpha1.Registry{irish}, session); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	if _, err := r.Exchange(t.Context(), toACR, []v1alpha1.Registry{azure}, principal); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

// transport answers in the cloud's place.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

package exchange

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/cloudregistry"
	"regcred.dev/regcred/internal/payload"
)

// What is no login must not be delivered: it would take the place of one that works.
func TestWhatOfAnAnswerOfECRIsALogin(t *testing.T) {
	token := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	one := func(token, end string) string {
		return fmt.Sprintf(`{"authorizationToken":%q,"expiresAt":%s}`, token, end)
	}
	good := one(token("AWS:secret"), "1772366400.5")
	for _, test := range []struct {
		name, body string
		is         bool
	}{
		{"a list with one", `{"authorizationData":[` + good + `]}`, true},
		{"the login itself, as of the public gallery", `{"authorizationData":` + good + `}`, true},
		{"of a list the first", `{"authorizationData":[` + good + `,{}]}`, true},
		{"an empty list", `{"authorizationData":[]}`, false},
		{"nothing", `{}`, false},
		{"no JSON", `<html>`, false},
		{"a token that is no base64", `{"authorizationData":` + one("%%", "1772366400") + `}`, false},
		{"a token without a colon", `{"authorizationData":` + one(token("AWS"), "1772366400") + `}`, false},
		{"no user name", `{"authorizationData":` + one(token(":secret"), "1772366400") + `}`, false},
		{"no password", `{"authorizationData":` + one(token("AWS:"), "1772366400") + `}`, false},
		{"no end", `{"authorizationData":{"authorizationToken":"` + token("AWS:secret") + `"}}`, false},
		{"the end of time's beginning", `{"authorizationData":` + one(token("AWS:secret"), "0") + `}`, false},
		{"an end before it", `{"authorizationData":` + one(token("AWS:secret"), "-5") + `}`, false},
		{"an end in three thousand years", `{"authorizationData":` + one(token("AWS:secret"), "1e12") + `}`, false},
	} {
		got, err := readToken("cloud.example", []byte(test.body))
		if (err == nil) != test.is || test.is && (got.login != login{"AWS", "secret"} || got.end.Unix() != 1772366400) {
			t.Errorf("%s: until %s, %v", test.name, got.end, err)
		}
		if err != nil && (!errors.Is(err, ErrUnavailable) || got.login != (login{})) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestEachHostIsAskedForOnce(t *testing.T) {
	hosts := hostsOf([]v1alpha1.Registry{"a.example/team", "a.example", "b.example", "a.example/other"})
	if !slices.Equal(hosts, []string{"a.example", "b.example"}) {
		t.Errorf("%q", hosts)
	}
}

func TestAnExchangeThatNamesNoCloudIsRefused(t *testing.T) {
	e := &Exchanger{}
	if _, err := e.Exchange(t.Context(), &v1alpha1.VaultExchange{}, []v1alpha1.Registry{"a.azurecr.io"}, payload.Fields{"access_token": "x"}); !errors.Is(err, ErrInput) {
		t.Errorf("%v", err)
	}
}

func TestHalfAServicePrincipalIsNone(t *testing.T) {
	for name, fields := range map[string]payload.Fields{
		"nothing": {}, "no secret": {"client_id": "x"}, "no name": {"client_secret": "x"}, "empty texts": {"client_id": "", "client_secret": ""},
	} {
		e := &Exchanger{}
		if token, err := e.accessToken(t.Context(), cloudregistry.ACR{}, "00000000-0000-0000-0000-000000000000", &inputs{fields: fields}); token != "" || !errors.Is(err, ErrInput) {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

func TestHalfAKeyOfAWSIsNone(t *testing.T) {
	for name, fields := range map[string]payload.Fields{"nothing": {}, "no secret": {"access_key": "x"}, "no name": {"secret_key": "x"}} {
		if keys, err := keysOf(fields); keys.HasKeys() || !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Errors of the module quote what was answered: of them it is kept whether they were too late, and nothing else.
func TestOfAnErrorOfTheModuleNothingIsQuoted(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"too late":   {late{errors.New("secret")}, context.DeadlineExceeded},
		"given up":   {fmt.Errorf("secret: %w", context.Canceled), context.DeadlineExceeded},
		"some other": {errors.New("secret"), ErrUnavailable},
	} {
		if got := withoutText(test.err); !errors.Is(got, test.want) || got.Error() != test.want.Error() {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// away is a cloud that does not answer.
type away struct{ asked int }

func (a *away) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked++
	return nil, errors.New("away")
}

func TestOfHowManyRegionsARegistryCredentialHasLogins(t *testing.T) {
	for _, test := range []struct {
		regions int
		want    error
		asked   int
	}{{mostPlaces, ErrUnavailable, 1}, {mostPlaces + 1, ErrRegistry, 0}} {
		cloud := &away{}
		var hosts []string
		for i := range test.regions {
			hosts = append(hosts, fmt.Sprintf("111122223333.dkr.ecr.eu-west-%d.amazonaws.com", i+1))
		}
		_, err := New(cloud, time.Now).ecr(t.Context(), hosts, payload.Fields{"access_key": "x", "secret_key": "y"})
		if !errors.Is(err, test.want) || cloud.asked != test.asked {
			t.Errorf("%d regions: %v after %d questions", test.regions, err, cloud.asked)
		}
	}
}

func TestARefusalOfAzureWithoutACodeIsThatOfAProxy(t *testing.T) {
	e := New(&away{}, time.Now)
	for body, want := range map[string]error{`{"errors":[]}`: ErrUnavailable, `{}`: ErrUnavailable, `<html>`: ErrUnavailable, `{"errors":[{"code":"UNAUTHORIZED"}]}`: ErrRefused} {
		if token, err := e.readRefreshToken("company.azurecr.io", answer{status: http.StatusUnauthorized, body: []byte(body)}); token != "" || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v", body, token, err)
		}
	}
}

func TestOfHowManyRegistriesOfAzureARegistryCredentialHasLogins(t *testing.T) {
	for _, test := range []struct {
		registries int
		want       error
		asked      int
	}{{mostPlaces, ErrUnavailable, 1}, {mostPlaces + 1, ErrRegistry, 0}} {
		cloud := &away{}
		var hosts []string
		for i := range test.registries {
			hosts = append(hosts, fmt.Sprintf("company%d.azurecr.io", i))
		}
		_, err := New(cloud, time.Now).acr(t.Context(), "", hosts, payload.Fields{"access_token": "x"})
		if !errors.Is(err, test.want) || cloud.asked != test.asked {
			t.Errorf("%d registries: %v after %d questions", test.registries, err, cloud.asked)
		}
	}
}

// asked keeps the form that a cloud is sent, and answers nothing.
type asked struct{ form url.Values }

func (a *asked) RoundTrip(request *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(request.Body)
	if err == nil {
		a.form, err = url.ParseQuery(string(text))
	}
	return nil, errors.Join(err, errors.New("away"))
}

// A registry finds the tenant in the token where it is not told, and refuses one that is none.
func TestARegistryOfAzureIsToldOfATenantWhereItIsOne(t *testing.T) {
	const tenant = "8b5a9d3e-0000-4000-8000-1234567890ab"
	for given, want := range map[string]bool{tenant: true, "": false, "../x": false} {
		cloud := &asked{}
		_, _ = New(cloud, time.Now).refreshToken(t.Context(), "company.azurecr.io", given, "access")
		form := url.Values{"grant_type": {"access_token"}, "service": {"company.azurecr.io"}, "access_token": {"access"}}
		if want {
			form.Set("tenant", given)
		}
		if cloud.form.Encode() != form.Encode() {
			t.Errorf("of the tenant %q it sends %s", given, cloud.form.Encode())
		}
	}
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"regcred.dev/regcred/internal/cloudregistry"
	"regcred.dev/regcred/internal/payload"
)

const (
	// acrUser is the user name that stands for a refresh token (https://azure.github.io/acr/AAD-OAuth.html).
	acrUser = "00000000-0000-0000-0000-000000000000"
	// acrLife is how long Azure's registries give refresh tokens for. The token says its own end, too, and the earlier one counts.
	acrLife = 3 * time.Hour
)

// acr exchanges an access token of Entra at each registry. Where the source gave a service principal, the token is asked for first.
func (e *Exchanger) acr(ctx context.Context, tenant string, hosts []string, fields payload.Fields) (made, *Error) {
	var registries []cloudregistry.ACR
	for _, host := range hosts {
		at, is := cloudregistry.ParseACR(host)
		if !is {
			return made{}, fault(ErrRegistry, "registry %s is not written as Azure writes its registries' hosts, such as company.azurecr.io", host)
		}
		if len(registries) > 0 && registries[0].Login != at.Login {
			return made{}, fault(ErrRegistry, "registries %s and %s are in two clouds: give each a RegistryCredential of its own", registries[0].Host, host)
		}
		registries = append(registries, at)
	}
	if len(registries) > mostPlaces {
		return made{}, fault(ErrRegistry, "there are %d registries, and %d is the most: make several RegistryCredentials", len(registries), mostPlaces)
	}
	given := inputs{fields: fields}
	if tenant == "" {
		tenant = given.text("tenant_id")
	}
	access, err := e.accessToken(ctx, registries[0], tenant, &given)
	if err != nil {
		return made{}, err
	}
	var all made
	for i, at := range registries {
		token, err := e.refreshToken(ctx, at.Host, tenant, access)
		if err != nil {
			return made{}, err
		}
		all.add(hosts[i], login{acrUser, token}, e.now().Add(acrLife))
	}
	return all, nil
}

// accessToken is the one that the source gave, or one that the authority gives to the service principal.
func (e *Exchanger) accessToken(ctx context.Context, at cloudregistry.ACR, tenant string, given *inputs) (string, *Error) {
	token, id, secret := given.text("access_token"), given.text("client_id"), given.text("client_secret")
	switch {
	case given.fault != nil:
		return "", given.fault
	case token != "":
		return token, nil
	case id == "" || secret == "":
		return "", fault(ErrInput, "it has neither access_token nor client_id and client_secret as text, which are exchanged for a login at a registry of Azure")
	case !cloudregistry.IsTenant(tenant):
		return "", fault(ErrInput, "the tenant of the service principal is not known: set spec.source.vault.exchange.acr.tenant, or store it as tenant_id")
	}
	asking := clientcredentials.Config{
		ClientID: id, ClientSecret: secret, Scopes: []string{at.Scope}, AuthStyle: oauth2.AuthStyleInParams,
		TokenURL: "https://" + at.Login + "/" + tenant + "/oauth2/v2.0/token",
	}
	return throughGate(ctx, e, askerOf(at.Login, tenant, id), func() (string, *Error) {
		made, err := asking.Token(context.WithValue(ctx, oauth2.HTTPClient, e.client))
		if err != nil {
			return "", e.refusedByEntra(at.Login, err)
		}
		return made.AccessToken, nil
	})
}

// refusedByEntra keeps status and code of an error, whose text holds the answer.
func (e *Exchanger) refusedByEntra(host string, err error) *Error {
	var answered *oauth2.RetrieveError
	var unsent *url.Error // all that an http.Client returns where it got no answer
	switch {
	case errors.As(err, &unsent):
		return unreachable(host, withoutText(err))
	case !errors.As(err, &answered): // a page, or more than is read
		return fault(ErrUnavailable, "%s: the answer holds no token", host)
	}
	if failure := e.unwell(host, answer{status: answered.Response.StatusCode, header: answered.Response.Header}); failure != nil {
		return failure
	}
	switch {
	case answered.Response.StatusCode < 300: // a page that is none of Entra's
		return fault(ErrUnavailable, "%s: the answer holds no token", host)
	case answered.ErrorCode == "temporarily_unavailable", answered.ErrorCode == "server_error": // RFC 6749, 4.1.2.1
		return fault(ErrUnavailable, "%s: %s", host, answered.ErrorCode)
	}
	return refused(host, answered.Response.StatusCode, answered.ErrorCode).hinting(entraHint(answered.Body))
}

// entraHints are what Entra's own numbers of refusals mean (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
var entraHints = map[int]string{
	7000215: ", the client secret is wrong, or is the ID of one",
	7000222: ", the client secret has ended",
	700016:  ", the tenant knows no such application",
	90002:   ", there is no such tenant in this cloud",
}

// entraHint is the number by which Entra tells why: its codes stand for many causes, and people look for the number.
func entraHint(body []byte) string {
	var says struct {
		Numbers []int `json:"error_codes"`
	}
	if !decode(body, &says) || len(says.Numbers) == 0 {
		return ""
	}
	return fmt.Sprintf("AADSTS%d%s", says.Numbers[0], entraHints[says.Numbers[0]])
}

// withoutText keeps of an error whether it was a timeout. Others of the module quote answers.
func withoutText(err error) error {
	if isTimeout(err) || errors.Is(err, context.Canceled) {
		return context.DeadlineExceeded
	}
	return ErrUnavailable
}

// refreshToken exchanges an access token at a registry.
func (e *Exchanger) refreshToken(ctx context.Context, host, tenant, access string) (string, *Error) {
	form := url.Values{"grant_type": {"access_token"}, "service": {host}, "access_token": {access}}
	if cloudregistry.IsTenant(tenant) {
		form.Set("tenant", tenant)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+"/oauth2/exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", unreachable(host, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return throughGate(ctx, e, askerOf(host, access), func() (string, *Error) {
		got, err := e.send(request)
		if err != nil {
			return "", err
		}
		return e.readRefreshToken(host, got)
	})
}

func (e *Exchanger) readRefreshToken(host string, got answer) (string, *Error) {
	var says struct {
		Token  string `json:"refresh_token"`
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	read := decode(got.body, &says)
	switch {
	case got.status != http.StatusOK && read && len(says.Errors) > 0:
		return "", refused(host, got.status, says.Errors[0].Code)
	case got.status != http.StatusOK:
		return "", refused(host, got.status, "")
	case !read || says.Token == "":
		return "", fault(ErrUnavailable, "%s: the answer holds no refresh_token", host)
	}
	if end := payload.EndOfPassword(says.Token); !end.IsZero() {
		if _, err := e.endOf(host, end, acrLife); err != nil {
			return "", err
		}
	}
	return says.Token, nil
}

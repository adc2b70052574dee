package box

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

const (
	// acrScope is what a token for a registry is asked for, acrAudience whom it is for.
	acrScope, acrAudience = "https://containerregistry.azure.net/.default", "https://containerregistry.azure.net"
	acrLife               = 3 * time.Hour
	isForm                = "application/x-www-form-urlencoded"
	// acrUser stands for a refresh token of the registry.
	acrUser = "00000000-0000-0000-0000-000000000000"
)

// serveLogin is the authority of the tenant: it gives tokens to its service principal, and tells who signs for it.
func (a *AzureCloud) serveLogin(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/" + a.Tenant + "/oauth2/v2.0/token":
		a.serveToken(w, r)
	case "/" + a.Tenant + "/oauth2/token":
		a.serveOldLogin(w, r)
	default:
		a.serveKeys(w, r)
	}
}

func (a *AzureCloud) serveToken(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		writeJSON(w, status, map[string]string{"error": code, "error_description": CloudWords})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != isForm || r.ParseForm() != nil:
		refuse(http.StatusBadRequest, "invalid_request")
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type")
	case r.PostForm.Get("client_id") != a.ClientID:
		refuse(http.StatusBadRequest, "unauthorized_client")
	case !a.isSecret(r.PostForm.Get("client_secret")) || a.refuses():
		refuse(http.StatusUnauthorized, "invalid_client")
	case r.PostForm.Get("scope") != acrScope:
		refuse(http.StatusBadRequest, "invalid_scope")
	default:
		token, err := a.token(acrAudience, time.Hour)
		if err != nil {
			refuse(http.StatusInternalServerError, "server_error")
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})
	}
}

// AccessToken is one for registries, as Vault's Azure engine gives it.
func (a *AzureCloud) AccessToken() (string, error) { return a.token(acrAudience, time.Hour) }

// token is signed for the tenant's service principal.
func (a *AzureCloud) token(audience string, life time.Duration) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"aud": audience, "iss": a.issuer(), "tid": a.Tenant, "appid": a.ClientID, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
	})
	if err != nil {
		return "", err
	}
	return a.key.sign(claims)
}

// serveRegistry is the registry itself, with its endpoint for logins.
func (a *AzureCloud) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/oauth2/exchange" && a.logins.serve(w, r) {
		return
	}
	a.serveExchange(w, r)
}

// serveExchange is the registry's own endpoint (https://azure.github.io/acr/AAD-OAuth.html).
func (a *AzureCloud) serveExchange(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		writeJSON(w, status, map[string]any{"errors": []any{map[string]string{"code": code, "message": CloudWords}}})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	switch {
	case r.URL.Path != "/oauth2/exchange":
		refuse(http.StatusNotFound, "NOT_FOUND")
	case r.Method != http.MethodPost:
		refuse(http.StatusMethodNotAllowed, "UNSUPPORTED")
	case r.Header.Get("Content-Type") != isForm || r.ParseForm() != nil:
		refuse(http.StatusBadRequest, "BAD_REQUEST")
	case r.PostForm.Get("grant_type") != "access_token" || r.PostForm.Get("service") != a.Registry:
		refuse(http.StatusBadRequest, "BAD_REQUEST")
	case !a.admits(r.PostForm):
		refuse(http.StatusUnauthorized, "UNAUTHORIZED")
	default:
		token, err := a.refreshToken()
		if err != nil {
			refuse(http.StatusInternalServerError, "UNKNOWN")
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"refresh_token": token})
	}
}

// admits checks the tenant, where one is named, and the access token.
func (a *AzureCloud) admits(form url.Values) bool {
	tenant := form.Get("tenant")
	return (tenant == "" || tenant == a.Tenant) && a.accepts(form.Get("access_token")) && !a.refuses()
}

// refreshToken makes one that the registry takes as a password.
func (a *AzureCloud) refreshToken() (string, error) {
	token, err := a.token(a.Registry, acrLife)
	if err != nil {
		return "", err
	}
	return token, a.logins.gave(acrUser, token, time.Now().Add(acrLife))
}

// accepts checks an access token as a registry does.
func (a *AzureCloud) accepts(token string) bool { return a.isFor(token, acrAudience) }

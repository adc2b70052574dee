package box

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const graphHost = "graph.microsoft.com"

// Secrets are those that the application has at the moment, but for ClientSecret.
func (a *AzureCloud) Secrets() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.secrets)
}

func (a *AzureCloud) isSecret(secret string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if secret == a.ClientSecret {
		return true
	}
	for _, other := range a.secrets {
		if secret == other {
			return true
		}
	}
	return false
}

// serveOldLogin is the first version of the authority's endpoint, by which Vault's Azure engine logs in.
func (a *AzureCloud) serveOldLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	refuse := func(status int, code string) {
		writeJSON(w, status, map[string]string{"error": code, "error_description": CloudWords})
	}
	switch {
	case r.Method != http.MethodPost || r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "invalid_request")
		return
	case r.PostForm.Get("client_id") != a.VaultClientID || r.PostForm.Get("client_secret") != a.VaultSecret:
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	resource := r.PostForm.Get("resource")
	token, err := a.token(resource, time.Hour)
	if err != nil {
		refuse(http.StatusInternalServerError, "server_error")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"token_type": "Bearer", "expires_in": "3599", "expires_on": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), "resource": resource, "access_token": token,
	})
}

// serveGraph is Microsoft Graph, as far as it gives passwords of the application.
func (a *AzureCloud) serveGraph(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": CloudWords}})
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || !a.isFor(token, "https://"+graphHost) {
		refuse(http.StatusUnauthorized, "InvalidAuthenticationToken")
		return
	}
	application, is := strings.CutPrefix(r.URL.Path, "/v1.0/applications/"+a.Application)
	if !is {
		refuse(http.StatusNotFound, "Request_ResourceNotFound")
		return
	}
	var asked struct{ KeyID string }
	switch {
	case r.Method == http.MethodGet && application == "":
		writeJSON(w, http.StatusOK, map[string]any{"id": a.Application, "appId": a.ClientID})
	case r.Method == http.MethodPost && application == "/addPassword":
		id, secret := randomWord(32), randomWord(40)
		a.mu.Lock()
		a.secrets[id] = secret
		a.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"keyId": id, "secretText": secret, "displayName": "vault-plugin-secrets-azure"})
	case r.Method == http.MethodPost && application == "/removePassword" && json.NewDecoder(r.Body).Decode(&asked) == nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.secrets, asked.KeyID)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(http.StatusBadRequest, "Request_BadRequest")
	}
}

// isFor checks who signed a token, and for whom.
func (a *AzureCloud) isFor(token, audience string) bool {
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false
	}
	payload, err := signed.Verify(a.key.key.Public())
	var claims struct {
		Audience string `json:"aud"`
		Tenant   string `json:"tid"`
		Ends     int64  `json:"exp"`
	}
	return err == nil && json.Unmarshal(payload, &claims) == nil && slices.Contains([]string{audience, audience + "/"}, claims.Audience) &&
		claims.Tenant == a.Tenant && time.Now().Unix() < claims.Ends
}

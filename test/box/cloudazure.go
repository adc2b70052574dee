package box

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// AzureCloud is the metadata service of a node with a managed identity, the tenant that signs for it, and a registry (ACR).
type AzureCloud struct {
	Tenant    string
	Principal string // object ID of the managed identity
	Resource  string // an application of the tenant, for which it gives tokens

	ClientID, ClientSecret string // of a service principal of the tenant
	Registry               string // host of the registry

	VaultClientID, VaultSecret string // the service principal of Vault's own engine
	Application                string // object ID of the application whose service principal ClientID is

	refusal
	key    *cloudKey
	logins *cloudLogins

	mu      sync.Mutex
	secrets map[string]string // of the application, by key ID
}

func newAzureCloud() (*AzureCloud, error) {
	key, err := newCloudKey()
	return &AzureCloud{
		Tenant: "11111111-2222-3333-4444-555555555555", Principal: "66666666-7777-8888-9999-000000000000",
		Resource: "api://vault", key: key,
		ClientID: "408bf248-dd4e-4be5-919a-7f6207a307ab", ClientSecret: randomWord(40), Registry: "company.azurecr.io",
		VaultClientID: "0f8fad5b-d9cb-469f-a165-70867728950e", VaultSecret: randomWord(40),
		Application: "7c9e6679-7425-40de-944b-e07fc1f90ae7", secrets: map[string]string{},
	}, err
}

// Env gives a process nothing: it has its node's identity.
func (a *AzureCloud) Env() []string { return nil }

func (a *AzureCloud) handler(host string) http.Handler {
	switch host {
	case "169.254.169.254":
		return http.HandlerFunc(a.serveMetadata)
	case "login.microsoftonline.com":
		return http.HandlerFunc(a.serveLogin)
	case graphHost:
		return http.HandlerFunc(a.serveGraph)
	case a.Registry:
		return http.HandlerFunc(a.serveRegistry)
	default:
		return nil
	}
}

func (a *AzureCloud) serveMetadata(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		writeJSON(w, status, map[string]string{"error": code, "error_description": CloudWords})
	}
	if r.Header.Get("Metadata") != "true" || r.URL.Query().Get("api-version") == "" {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	switch r.URL.Path {
	case "/metadata/identity/oauth2/token":
		resource := r.URL.Query().Get("resource")
		switch {
		case a.refuses():
			refuse(http.StatusBadRequest, "invalid_request")
		case !slices.Contains([]string{a.Resource, "https://management.azure.com/"}, resource):
			refuse(http.StatusBadRequest, "invalid_resource")
		default:
			a.giveToken(w, resource)
		}
	case "/metadata/instance":
		writeJSON(w, http.StatusOK, map[string]any{"compute": map[string]string{
			"name": "node-1", "vmScaleSetName": "nodes", "subscriptionId": "99999999-8888-7777-6666-555555555555", "resourceGroupName": "cluster",
		}})
	default:
		refuse(http.StatusNotFound, "not_found")
	}
}

func (a *AzureCloud) issuer() string { return "https://sts.windows.net/" + a.Tenant + "/" }

func (a *AzureCloud) giveToken(w http.ResponseWriter, resource string) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"aud": resource, "iss": a.issuer(), "tid": a.Tenant, "oid": a.Principal, "sub": a.Principal,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
	})
	if err == nil {
		var token string
		if token, err = a.key.sign(claims); err == nil {
			writeJSON(w, http.StatusOK, map[string]string{
				"access_token": token, "expires_in": "86400", "resource": resource, "token_type": "Bearer",
			})
			return
		}
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// serveKeys tells who signs for the tenant, and with which keys.
func (a *AzureCloud) serveKeys(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/" + a.Tenant + "/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, map[string]string{
			"issuer": a.issuer(), "jwks_uri": "https://login.microsoftonline.com/common/discovery/keys",
		})
	case "/common/discovery/keys":
		writeJSON(w, http.StatusOK, a.key.public())
	default:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_tenant", "error_description": CloudWords})
	}
}

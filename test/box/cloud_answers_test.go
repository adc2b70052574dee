package box_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
	"github.com/go-jose/go-jose/v4"

	"regcred.dev/regcred/test/box"
)

// The stand-in is worth something only as far as it refuses what the real clouds refuse.
func TestTheCloudsRefuseWhatTheRealOnesRefuse(t *testing.T) {
	cloud := box.CloudForTest(t)
	client, err := cloud.Client()
	noError(t, err)
	for _, test := range []struct {
		name, method, url string
		status            int
		says              string
	}{
		{"Azure's metadata service: no header Metadata", "GET", "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2021-05-01&resource=api://vault", 400, "invalid_request"},
		{"Google's metadata server: no header Metadata-Flavor", "GET", "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token", 403, "Metadata-Flavor"},
		{"EKS's Pod Identity: no token of the pod", "GET", "http://169.254.170.23/v1/credentials", 400, "AccessDeniedException"},
		{"AWS: nothing that can be asked", "POST", "https://sts.amazonaws.com/", 400, "InvalidAction"},
		{"AWS's IAM: nothing signed", "POST", "https://iam.amazonaws.com/", 403, "MissingAuthenticationToken"},
		{"Amazon ECR: no registry is served", "GET", "https://" + cloud.AWS.Registry() + "/v2/", 503, ""},
		{"Microsoft Graph: no access token", "GET", "https://graph.microsoft.com/v1.0/applications/" + cloud.Azure.Application, 401, "InvalidAuthenticationToken"},
		{"Entra, as Vault's engine asks: nothing sent", "POST", "https://login.microsoftonline.com/" + cloud.Azure.Tenant + "/oauth2/token", 400, "invalid_request"},
		{"Google's IAM: no access token", "GET", "https://iam.googleapis.com/v1/projects/-/serviceAccounts/" + cloud.GCP.Account, 401, "UNAUTHENTICATED"},
		{"Google's access tokens: nothing signed", "POST", "https://oauth2.googleapis.com/token", 400, "invalid_grant"},
		{"Azure: another tenant", "GET", "https://login.microsoftonline.com/other/.well-known/openid-configuration", 400, "invalid_tenant"},
		{"a host of nobody", "GET", "http://example.com/", 502, "example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), test.method, test.url, nil)
			noError(t, err)
			status, body := answer(t, client, request)
			if status != test.status || !strings.Contains(body, test.says) || !strings.Contains(body, box.CloudWords) {
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
	t.Run("a host of nobody, by TLS, is named in the error and in the record", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
		noError(t, err)
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			t.Fatalf("status %d", response.StatusCode)
		}
		if !strings.Contains(err.Error(), "example.com:443") || !slices.Contains(cloud.Asked(), "CONNECT example.com:443") {
			t.Errorf("error: %v; asked for: %v", err, cloud.Asked())
		}
	})
}

func TestAWSKnowsWhoSigned(t *testing.T) {
	cloud := box.CloudForTest(t)
	client, err := cloud.Client()
	noError(t, err)
	keys := map[string]string{}
	for _, variable := range cloud.AWS.Env() {
		name, value, _ := strings.Cut(variable, "=")
		keys[name] = value
	}
	signer := v4.NewSigner(credentials.NewStaticCredentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], ""))
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	for _, test := range []struct {
		name   string
		at     time.Time
		change func(*http.Request)
		says   string
	}{
		{"as it was signed", time.Now(), func(*http.Request) {}, cloud.AWS.UserARN},
		{"fourteen minutes later", time.Now().Add(-14 * time.Minute), func(*http.Request) {}, cloud.AWS.UserARN},
		{"sixteen minutes later", time.Now().Add(-16 * time.Minute), func(*http.Request) {}, "SignatureDoesNotMatch"},
		{"with a header changed", time.Now(), func(r *http.Request) { r.Header.Set("X-Signed", "no") }, "SignatureDoesNotMatch"},
		{"with a body changed", time.Now(), func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body[:len(body)-1] + "6")) }, "SignatureDoesNotMatch"},
		{"for another host", time.Now(), func(r *http.Request) { r.Host = "sts.amazonaws.com" }, "SignatureDoesNotMatch"},
		{"without the signature", time.Now(), func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationToken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, cloud.AWS.STSEndpoint, strings.NewReader(body))
			noError(t, err)
			request.Header.Set("X-Signed", "yes")
			_, err = signer.Sign(request, strings.NewReader(body), "sts", cloud.AWS.Region, test.at)
			noError(t, err)
			test.change(request)
			if status, got := answer(t, client, request); !strings.Contains(got, test.says) {
				t.Errorf("status %d: %s", status, got)
			}
		})
	}
}

func TestVaultTakesNoJWTThatAnotherKeySigned(t *testing.T) {
	cloud := box.CloudForTest(t)
	vault := vaultOfClouds(t, cloud)
	client, err := cloud.Client()
	noError(t, err)
	fetch := func(url string, into any) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		noError(t, err)
		_, body := answer(t, client, request)
		noError(t, json.Unmarshal([]byte(body), into))
	}
	now := time.Now()
	t.Run("Google Cloud", func(t *testing.T) {
		certificates := map[string]string{}
		fetch("https://www.googleapis.com/service_accounts/v1/metadata/x509/"+cloud.GCP.Account, &certificates)
		for id := range certificates {
			refused(t, vault, "auth/gcp/login", forged(t, id, map[string]any{
				"sub": cloud.GCP.Account, "aud": "vault/user", "exp": now.Add(time.Minute).Unix(),
			}))
		}
	})
	t.Run("Azure", func(t *testing.T) {
		var keys jose.JSONWebKeySet
		fetch("https://login.microsoftonline.com/common/discovery/keys", &keys)
		refused(t, vault, "auth/azure/login", forged(t, keys.Keys[0].KeyID, map[string]any{
			"aud": cloud.Azure.Resource, "iss": "https://sts.windows.net/" + cloud.Azure.Tenant + "/", "oid": cloud.Azure.Principal,
			"nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}))
	})
}

// forged signs claims with a new key that pretends to be another one.
func forged(t *testing.T, keyID string, claims map[string]any) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	noError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	noError(t, err)
	payload, err := json.Marshal(claims)
	noError(t, err)
	signed, err := signer.Sign(payload)
	noError(t, err)
	token, err := signed.CompactSerialize()
	noError(t, err)
	return token
}

func refused(t *testing.T, vault *box.Vault, path, token string) {
	t.Helper()
	login := newClient(t, vault)
	login.SetMaxRetries(0)
	_, err := login.Logical().WriteWithContext(t.Context(), path, map[string]any{"role": "user", "jwt": token})
	if err == nil || !strings.Contains(err.Error(), "verif") && !strings.Contains(err.Error(), "cryptographic primitive") {
		t.Errorf("the forged JWT gives %v", err)
	}
}

func answer(t *testing.T, client *http.Client, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := client.Do(request)
	noError(t, err)
	content, err := io.ReadAll(response.Body)
	noError(t, err, response.Body.Close())
	return response.StatusCode, string(content)
}

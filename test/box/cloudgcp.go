package box

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/go-jose/go-jose/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	gcpMetadataHost = "metadata.google.internal"
	gcpProject      = "project"
)

// GCPCloud is the metadata server of a GKE node with Workload Identity, and what of Google's APIs signs JWTs and knows
// service accounts.
type GCPCloud struct {
	Account         string // e-mail of the service account that the operator is
	CredentialsFile string // JSON with the key of Vault's own service account, for auth/gcp/config

	refusal
	credentialspb.UnimplementedIAMCredentialsServer
	metadataAddress    string // host:port
	vaultAccount       string
	key, vaultKey      *cloudKey
	token, vaultsToken string // access tokens
	hosts              map[string]http.Handler
}

func newGCPCloud(folder string) (*GCPCloud, error) {
	g := &GCPCloud{
		Account: "regcred@" + gcpProject + ".iam.gserviceaccount.com", CredentialsFile: filepath.Join(folder, "vault-gcp.json"),
		vaultAccount: "vault@" + gcpProject + ".iam.gserviceaccount.com",
		token:        "ya29." + randomWord(40), vaultsToken: "ya29." + randomWord(40),
	}
	var err error
	if g.key, err = newCloudKey(); err != nil {
		return nil, err
	}
	if g.vaultKey, err = newCloudKey(); err != nil {
		return nil, err
	}
	signing := grpc.NewServer()
	credentialspb.RegisterIAMCredentialsServer(signing, g)
	g.hosts = map[string]http.Handler{
		gcpMetadataHost:                 http.HandlerFunc(g.serveMetadata),
		"iamcredentials.googleapis.com": signing, // ends with the connections that carry it
		"oauth2.googleapis.com":         http.HandlerFunc(g.serveToken),
		"iam.googleapis.com":            http.HandlerFunc(g.serveAccount),
		"www.googleapis.com":            http.HandlerFunc(g.serveCertificates),
	}
	return g, g.writeCredentials()
}

func (g *GCPCloud) writeCredentials() error {
	key, err := g.vaultKey.pem()
	if err != nil {
		return err
	}
	content, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": gcpProject, "client_email": g.vaultAccount, "client_id": "200000000000000000001",
		"private_key_id": g.vaultKey.id, "private_key": key, "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		return fmt.Errorf("writing Vault's key for Google Cloud: %w", err)
	}
	if err := os.WriteFile(g.CredentialsFile, content, 0o600); err != nil {
		return fmt.Errorf("writing Vault's key for Google Cloud: %w", err)
	}
	return nil
}

// Env gives a process the service account by Workload Identity.
func (g *GCPCloud) Env() []string {
	return []string{"GCE_METADATA_HOST=" + g.metadataAddress, "GOOGLE_APPLICATION_CREDENTIALS="}
}

func (g *GCPCloud) handler(host string) http.Handler { return g.hosts[host] }

func (g *GCPCloud) serveMetadata(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	if r.Header.Get("Metadata-Flavor") != "Google" {
		http.Error(w, "the header Metadata-Flavor: Google is missing: "+CloudWords, http.StatusForbidden)
		return
	}
	of, _ := strings.CutPrefix(r.URL.Path, "/computeMetadata/v1/")
	switch of {
	case "project/project-id":
		_, _ = w.Write([]byte(gcpProject)) // the caller may be gone
	case "instance/service-accounts/default/email":
		_, _ = w.Write([]byte(g.Account)) // the caller may be gone
	case "instance/service-accounts/default/token":
		writeJSON(w, http.StatusOK, map[string]any{"access_token": g.token, "expires_in": 3600, "token_type": "Bearer"})
	default:
		http.Error(w, CloudWords, http.StatusNotFound)
	}
}

// SignJwt signs for the service account whose access token is shown, and for no other.
func (g *GCPCloud) SignJwt(ctx context.Context, request *credentialspb.SignJwtRequest) (*credentialspb.SignJwtResponse, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	if shown := sent.Get("authorization"); len(shown) != 1 || shown[0] != "Bearer "+g.token {
		return nil, status.Error(codes.Unauthenticated, CloudWords)
	}
	if g.refuses() || request.GetName() != "projects/-/serviceAccounts/"+g.Account {
		return nil, status.Error(codes.PermissionDenied, CloudWords)
	}
	if !json.Valid([]byte(request.GetPayload())) {
		return nil, status.Error(codes.InvalidArgument, CloudWords)
	}
	signed, err := g.key.sign([]byte(request.GetPayload()))
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &credentialspb.SignJwtResponse{KeyId: g.key.id, SignedJwt: signed}, nil
}

// serveToken gives Vault an access token for what it signs with its key.
func (g *GCPCloud) serveToken(w http.ResponseWriter, r *http.Request) {
	assertion, err := jose.ParseSigned(r.PostFormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err == nil {
		_, err = assertion.Verify(g.vaultKey.key.Public())
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": CloudWords})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": g.vaultsToken, "expires_in": 3600, "token_type": "Bearer"})
}

// serveAccount tells Vault about the one service account.
func (g *GCPCloud) serveAccount(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, reason string) {
		writeJSON(w, code, map[string]any{"error": map[string]any{"code": code, "status": reason, "message": CloudWords}})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+g.vaultsToken:
		refuse(http.StatusUnauthorized, "UNAUTHENTICATED")
	case g.refuses() || r.URL.Path != "/v1/projects/-/serviceAccounts/"+g.Account:
		refuse(http.StatusNotFound, "NOT_FOUND")
	default:
		writeJSON(w, http.StatusOK, map[string]string{
			"name": "projects/" + gcpProject + "/serviceAccounts/" + g.Account, "projectId": gcpProject,
			"uniqueId": "100000000000000000001", "email": g.Account,
		})
	}
}

// serveCertificates tells with which keys the service account's JWTs are signed. Google's own keys are others.
func (g *GCPCloud) serveCertificates(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/oauth2/v1/certs":
		writeJSON(w, http.StatusOK, map[string]string{})
	case "/service_accounts/v1/metadata/x509/" + g.Account:
		certificate, err := g.key.certificate(g.Account)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{g.key.id: certificate})
	default:
		http.Error(w, CloudWords, http.StatusNotFound)
	}
}

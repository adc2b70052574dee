package integration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/silentserver"
)

const (
	policyOfRuns = `path "secret/data/platform/*" { capabilities = ["read"] }`
	policyOfNone = `path "secret/data/other/*" { capabilities = ["read"] }`
)

// calamity is something that happens to Vault or on the way to it, and the reason that the RegistryCredential then gives.
type calamity struct {
	name   string
	befall func()
	reason string
}

// TestNoAnswerOfVaultChangesASecret has the running program read everything that a Vault can answer, and things that none should.
// Those of the real one come first; between two that concern the whole server there is one of a path, which ends the waiting.
func TestNoAnswerOfVaultChangesASecret(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	ctx, namespaces := t.Context(), r.makeNamespaces(t, 3)
	const password = "kept"
	r.rotate(t, password)
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, password) })
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	proxy := newCountingProxy(t, r.vault)
	r.changeConnection(t, func(spec *v1alpha1.VaultConnectionSpec) {
		spec.Address, spec.TimeoutSeconds, spec.RequestsPerSecond = proxy.address, new(int32(1)), new(int32(1000))
	})
	r.awaitReading(t, v1alpha1.ReasonRead)

	write := func(data map[string]any) func() {
		return func() {
			_, err := r.vault.WriteKV2(ctx, "secret", operatorPath, data)
			vaultMust(t, err)
		}
	}
	policy := func(rules string) func() { return func() { vaultMust(t, r.vault.Policy(ctx, "regcred", rules)) } }
	answer := func(status int, body string, headers ...string) func() {
		return func() {
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(headers); i += 2 {
					w.Header().Set(headers[i], headers[i+1])
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
			proxy.fault.Store(&handler)
		}
	}
	slow := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = w.Write([]byte(`{"data":`))
		w.(http.Flusher).Flush()
		silentserver.Handle(w, request)
	})
	r.afterEach(t, []calamity{
		{"the newest version is deleted", func() { vaultMust(t, r.vault.DeleteKV2(ctx, "secret", operatorPath)) }, v1alpha1.ReasonSecretDeleted},
		{"everything is removed", func() { vaultMust(t, r.vault.ForgetKV2(ctx, "secret", operatorPath)) }, v1alpha1.ReasonSecretNotFound},
		{"the secret is empty", write(map[string]any{}), v1alpha1.ReasonKeyMissing},
		{"the password is a number", write(map[string]any{"username": "robot", "password": 7}), v1alpha1.ReasonMalformed},
		{"the password is missing", write(map[string]any{"username": "robot"}), v1alpha1.ReasonKeyMissing},
	})
	r.rotate(t, "another")
	r.awaitReading(t, v1alpha1.ReasonRead)
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "another") })
	awaitWithin(t, time.Minute, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	well := calamity{"well again", func() { proxy.fault.Store(nil) }, v1alpha1.ReasonRead}
	r.afterEach(t, []calamity{
		{"the policy says no", policy(policyOfNone), v1alpha1.ReasonPermissionDenied},
		{"the policy says yes", policy(policyOfRuns), v1alpha1.ReasonRead},
		{"a quota", func() { vaultMust(t, r.vault.SetRateLimit(ctx, "narrow", "secret/", 0.5)) }, v1alpha1.ReasonRateLimited},
		{"the quota is lifted", func() { vaultMust(t, r.vault.RemoveRateLimit(ctx, "narrow")) }, v1alpha1.ReasonRead},
		{"the token is revoked", func() { r.revokeToken(t) }, v1alpha1.ReasonLoginFailed},
		{"another token", func() { r.putToken(t) }, v1alpha1.ReasonRead},
		{"Vault is sealed", func() { vaultMust(t, r.vault.Seal(ctx)) }, v1alpha1.ReasonSealed},
		{"Vault is unsealed", func() { vaultMust(t, r.vault.Unseal(ctx)) }, v1alpha1.ReasonRead},

		{"400", answer(400, `{"errors":["bad"]}`), v1alpha1.ReasonBadRequest},
		{"412", answer(412, `{"errors":["behind"]}`), v1alpha1.ReasonUnavailable},
		{"more than 1 MiB", answer(200, strings.Repeat(" ", 1<<20+1)), v1alpha1.ReasonMalformed},
		{"500 at this path", answer(500, `{"errors":["broken"]}`), v1alpha1.ReasonUnavailable},
		{"404 of no engine", answer(404, `{"errors":["no handler for route \"secret/data/x\". route entry not found."]}`), v1alpha1.ReasonMountNotFound},
		{"an answer that never ends", func() { proxy.fault.Store(&slow) }, v1alpha1.ReasonUnavailable},
		{"an engine of another version", answer(200, `{"data":{"username":"robot","password":"other"}}`), v1alpha1.ReasonWrongEngine},
		{"a redirect to another host", answer(307, "", "Location", "https://elsewhere.example:8200/v1/secret/data/x"), v1alpha1.ReasonConnectionRefused},
		well,
		{"472", answer(472, `{}`), v1alpha1.ReasonUnavailable},
		well,
		{"473", answer(473, `{}`), v1alpha1.ReasonUnavailable},
		well,
		{"a page of a proxy at this path", answer(200, "<html>please log in</html>"), v1alpha1.ReasonMalformed},
		well,
		{"no server", func() { r.changeAddress(t, "http://127.0.0.1:1") }, v1alpha1.ReasonUnavailable},
		{"TLS with a server that speaks none", func() { r.changeAddress(t, strings.Replace(r.vault.Address, "http://", "https://", 1)) }, v1alpha1.ReasonTLSFailed},
		{"no connection", func() { r.deleteConnection(t) }, v1alpha1.ReasonConnectionNotFound},
		{"another connection", func() { r.createConnection(t) }, v1alpha1.ReasonRead},
	})
}

// afterEach has one thing after the other happen, and wants that none of them has a Secret written.
func (r *operatorRun) afterEach(t *testing.T, calamities []calamity) {
	t.Helper()
	versions := r.secretVersions(t)
	for _, c := range calamities {
		begun := time.Now()
		c.befall()
		r.awaitReading(t, c.reason)
		t.Logf("%-40s %-20s after %s", c.name, c.reason, time.Since(begun).Round(100*time.Millisecond))
	}
	r.wantUnchanged(t, versions)
}

func (r *operatorRun) changeAddress(t *testing.T, address string) {
	t.Helper()
	r.changeConnection(t, func(spec *v1alpha1.VaultConnectionSpec) { spec.Address = address })
}

// awaitReading asks for reads until the RegistryCredential gives a reason.
func (r *operatorRun) awaitReading(t *testing.T, reason string) {
	t.Helper()
	asked := 0
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		object := &v1alpha1.RegistryCredential{}
		if err := r.admin.Get(ctx, client.ObjectKey{Name: "company"}, object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionCredentialAvailable)
		if c != nil && c.Reason == reason {
			return nil
		}
		asked++
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%s-%d"}}}`, v1alpha1.RefreshRequestedAtAnnotation, reason, asked)
		if err := r.admin.Patch(ctx, object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			return err
		}
		return fmt.Errorf("want %s, have %+v", reason, c)
	})
}

// putToken gives the connection a token that Vault just made.
func (r *operatorRun) putToken(t *testing.T) {
	t.Helper()
	token, err := r.vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"regcred"}, TTL: "1h"})
	vaultMust(t, err)
	var secret corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "vault-token"}, &secret))
	secret.Data["token"] = []byte(token.Auth.ClientToken)
	vaultMust(t, r.admin.Update(t.Context(), &secret))
}

func (r *operatorRun) revokeToken(t *testing.T) {
	t.Helper()
	var secret corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: "vault-token"}, &secret))
	vaultMust(t, r.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), string(secret.Data["token"])))
}

func (r *operatorRun) deleteConnection(t *testing.T) {
	t.Helper()
	vaultMust(t, r.admin.Delete(t.Context(), &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConnection}}))
}

// createConnection makes the connection by the token in the Secret.
func (r *operatorRun) createConnection(t *testing.T) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConnection},
		Spec: v1alpha1.VaultConnectionSpec{Address: r.vault.Address, Auth: v1alpha1.VaultAuth{
			Token: &v1alpha1.TokenAuth{Secret: v1alpha1.KeyReference{Name: "vault-token", Key: "token"}},
		}},
	}))
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/box"
)

// TestARenewableLeaseLivesToItsMaximumWithoutAWriteOfASecret runs the program with a user of the registry whose lease Vault prolongs,
// and kills it in between. Beside it a static role is rotated by hand.
func TestARenewableLeaseLivesToItsMaximumWithoutAWriteOfASecret(t *testing.T) {
	t.Parallel()
	const term, maximum = 30 * time.Second, 60 * time.Second
	r := startOperatorRun(t)
	vaultMust(t, r.vault.Policy(t.Context(), "regcred", vaultLeaser))
	vaultMust(t, r.vault.MountRegistryTokens(t.Context(), "robots", r.registry))
	vaultMust(t, r.vault.SetTokenRole(t.Context(), "robots", "puller", box.TokenRole{
		TTLSeconds: int(term.Seconds()), MaxTTLSeconds: int(maximum.Seconds()), Pull: []string{""},
	}))
	vaultMust(t, r.vault.SetTokenRole(t.Context(), "robots", "fixed", box.TokenRole{TTLSeconds: 3600, MaxTTLSeconds: 3600, Pull: []string{""}}))
	namespaces := r.makeNamespaces(t, 3)
	r.start(t)
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Source.Vault = &atRobots })
	first := r.awaitUser(t, namespaces, "")
	begun, versions := time.Now(), r.resourceVersions(t, namespaces)

	t.Run("a static role that is rotated by hand is seen", func(t *testing.T) {
		r.deliverStatic(t)
		before := r.awaitUser(t, []string{"of-static"}, "")
		password := r.passwordIn(t, "of-static")
		vaultMust(t, r.vault.RotateStatic(t.Context(), "robots", "fixed"))
		awaitWithin(t, time.Minute, func(context.Context) error {
			if r.passwordIn(t, "of-static") == password {
				return errors.New("the password before is still there")
			}
			return nil
		})
		if after := r.awaitUser(t, []string{"of-static"}, ""); after != before {
			t.Errorf("user %s became %s", before, after)
		}
	})
	r.kill(t)
	r.start(t)
	awaitWithin(t, maximum, func(context.Context) error {
		if time.Since(begun) < term {
			return errors.New("the lease lives for its first term, whether it is prolonged or not")
		}
		return nil
	})
	if after := r.resourceVersions(t, namespaces); fmt.Sprint(after) != fmt.Sprint(versions) {
		t.Errorf("Secrets were written while the lease was prolonged: %v, then %v", versions, after)
	}
	if user := r.awaitUser(t, namespaces, ""); user != first {
		t.Errorf("after a restart and a renewal %s is delivered, and %s was before", user, first)
	}
	r.wantLeases(t, 1, 1)

	second := r.awaitUser(t, namespaces, first)
	if age := time.Since(begun); age > maximum {
		t.Errorf("the next user came after %s, and the lease had ended after %s", age, maximum)
	}
	awaitWithin(t, time.Minute, func(ctx context.Context) error {
		count, err := r.vault.Leases(ctx, "robots")
		if err == nil && (count.Issued != 2 || count.Outstanding != 1 || count.OutstandingUsernames[0] != second) {
			err = fmt.Errorf("%+v", count)
		}
		return err
	})
}

// deliverStatic delivers the user of a static role to a namespace of its own.
func (r *operatorRun) deliverStatic(t *testing.T) {
	t.Helper()
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "of-static"}}))
	vaultMust(t, r.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "of-static", Name: "default"}}))
	vaultMust(t, r.admin.Create(t.Context(), &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "static"},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(r.registry.Basic)},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "robots", Path: "static-creds/fixed", Engine: v1alpha1.EngineDynamic}},
			RefreshPeriodSeconds: new(int32(5)),
			Target:               v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "of-static"}}},
		},
	}))
}

func (r *operatorRun) passwordIn(t *testing.T, namespace string) string {
	t.Helper()
	var secret corev1.Secret
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret))
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	vaultMust(t, err)
	return config[r.registry.Basic].Password()
}

// newRenewingVault starts a Vault whose leases are of ten minutes, and of fifteen with what they are prolonged by.
func newRenewingVault(t *testing.T, tokenSeconds int, policy string) *vaultRig {
	t.Helper()
	rig := newLeasingVault(t, tokenSeconds, policy)
	vaultMust(t, rig.vault.SetTokenRole(t.Context(), "robots", "puller", box.TokenRole{TTLSeconds: 600, MaxTTLSeconds: 900}))
	return rig
}

func TestVaultLeasesAreProlongedUpToTheirMaximum(t *testing.T) {
	rig := newRenewingVault(t, 3600, vaultLeaser)
	lease := *rig.mustRead(atRobots).Lease
	if !lease.Renews() || lease.Term != 10*time.Minute {
		t.Fatalf("%+v", lease)
	}
	again, err := rig.manager.Renew(t.Context(), lease)
	vaultMust(t, err)
	if again.ID != lease.ID || !again.Renews() || again.Duration != lease.Term || !again.End().After(lease.End()) {
		t.Errorf("%+v became %+v", lease, again)
	}
	lease.Term = time.Hour
	most, err := rig.manager.Renew(t.Context(), lease)
	vaultMust(t, err)
	if most.Duration > 15*time.Minute || most.Duration < 10*time.Minute || most.Term != time.Hour {
		t.Errorf("asked for an hour, it gives %s", most.Duration)
	}
	count, err := rig.vault.Leases(t.Context(), "robots")
	vaultMust(t, err)
	if count.Issued != 1 {
		t.Errorf("%d users were made", count.Issued)
	}
}

func TestVaultLeasesThatAreNotProlongedSaySo(t *testing.T) {
	rig := newRenewingVault(t, 3600, vaultLeaser)
	vaultMust(t, rig.vault.SetTokenRole(t.Context(), "robots", "brief", box.TokenRole{TTLSeconds: 600, NotRenewable: true}))
	brief := atRobots
	brief.Path = "creds/brief"
	notRenewable, revoked := *rig.mustRead(brief).Lease, *rig.mustRead(atRobots).Lease
	if notRenewable.Renews() {
		t.Errorf("%+v", notRenewable)
	}
	vaultMust(t, rig.manager.Release(t.Context(), revoked))
	for name, lease := range map[string]source.Lease{"not renewable": notRenewable, "revoked": revoked, "of nobody": {ID: "robots/creds/puller/x", Term: time.Minute}} {
		lease.Connection = "default"
		if _, err := rig.manager.Renew(t.Context(), lease); !errors.Is(err, source.ErrNotRenewable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	denied := newRenewingVault(t, 3600, vaultLeaser+` path "sys/leases/renew" { capabilities = ["deny"] }`)
	_, err := denied.manager.Renew(t.Context(), *denied.mustRead(atRobots).Lease)
	if !errors.Is(err, source.ErrNotRenewable) || !strings.Contains(err.Error(), "sys/leases/renew") {
		t.Errorf("without the right: %v", err)
	}
	vaultMust(t, rig.vault.Client().Sys().SealWithContext(t.Context()))
	if _, err := rig.manager.Renew(t.Context(), notRenewable); err == nil || errors.Is(err, source.ErrNotRenewable) {
		t.Errorf("sealed: %v", err)
	}
}

func TestVaultLeasesAreProlongedWithTheirToken(t *testing.T) {
	rig := newRenewingVault(t, 60, vaultLeaser)
	lease := *rig.mustRead(atRobots).Lease
	rig.pass(30 * time.Second)
	renewed, err := rig.manager.Renew(t.Context(), lease)
	vaultMust(t, err)
	if gained := renewed.End().Sub(lease.End()); gained < 25*time.Second {
		t.Errorf("the token ends %s later", gained)
	}
	// A process that starts later logs in with another token, and the lease still ends with the first.
	next := newVaultRig(t, rig.vault)
	next.values, next.connections = rig.values, rig.connections
	again, err := next.manager.Renew(t.Context(), renewed)
	vaultMust(t, err)
	if !again.LoginEnds.Equal(renewed.LoginEnds) {
		t.Errorf("the login ends %s, and ended %s before", again.LoginEnds, renewed.LoginEnds)
	}
}

func TestVaultEnginesAreAskedWithPOST(t *testing.T) {
	rig := newLeasingVault(t, 3600, `path "robots/issue/*" { capabilities = ["update"] }`)
	place := v1alpha1.VaultSource{Mount: "robots", Path: "issue/puller", Engine: v1alpha1.EngineDynamic}
	ask := func(method v1alpha1.VaultMethod, parameters map[string]v1alpha1.ParameterValue) v1alpha1.VaultSource {
		asking := place
		asking.Request = &v1alpha1.VaultRequest{Method: method, Parameters: parameters}
		return asking
	}
	snapshot := rig.mustRead(ask(v1alpha1.VaultPost, map[string]v1alpha1.ParameterValue{"label": "regcred", "ttl": "2m"}))
	if left := time.Until(snapshot.ExpireTime); snapshot.Lease == nil || snapshot.Lease.Term != 2*time.Minute || left > 2*time.Minute {
		t.Errorf("it ends in %s, lease %+v", left, snapshot.Lease)
	}
	for _, test := range []struct {
		name  string
		place v1alpha1.VaultSource
		want  string
	}{
		{"a GET that the policy does not allow", place, v1alpha1.ReasonPermissionDenied},
		{"a POST without what the engine wants", ask(v1alpha1.VaultPost, nil), v1alpha1.ReasonBadRequest},
		{"a POST to a path that is only read", v1alpha1.VaultSource{
			Mount: "robots", Path: "creds/puller", Engine: v1alpha1.EngineDynamic, Request: &v1alpha1.VaultRequest{Method: v1alpha1.VaultPost},
		}, v1alpha1.ReasonPermissionDenied},
	} {
		if failure := rig.mustFail(test.place, test.want); !failure.Stalled {
			t.Errorf("%s: %+v", test.name, failure)
		}
	}
	vaultMust(t, rig.vault.Policy(t.Context(), "leaser", `path "robots/issue/*" { capabilities = ["read", "update"] }`))
	if failure := rig.mustFail(place, v1alpha1.ReasonBadRequest); !strings.Contains(failure.Message, "set spec.source.vault.request") {
		t.Errorf("a GET where only a POST is taken: %s", failure.Message)
	}
}

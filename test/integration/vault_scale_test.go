package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
)

const (
	// scalePeriod is the shortest refresh period, with which one RegistryCredential is read.
	scalePeriod = 5 * time.Second
	// manyPeriod is that of many.
	manyPeriod = 10 * time.Second
)

// TestVaultAtScale runs the program: with a hundred namespaces, and then with a thousand RegistryCredentials.
func TestVaultAtScale(t *testing.T) {
	r := startOperatorRun(t)
	namespaces := r.makeNamespaces(t, 100)
	r.rotate(t, "password-0")
	r.start(t)
	r.applyCredential(t)
	awaitWithin(t, 2*time.Minute, func(ctx context.Context) error { return r.allHold(ctx, namespaces, "password-0") })

	t.Run("a write to Vault is in a hundred namespaces within the refresh period and two seconds, ten times of ten", func(t *testing.T) {
		r.rotateTenTimes(t, namespaces)
	})

	proxy := newCountingProxy(t, r.vault)
	r.connectByAppRole(t, proxy.address)
	const objects, paths = 1000, 50
	r.makeCredentials(t, objects, paths, namespaces)
	audit, err := r.vault.StartAudit(t.Context())
	vaultMust(t, err)
	defer func() { vaultMust(t, audit.Stop(context.WithoutCancel(t.Context()))) }()
	t.Run("a thousand credentials on fifty paths are fifty reads in a period", func(t *testing.T) { countReads(t, audit, proxy, paths) })
	t.Run("a sealed Vault gets few requests and no Secret is written; unsealed it is read within a minute", func(t *testing.T) {
		r.sealed(t, audit, proxy, paths)
	})
}

// rotateTenTimes writes passwords to Vault and notes when the last Secret holds each.
func (r *operatorRun) rotateTenTimes(t *testing.T, namespaces []string) {
	const promised = scalePeriod + 2*time.Second
	secrets, err := newAPIClient(t, r.config).Watch(t.Context(), &corev1.SecretList{}, byName("regcred"))
	vaultMust(t, err)
	defer secrets.Stop()
	var took []time.Duration
	for i := range 10 {
		password := fmt.Sprintf("password-%d", i+1)
		r.setRegistry(t, password)
		begun := time.Now()
		r.setVault(t, password)
		r.awaitEverywhere(t, secrets, namespaces, password)
		took = append(took, time.Since(begun).Round(10*time.Millisecond))
	}
	t.Logf("from the write to the last of %d Secrets: %s", len(namespaces), took)
	if slowest := slices.Max(took); slowest > promised {
		t.Errorf("a rotation was everywhere after %s, want %s at most", slowest, promised)
	}
}

// awaitEverywhere follows a watch until the Secrets of all namespaces have held a password.
func (r *operatorRun) awaitEverywhere(t *testing.T, secrets watch.Interface, namespaces []string, password string) {
	t.Helper()
	stale := map[string]bool{}
	for _, namespace := range namespaces {
		stale[namespace] = true
	}
	deadline := time.After(time.Minute)
	for len(stale) > 0 {
		select {
		case event, open := <-secrets.ResultChan():
			if !open {
				t.Fatal("the watch ended")
			}
			secret, ok := event.Object.(*corev1.Secret)
			if !ok {
				t.Fatalf("the watch failed: %v", event.Object)
			}
			config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
			vaultMust(t, err)
			if config[r.registry.Basic].Password() == password {
				delete(stale, secret.Namespace)
			}
		case <-deadline:
			t.Fatalf("%d Secrets are stale after a minute", len(stale))
		}
	}
}

// connectByAppRole changes the connection in use: to another address, and to another login.
func (r *operatorRun) connectByAppRole(t *testing.T, address string) {
	t.Helper()
	roleID, secretID, err := r.vault.EnableAppRoleAuth(t.Context(), box.AppRoleAuth{Role: "regcred", Policies: []string{"regcred"}})
	vaultMust(t, err)
	vaultMust(t, r.admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "vault-approle"}, StringData: map[string]string{"secret-id": secretID},
	}))
	r.changeConnection(t, func(spec *v1alpha1.VaultConnectionSpec) {
		spec.Address = address
		spec.Auth = v1alpha1.VaultAuth{AppRole: &v1alpha1.AppRoleAuth{
			RoleID: roleID, SecretID: v1alpha1.KeyReference{Name: "vault-approle", Key: "secret-id"},
		}}
	})
}

func (r *operatorRun) changeConnection(t *testing.T, change func(*v1alpha1.VaultConnectionSpec)) {
	t.Helper()
	var connection v1alpha1.VaultConnection
	vaultMust(t, r.admin.Get(t.Context(), client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection))
	before := connection.DeepCopy()
	change(&connection.Spec)
	vaultMust(t, r.admin.Patch(t.Context(), &connection, client.MergeFrom(before)))
}

// makeCredentials makes RegistryCredentials that share some paths and half of the namespaces, and waits until all are Ready.
func (r *operatorRun) makeCredentials(t *testing.T, objects, paths int, namespaces []string) {
	t.Helper()
	for i := range paths {
		_, err := r.vault.WriteKV2(t.Context(), "secret", fmt.Sprintf("platform/many/%d", i), map[string]any{"username": "robot", "password": "pw"})
		vaultMust(t, err)
	}
	numbers, failures := make(chan int), make(chan error, objects)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range numbers {
				failures <- r.admin.Create(t.Context(), oneOfMany(i, paths, namespaces))
			}
		})
	}
	for i := range objects {
		numbers <- i
	}
	close(numbers)
	group.Wait()
	for range objects {
		vaultMust(t, <-failures)
	}
	begun := time.Now()
	r.awaitAllReady(t, objects+1, 4*time.Minute)
	t.Logf("all %d were Ready %s after the last was made", objects, time.Since(begun).Round(time.Second))
}

func oneOfMany(i, paths int, namespaces []string) *v1alpha1.RegistryCredential {
	return &v1alpha1.RegistryCredential{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("many-%d", i)},
		Spec: v1alpha1.RegistryCredentialSpec{
			Registries:           []v1alpha1.Registry{v1alpha1.Registry(fmt.Sprintf("r%d.example", i))},
			Source:               v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: fmt.Sprintf("platform/many/%d", i%paths)}},
			RefreshPeriodSeconds: new(int32(manyPeriod / time.Second)),
			Verification:         &v1alpha1.Verification{Mode: v1alpha1.VerifyOff},
			Target:               v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{v1alpha1.NamespaceName(namespaces[i%(len(namespaces)/2)])}},
		},
	}
}

// awaitAllReady waits for so many RegistryCredentials, all of them Ready. It looks seldom: a thousand are much to read.
func (r *operatorRun) awaitAllReady(t *testing.T, objects int, within time.Duration) {
	t.Helper()
	looks := time.NewTicker(3 * time.Second)
	defer looks.Stop()
	for end := time.Now().Add(within); ; <-looks.C {
		ready := 0
		var list v1alpha1.RegistryCredentialList
		vaultMust(t, r.admin.List(t.Context(), &list))
		for i := range list.Items {
			if meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.ConditionReady) {
				ready++
			}
		}
		if ready == objects {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d are Ready after %s", ready, objects, within)
		}
	}
}

// countReads counts at Vault what is read in three refresh periods.
func countReads(t *testing.T, audit *box.Audit, proxy *countingProxy, paths int) {
	const periods = 3
	<-time.After(manyPeriod + manyPeriod/2) // until those of a path go together
	before := readsOfMany(t, audit, 0)
	requests, logins := proxy.total.Load(), proxy.logins.Load()
	// Just short of the last period's end, or the first reads of the next one would count.
	<-time.After(periods*manyPeriod - 100*time.Millisecond)
	requests, logins = proxy.total.Load()-requests, proxy.logins.Load()-logins
	reads := readsOfMany(t, audit, 0)
	total, least, most := 0, periods, 0
	for path, count := range reads {
		count -= before[path]
		total, least, most = total+count, min(least, count), max(most, count)
	}
	t.Logf("%d reads of %d paths in %d periods, %d to %d of each; %d requests and %d logins in all", total, len(reads), periods, least, most, requests, logins)
	if len(reads) != paths || most > periods || least < periods-1 {
		t.Errorf("%d paths were read %d to %d times in %d periods, want %d paths, once a period", len(reads), least, most, periods, paths)
	}
	if logins != 0 {
		t.Errorf("%d logins while nothing happened", logins)
	}
}

// readsOfMany counts the reads by path, without so many of the first requests.
func readsOfMany(t *testing.T, audit *box.Audit, skip int) map[string]int {
	t.Helper()
	requests, err := audit.Requests()
	vaultMust(t, err)
	reads := map[string]int{}
	for _, request := range requests[skip:] {
		if request.Operation == "read" && strings.HasPrefix(request.Path, "secret/data/platform/many/") {
			reads[request.Path]++
		}
	}
	return reads
}

// sealed seals Vault for a while, with all objects in use, and unseals it.
func (r *operatorRun) sealed(t *testing.T, audit *box.Audit, proxy *countingProxy, paths int) {
	const spell = 30 * time.Second
	versions := r.secretVersions(t)
	vaultMust(t, r.vault.Seal(t.Context()))
	requests, logins := proxy.total.Load(), proxy.logins.Load()
	sealed := time.Now()
	end := time.After(spell)
	awaitWithin(t, spell, r.connectionSays(metav1.ConditionFalse, v1alpha1.ReasonSealed))
	t.Logf("the VaultConnection says Sealed after %s", time.Since(sealed).Round(100*time.Millisecond))
	<-end
	requests, logins = proxy.total.Load()-requests, proxy.logins.Load()-logins
	t.Logf("sealed for %s: %d requests, %d logins", spell, requests, logins)
	if most := int64(2 * spell / time.Second); requests > most || logins > 1 {
		t.Errorf("%d requests and %d logins, want at most %d and 1", requests, logins, most)
	}

	known, err := audit.Requests()
	vaultMust(t, err)
	vaultMust(t, r.vault.Unseal(t.Context()))
	begun := time.Now()
	awaitWithin(t, time.Minute, func(context.Context) error {
		if fresh := len(readsOfMany(t, audit, len(known))); fresh < paths {
			return fmt.Errorf("%d of %d paths were read after Vault was unsealed", fresh, paths)
		}
		return nil
	})
	t.Logf("all %d paths were read within %s of unsealing", paths, time.Since(begun).Round(time.Second))
	r.awaitAllReady(t, 1001, time.Minute-time.Since(begun))
	awaitWithin(t, manyPeriod, r.connectionSays(metav1.ConditionTrue, v1alpha1.ReasonConnected))
	r.wantUnchanged(t, versions)
}

// secretVersions are the resourceVersions of all pull Secrets and of the records of what is published, without the record of the one
// RegistryCredential that is tested at a registry from time to time: it holds when.
func (r *operatorRun) secretVersions(t *testing.T) map[string]string {
	t.Helper()
	list := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
	vaultMust(t, r.admin.List(t.Context(), &list, client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}))
	versions := map[string]string{}
	for _, secret := range list.Items {
		if secret.Name == "regcred-published-company" {
			continue
		}
		versions[secret.Namespace+"/"+secret.Name] = secret.ResourceVersion
	}
	return versions
}

// wantUnchanged wants that no Secret was written, made or removed.
func (r *operatorRun) wantUnchanged(t *testing.T, before map[string]string) {
	t.Helper()
	after := r.secretVersions(t)
	for name, version := range after {
		if version != before[name] {
			t.Errorf("Secret %s was written", name)
		}
	}
	if len(before) == 0 || len(after) != len(before) {
		t.Errorf("there were %d Secrets, and there are %d", len(before), len(after))
	}
}

func (r *operatorRun) connectionSays(status metav1.ConditionStatus, reason string) func(context.Context) error {
	return func(ctx context.Context) error {
		var connection v1alpha1.VaultConnection
		if err := r.admin.Get(ctx, client.ObjectKey{Name: v1alpha1.DefaultConnection}, &connection); err != nil {
			return err
		}
		c := meta.FindStatusCondition(connection.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("want Ready %s %s, have %+v", status, reason, c)
		}
		return nil
	}
}

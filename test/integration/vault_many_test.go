package integration

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// manyPeriod is the refresh period of many RegistryCredentials.
const manyPeriod = 10 * time.Second

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
			Verification:         &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled},
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
	<-time.After(2 * manyPeriod) // until those of a path go together
	from := time.Now()
	requests, logins := proxy.total.Load(), proxy.logins.Load()
	<-time.After(periods * manyPeriod)
	requests, logins = proxy.total.Load()-requests, proxy.logins.Load()-logins
	// Just short of the last period's end, or the first reads of the next one would count.
	reads := readsOfMany(t, audit, from, from.Add(periods*manyPeriod-100*time.Millisecond))
	total, least, most := 0, periods, 0
	for _, count := range reads {
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

// readsOfMany counts the reads of each path between two times, by Vault's own clock, which is that of this machine.
func readsOfMany(t *testing.T, audit *box.Audit, from, until time.Time) map[string]int {
	t.Helper()
	requests, err := audit.Requests()
	vaultMust(t, err)
	reads := map[string]int{}
	for _, request := range requests {
		if request.Time.After(from) && request.Time.Before(until) && request.Operation == "read" && strings.HasPrefix(request.Path, "secret/data/platform/many/") {
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

	begun := time.Now()
	vaultMust(t, r.vault.Unseal(t.Context()))
	awaitWithin(t, time.Minute, func(context.Context) error {
		if fresh := len(readsOfMany(t, audit, begun, time.Now())); fresh < paths {
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

package credential

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/test/inmemory"
)

// denied refuses to revoke, as a Vault whose policy lacks sys/leases/revoke.
type denied struct{ asked int }

func (d *denied) Release(context.Context, source.Lease) error {
	d.asked++
	return &source.Error{Reason: v1alpha1.ReasonPermissionDenied, Message: "grant update on sys/leases/revoke"}
}

func (d *denied) Renew(context.Context, source.Lease) (source.Lease, error) {
	return source.Lease{}, source.ErrNotRenewable
}

func TestADeniedRevocationRewritesNoRecord(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clientset, writes := inmemory.Clientset(), 0
	clientset.PrependReactor("*", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetVerb() == "create" || action.GetVerb() == "update" {
			writes++
		}
		return false, nil, nil
	})
	leases := &denied{}
	r := &Reconciler{Store: records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {}), Leases: leases, Now: func() time.Time { return now }}
	object := &v1alpha1.RegistryCredential{}
	object.Name, object.UID = "company", "uid"
	lease := rotation.Lease{Lease: source.Lease{Connection: "default", ID: "robots/creds/x/1", Duration: time.Hour, Obtained: now}, Since: now}
	state := rotation.State{}
	state.Obsolete = []rotation.Lease{lease}
	one := &run{object: object, spec: &rotation.Spec{}, memory: &memory{}}
	if err := r.keep(t.Context(), one, state, nil); err != nil || writes != 1 {
		t.Fatalf("%d writes, want one: %v", writes, err)
	}
	for range 5 {
		now = now.Add(10 * time.Minute)
		if err := r.release(t.Context(), one, lease); err != nil {
			t.Fatal(err)
		}
	}
	if writes != 1 || leases.asked != 5 || one.state.Releases[lease.ID].Count != 5 {
		t.Errorf("after %d denied revocations, of which %d are remembered, the record was written %d times, want 5, 5 and 1", leases.asked, one.state.Releases[lease.ID].Count, writes)
	}
}

func TestARecordThatTheGateRefusesIsToldWithTheNextStep(t *testing.T) {
	clientset := inmemory.Clientset()
	clientset.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, &url.Error{Op: "Post", URL: "https://api/", Err: policycheck.ErrNotFenced}
	})
	r := &Reconciler{Store: records.NewStore(clientset.CoreV1(), "regcred-system", func(string) {}), Now: time.Now}
	one := &run{object: &v1alpha1.RegistryCredential{}, spec: &rotation.Spec{}, memory: &memory{}}
	one.object.Name, one.object.UID = "company", "uid"
	if err := r.keep(t.Context(), one, rotation.State{}, nil); err == nil || one.fault == nil {
		t.Fatalf("it was refused, and the error is %v", err)
	}
	if one.fault.reason != v1alpha1.ReasonRecordNotKept || !strings.Contains(one.fault.message, "kubectl describe vaultconnections") || len(one.fault.message) > 300 {
		t.Errorf("%+v (%d letters)", one.fault, len(one.fault.message))
	}
}

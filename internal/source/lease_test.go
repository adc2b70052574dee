package source

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

var obtained = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWhenACredentialEndsAndWhetherItsLeaseIsProlonged(t *testing.T) {
	hour := obtained.Add(time.Hour)
	plain := Lease{Renewable: true, Term: time.Hour, Duration: time.Hour, Obtained: obtained}
	for _, test := range []struct {
		name   string
		change func(*Lease)
		end    time.Time
		renews bool
	}{
		{"a lease of an hour", func(*Lease) {}, hour, true},
		{"one that the source would not prolong", func(l *Lease) { l.Renewable = false }, hour, false},
		{"one that it did not prolong", func(l *Lease) { l.Spent = true }, hour, false},
		{"one of an operator that prolonged none", func(l *Lease) { l.Term = 0 }, hour, false},
		{"a login that ends before", func(l *Lease) { l.LoginEnds = obtained.Add(time.Minute) }, obtained.Add(time.Minute), true},
		{"a login that ends later", func(l *Lease) { l.LoginEnds = obtained.Add(2 * time.Hour) }, hour, true},
		{"an end of the credential's own that is later", func(l *Lease) { l.Limit = obtained.Add(2 * time.Hour) }, hour, true},
		{"one that is reached", func(l *Lease) { l.Limit = hour }, hour, false},
		{"one that is before the end of the lease", func(l *Lease) { l.Limit = obtained.Add(time.Minute) }, obtained.Add(time.Minute), false},
		{"one that is later than the end of the login", func(l *Lease) {
			l.LoginEnds, l.Limit = obtained.Add(time.Minute), obtained.Add(2*time.Minute)
		}, obtained.Add(time.Minute), true},
		{"a login that ends after the credential's own end", func(l *Lease) {
			l.LoginEnds, l.Limit = obtained.Add(2*time.Minute), obtained.Add(time.Minute)
		}, obtained.Add(time.Minute), false},
	} {
		lease := plain
		test.change(&lease)
		if !lease.End().Equal(test.end) || lease.Renews() != test.renews {
			t.Errorf("%s: it ends %s after its beginning, and is prolonged: %t", test.name, lease.End().Sub(obtained), lease.Renews())
		}
	}
	if (*Lease)(nil).Renews() {
		t.Error("no lease is prolonged")
	}
}

func TestARequestIsWhatTheSpecSays(t *testing.T) {
	spec := &v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"shop.example"}, Source: readOf("main", "pull").Source, Target: v1alpha1.Target{EntryPer: v1alpha1.EntryPerHost},
	}
	request := NewRequest(spec, []byte("salt"), time.Minute)
	if !request.PerHost || request.MaxAge != time.Minute || string(request.Salt) != "salt" || request.Source.Vault.Path != "pull" || len(request.Registries) != 1 {
		t.Errorf("%+v", request)
	}
}

func TestAnErrorSaysWhatItWasMadeOf(t *testing.T) {
	cause := errors.New("cause")
	stalled, transient := Stalled("Reason", "what to do"), Transient("Reason", "what happened", cause)
	if stalled.Error() != "what to do" || !stalled.Stalled || stalled.Reason != "Reason" {
		t.Errorf("%+v", stalled)
	}
	if transient.Error() != "what happened" || transient.Stalled || !errors.Is(transient, cause) {
		t.Errorf("%+v", transient)
	}
}

var errGone = errors.New("it is gone")

// keeper takes leases back and prolongs none.
type keeper struct{ tarpit }

func (keeper) Read(context.Context, Request) (Snapshot, error) {
	return Snapshot{Lease: &Lease{ID: "1"}}, nil
}

// returner takes leases back, with an error.
type returner struct{}

func (returner) Release(context.Context, Lease) error { return errGone }

func TestALeaseIsGivenBackToWhomItCameFrom(t *testing.T) {
	mux := Mux{
		{Name: "none", Claims: func(v1alpha1.Source) bool { return false }, Reader: keeper{}},
		{Name: "toy", Claims: func(v1alpha1.Source) bool { return true }, Reader: keeper{}, Releaser: returner{}},
	}
	read, err := mux.Read(t.Context(), readOf("main", "pull"))
	if err != nil || read.Lease.Member != "toy" {
		t.Fatalf("%+v, %v", read, err)
	}
	if err := mux.Release(t.Context(), *read.Lease); !errors.Is(err, errGone) {
		t.Errorf("what the source says of a lease is not passed on: %v", err)
	}
	if err := mux.Release(t.Context(), Lease{Member: "none"}); err == nil || !AsError(err).Stalled || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("a lease of a source that makes none: %v", err)
	}
	if _, err := mux.Renew(t.Context(), *read.Lease); !errors.Is(err, ErrNotRenewable) || !strings.Contains(err.Error(), `"toy"`) || AsError(err).Reason != v1alpha1.ReasonMalformed {
		t.Errorf("a lease of a source that prolongs none: %v", err)
	}
	vault := Mux{{Name: "toy"}, VaultMember(engines{})}
	if lease, err := vault.Renew(t.Context(), Lease{ID: "robots/creds/a/1"}); err != nil || lease.ID != "robots/creds/a/1" {
		t.Errorf("a lease of an operator that knew Vault alone: %+v, %v", lease, err)
	}
}

package main

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/controllers/credential"
	"regcred.dev/regcred/controllers/operator"
	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/internal/proxy"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/verify"
	"regcred.dev/regcred/internal/watchdog"
)

// parted are the parts of a program whose flags are set.
func parted() *parts {
	o := defaults()
	o.namespace, o.vaultAddresses, o.insecureRegistries = "regcred-system", []string{"https://vault:8200"}, []string{"r.example:5000"}
	o.loopbackRegistries, o.successorFirst, o.ownerKinds = true, true, ownerKinds{{Group: "core.strimzi.io", Kind: "StrimziPodSet"}}
	return &parts{
		Operator: &operator.Operator{}, options: o, metrics: telemetry.New(prometheus.NewRegistry()), prober: verify.New(verify.Options{}),
		guards: guards{fence: fence.New(fence.Terms{}), gate: policycheck.NewGate(true), watchdog: &watchdog.Watchdog{}},
	}
}

// The program works without most of what its parts are given, and does less, or more than it may: nobody would see it.
func TestEachPartOfTheProgramIsGivenAllThatItTakes(t *testing.T) {
	p, news := parted(), &credential.News{}
	roots := func(string) *x509.CertPool { return nil }
	proxies := func(string, bool) (*proxy.Server, error) { return nil, nil }
	readings := p.readings(source.NewPatient(nil, time.Now), news)
	for name, part := range map[string]struct {
		given any
		lacks []string // what has a default, or is added later
	}{
		"all controllers have":    {p.options.common(time.Now, p.watchdog), []string{"SecretNames", "ServiceAccountNames", "Traces"}},
		"stuck pods are cured by": {p.cures(), nil},
		"registries are asked by": {p.options.verifying(roots, proxies), []string{"Timeout", "MaxBody", "UserAgent"}},
		"Vault is spoken to by":   {p.vaults(news), []string{"Now"}},
		"credentials are read by": {readings, []string{"Images", "Running"}},
	} {
		fields := reflect.ValueOf(part.given)
		for i := range fields.NumField() {
			if what := fields.Type().Field(i).Name; fields.Field(i).IsZero() != slices.Contains(part.lacks, what) {
				t.Errorf("%s %s: %v", name, what, !fields.Field(i).IsZero())
			}
		}
	}
	if leases, fenced := readings.Leases.(fencedLeases); !fenced || leases.fence != p.fence {
		t.Errorf("a replica that leads no more may revoke what another one published: %T", readings.Leases)
	}
}

// Without one of them all works: until a watch falls silent, a clock is wrong, or the policies are gone.
func TestAllRequestsAreGuarded(t *testing.T) {
	config := &rest.Config{}
	guard(config, &watchdog.Watchdog{}, &serverClock{local: time.Now}, policycheck.NewGate(true))
	var ways []string
	for way := config.WrapTransport(http.DefaultTransport); way != http.DefaultTransport; {
		wrapped, is := way.(interface{ WrappedRoundTripper() http.RoundTripper })
		if !is {
			t.Fatalf("client-go does not see what is below %T", way)
		}
		ways, way = append(ways, fmt.Sprintf("%T", way)), wrapped.WrappedRoundTripper()
	}
	slices.Sort(ways)
	if want := []string{"main.datedTransport", "policycheck.gated", "watchdog.watches"}; !slices.Equal(ways, want) {
		t.Errorf("requests go through %q, want %q", ways, want)
	}
}

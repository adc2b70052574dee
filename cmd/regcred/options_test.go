package main

import (
	"reflect"
	"testing"

	"github.com/spf13/pflag"
)

// A flag that sets the option of another one, or none, limits nothing: the program starts with it, and works.
func TestEachFlagSetsItsOption(t *testing.T) {
	all := map[string]func(*options){
		"--secret-names=x":                         func(o *options) { o.secretNames = []string{"x"} },
		"--service-account-names=x":                func(o *options) { o.serviceAccountNames = []string{"x"} },
		"--protected-namespaces=x":                 func(o *options) { o.protectedNamespaces = []string{"x"} },
		"--vault-service-account-names=x":          func(o *options) { o.vaultAccounts = []string{"x"} },
		"--vault-addresses=x":                      func(o *options) { o.vaultAddresses = []string{"x"} },
		"--insecure-registries=x":                  func(o *options) { o.insecureRegistries = []string{"x"} },
		"--registry-ca=x=y":                        func(o *options) { o.registryCAs = map[string]string{"x": "y"} },
		"--registry-proxy=x":                       func(o *options) { o.registryProxies = []string{"x"} },
		"--allow-loopback-registries":              func(o *options) { o.loopbackRegistries = true },
		"--recovery-node-pulls-per-second=7":       func(o *options) { o.recovery.NodePullsPerSecond = 7 },
		"--recovery-node-burst=7":                  func(o *options) { o.recovery.NodeBurst = 7 },
		"--recovery-namespace-pods-per-minute=7":   func(o *options) { o.recovery.NamespacePodsPerMinute = 7 },
		"--recovery-pods-per-minute=7":             func(o *options) { o.recovery.PodsPerMinute = 7 },
		"--recovery-owner-kinds=apps.example/Some": func(o *options) { o.ownerKinds = ownerKinds{{Group: "apps.example", Kind: "Some"}} },
		"--successor-first":                        func(o *options) { o.successorFirst = true },
		"--require-fence=false":                    func(o *options) { o.requireFence = false },
		"--namespace=x":                            func(o *options) { o.namespace = "x" },
		"--leader-elect":                           func(o *options) { o.leaderElect = true },
		"--metrics-bind-address=x":                 func(o *options) { o.metricsAddress = "x" },
		"--metrics-cert-dir=x":                     func(o *options) { o.metricsCertDir = "x" },
		"--metrics-insecure":                       func(o *options) { o.insecureMetrics = true },
		"--health-probe-bind-address=x":            func(o *options) { o.probeAddress = "x" },
		"--otlp-endpoint=x":                        func(o *options) { o.otlpEndpoint = "x" },
		"--log-level=x":                            func(o *options) { o.logLevel = "x" },
		"--log-development":                        func(o *options) { o.logDevelopment = true },
	}
	count := 0
	for flag, change := range all {
		got, want := defaults(), defaults()
		flags := pflag.NewFlagSet("regcred", pflag.ContinueOnError)
		got.bind(flags)
		if err := flags.Parse([]string{flag}); err != nil {
			t.Error(err)
		}
		if change(want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s gives %+v, want %+v", flag, got, want)
		}
		count = 0
		flags.VisitAll(func(*pflag.Flag) { count++ })
	}
	if count != len(all) {
		t.Errorf("of %d flags %d are looked at", count, len(all))
	}
}

package main

import (
	"os"

	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/proxy"
)

// options of the operator, one for each flag.
type options struct {
	secretNames         []string
	serviceAccountNames []string
	protectedNamespaces []string
	vaultAccounts       []string
	vaultAddresses      []string
	insecureRegistries  []string
	registryCAs         map[string]string
	registryProxies     []string
	loopbackRegistries  bool
	recovery            recovery.Limits
	ownerKinds          ownerKinds
	successorFirst      bool
	requireFence        bool

	namespace       string
	leaderElect     bool
	metricsAddress  string
	metricsCertDir  string
	insecureMetrics bool
	probeAddress    string
	otlpEndpoint    string
	logLevel        string
	logDevelopment  bool

	// given are the flags that were set, as they may be logged.
	given []string
}

func defaults() *options {
	return &options{
		secretNames:         []string{v1alpha1.DefaultSecretName},
		serviceAccountNames: []string{v1alpha1.DefaultServiceAccount},
		protectedNamespaces: []string{"kube-system", "kube-public", "kube-node-lease"},
		vaultAccounts:       []string{v1alpha1.DefaultVaultServiceAccount},
		namespace:           os.Getenv("POD_NAMESPACE"),
		otlpEndpoint:        os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"),
		metricsAddress:      ":8443",
		probeAddress:        ":8081",
		recovery:            recovery.DefaultLimits(),
		requireFence:        true,
		logLevel:            zapcore.InfoLevel.String(),
	}
}

func (o *options) bind(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.secretNames, "secret-names", o.secretNames,
		"Names of pull Secrets that may be written. The operator's role must list the same names. '*' allows any name and needs a role that does")
	flags.StringSliceVar(&o.serviceAccountNames, "service-account-names", o.serviceAccountNames,
		"Names of ServiceAccounts that pull Secrets may be attached to. The operator's role must list the same names. '*' allows any name")
	flags.StringSliceVar(&o.protectedNamespaces, "protected-namespaces", o.protectedNamespaces,
		"Namespaces that no selector selects; a RegistryCredential must name them outright. The admission policies list the same namespaces")
	flags.StringSliceVar(&o.vaultAccounts, "vault-service-account-names", o.vaultAccounts,
		"ServiceAccounts of the operator's namespace that log in to Vault, as the role and the admission policies list them")
	flags.StringSliceVar(&o.vaultAddresses, "vault-addresses", nil,
		"Vault servers that logins may be sent to, as scheme://host:port. Empty allows those of all VaultConnections")
	flags.StringSliceVar(&o.insecureRegistries, "insecure-registries", nil,
		"Registries, as host[:port], that may be spoken to over plain http when a credential is verified")
	flags.StringToStringVar(&o.registryCAs, "registry-ca", nil,
		"Certificate authorities of a registry, as host[:port]=file with PEM certificates, for verification. May be given several times")
	flags.StringArrayVar(&o.registryProxies, "registry-proxy", nil,
		"HTTP proxy through which credentials are verified, as in '"+proxy.Example+"'. May be given several times")
	flags.BoolVar(&o.loopbackRegistries, "allow-loopback-registries", false,
		"Verify credentials at registries on loopback addresses, too. For test clusters")
	flags.Float64Var(&o.recovery.NodePullsPerSecond, "recovery-node-pulls-per-second", o.recovery.NodePullsPerSecond,
		"Image pulls a second that restarts may cause on one node, counted in containers")
	flags.IntVar(&o.recovery.NodeBurst, "recovery-node-burst", o.recovery.NodeBurst,
		"Image pulls that restarts may cause on one node at once")
	flags.IntVar(&o.recovery.NamespacePodsPerMinute, "recovery-namespace-pods-per-minute", o.recovery.NamespacePodsPerMinute,
		"Pods that may be cured in one namespace in a minute")
	flags.IntVar(&o.recovery.PodsPerMinute, "recovery-pods-per-minute", o.recovery.PodsPerMinute,
		"Pods that may be cured in a minute in all")
	flags.Var(&o.ownerKinds, "recovery-owner-kinds",
		"Kinds of custom resources that recreate a deleted pod, as group/Kind, such as "+diagnosis.OwnerKindExample+". Their stuck pods are restarted, too. The admission policies list the same kinds")
	flags.BoolVar(&o.successorFirst, "successor-first", false,
		"Restart a pod only after a dry run in which the API server takes its successor. Needs the role of config/successor")
	flags.BoolVar(&o.requireFence, "require-fence", o.requireFence,
		"Write no Secret while admission policies that limit the operator are missing, or while its role is wider than its limits")
	flags.StringVar(&o.namespace, "namespace", o.namespace,
		"The operator's own namespace, where published credentials are kept. Defaults to the environment variable POD_NAMESPACE")
	flags.BoolVar(&o.leaderElect, "leader-elect", false,
		"Work only while holding the leader's lease, so that several replicas can run")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", o.metricsAddress,
		"Address of the metrics endpoint; '0' turns it off")
	flags.StringVar(&o.metricsCertDir, "metrics-cert-dir", "",
		"Folder with tls.crt and tls.key for the metrics endpoint. Without one, a self-signed certificate is made")
	flags.BoolVar(&o.insecureMetrics, "metrics-insecure", false,
		"Serve metrics over plain http without asking the API server who may read them. For test clusters")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", o.probeAddress,
		"Address of the endpoints /healthz and /readyz; '0' turns them off")
	flags.StringVar(&o.otlpEndpoint, "otlp-endpoint", o.otlpEndpoint,
		"Collector that traces are sent to by OTLP over HTTP, such as http://collector.observability:4318. Defaults to the environment variable "+
			"OTEL_EXPORTER_OTLP_ENDPOINT; empty sends none")
	flags.StringVar(&o.logLevel, "log-level", o.logLevel, "debug, info, warn or error")
	flags.BoolVar(&o.logDevelopment, "log-development", false, "Write logs for people instead of JSON")
}

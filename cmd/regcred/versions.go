package main

import (
	"regexp"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"regcred.dev/regcred/internal/version"
)

// login is what a person may write into a URL by mistake.
var login = regexp.MustCompile(`//[^/@\s]*@`)

// given are the flags that were set, without logins.
func given(flags *pflag.FlagSet) []string {
	var set []string
	flags.Visit(func(flag *pflag.Flag) {
		set = append(set, login.ReplaceAllString("--"+flag.Name+"="+flag.Value.String(), "//[redacted]@"))
	})
	return set
}

// sayVersions logs what runs against what, and how far the operator's hands reach. An API server that does not say its version is no
// reason to stop: what needs it says so soon.
func sayVersions(config *rest.Config, o *options) {
	own := version.Get()
	server := "not known"
	asking := rest.CopyConfig(config)
	asking.Timeout = 5 * time.Second // a start does not wait for a word in the log
	if client, err := discovery.NewDiscoveryClientForConfig(asking); err == nil {
		if answer, err := client.ServerVersion(); err == nil {
			server = answer.GitVersion
		}
	}
	ctrl.Log.Info("regcred starts", "version", own.Version, "commit", own.Commit, "go", own.Go, "kubernetes", server,
		"namespace", o.namespace, "secretNames", o.secretNames, "serviceAccountNames", o.serviceAccountNames,
		"protectedNamespaces", o.protectedNamespaces, "vaultAddresses", o.vaultAddresses, "flags", o.given)
}

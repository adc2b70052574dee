package main

import (
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"regcred.dev/regcred/internal/version"
)

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
		"protectedNamespaces", o.protectedNamespaces, "vaultAddresses", o.vaultAddresses)
}

// Command oldest is the kube-apiserver of the oldest Kubernetes that regcred supports.
//
// It is a module of its own: two versions of Kubernetes' libraries do not go into one. All that a cluster without a node
// needs besides, etcd and kubectl, comes from the newest one.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }

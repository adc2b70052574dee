// Package keyring asks the kubelet's own code which docker config entries it uses for which image and which
// documents it can read. The answers are the golden files of internal/registry and internal/dockerconfig, whose
// tests must give the same; the tests here fail when the files and the kubelet's code differ.
//
// After an update of Kubernetes write the files anew, in hack/cluster/kubernetes, with
//
//	CGO_ENABLED=0 go test -trimpath -tags grpcnotrace ./keyring -update
package keyring

// Package manifests tests config/crd and config/admission with the API server's own code: every CEL expression compiles in the
// oldest Kubernetes that regcred supports, and every field of a spec has a bound. The tests are here, and not beside the
// manifests, because this module has Kubernetes in it.
package manifests

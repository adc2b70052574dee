// Package gitops tests what GitOps tools make of regcred's kinds, over objects that a real operator wrote
// (test/integration/gitops_test.go): the health checks and actions for Argo CD in gitops/argocd by the Lua that Argo CD runs, the status
// that Flux and kstatus compute, and the expressions of docs/gitops.md. It is a module of its own, so that none of these gets into the
// operator's.
package gitops

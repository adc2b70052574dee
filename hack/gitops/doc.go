// Package gitops tests what gitops/ gives to Argo CD and Flux: health checks and actions run in the Lua interpreter that Argo CD uses and
// in the evaluator of Flux, on objects that the operator wrote. It is a module of its own, so that those stay out of the operator's.
package gitops

// Package podfacts reads from the API server what a diagnosis needs to know around a pod: its owners, and its events. The operator and the
// kubectl plugin read it here, each with rights of its own, so that both come to the same verdict.
package podfacts

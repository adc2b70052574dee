// Package cloudregistry knows the hosts of the clouds' registries: which registry a host is, and whom the cloud has one ask for a
// login there. It is pure. What it gives is made of patterns alone, so that nobody who writes a registry into a spec can have a
// credential sent to a host of his own.
package cloudregistry

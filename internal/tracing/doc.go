// Package tracing sends traces of rotations by OpenTelemetry, where that is asked for. One trace is the way of one value: it was read, tested at
// registries, published, delivered to all namespaces, and pods that were stuck without it were cured.
//
// The number of spans does not grow with the number of namespaces: a fan-out is one span, with counts and the names of the first namespaces that
// failed. A span for each namespace would be thousands at each rotation, for what the counts say already; the status and the log name the others.
//
// No span holds a text of Vault's, of a registry's or of the API server's: outcomes are the documented reasons, and the rest are names that were
// cut and cleaned. The trace is not passed on: no request to Vault, a registry or the API server carries its ID. The library's global provider
// stays unset, so that no library sends spans of its own.
package tracing

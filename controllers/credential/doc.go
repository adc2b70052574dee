// Package credential reads the source of a RegistryCredential, proves the value, publishes it as a revision, and owns the
// status of the object. It writes into no namespace but the operator's own: delivery does.
package credential

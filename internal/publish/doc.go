// Package publish is where the controllers meet: the published revisions, one for each RegistryCredential, kept in memory and
// in a Secret of the operator's own namespace, and what became of their delivery, namespace by namespace.
package publish

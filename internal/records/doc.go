// Package records keeps the published revision of each RegistryCredential, in memory and in a Secret of the operator's own
// namespace, so that a restart, a failover and a sealed Vault resume from it.
package records

// Package adoption finds the pull Secrets for a registry that others wrote, says whose they are and which have the same value, and writes the
// RegistryCredentials that take them over. It keeps no value: two are compared by a keyed hash whose key is forgotten.
package adoption

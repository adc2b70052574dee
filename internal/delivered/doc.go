// Package delivered keeps what became of each RegistryCredential in each namespace. It is filled again after each start.
package delivered

// Package delivery makes one pull Secret right: it composes what all RegistryCredentials contribute to it, writes it, and
// attaches it to ServiceAccounts. Its key is a place: a namespace and the name of a Secret.
package delivery

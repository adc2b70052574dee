// Package overview says in words in what state a RegistryCredential or VaultConnection is. It decides from objects alone: it reads nothing and knows no clock.
package overview

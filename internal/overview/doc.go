// Package overview says in words how a RegistryCredential fares. It decides from the object alone: it reads nothing and knows no clock.
package overview

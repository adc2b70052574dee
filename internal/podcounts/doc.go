// Package podcounts counts, for each RegistryCredential, the pods that cannot pull for want of it.
package podcounts

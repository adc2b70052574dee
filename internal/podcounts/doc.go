// Package podcounts counts, for each RegistryCredential, the pods that cannot pull because they lack it.
package podcounts

// Package wakeup lets one controller wake another: it says which RegistryCredential changed, and nothing else.
package wakeup

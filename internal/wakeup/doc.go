// Package wakeup lets one controller wake another: it says which RegistryCredential changed, and nothing else. It also says which changes of an object
// wake a controller.
package wakeup

// Package recovery cures pods that are stuck because they lacked a credential, and says what it saw of those that it must not touch.
// Its key is a pod.
package recovery

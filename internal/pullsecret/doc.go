// Package pullsecret decides what one pull Secret should be: it composes the desired Secret from everything that the
// RegistryCredentials of a namespace contribute, tells whose an existing Secret is, and says what is to be done.
//
// It is pure: it talks to nobody and reads no clock.
package pullsecret

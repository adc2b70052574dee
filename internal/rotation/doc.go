// Package rotation decides what is done next with one RegistryCredential: read its source, ask a registry, publish a new value, go
// back to the value before, give a lease back, or rest. It is pure: no client, no clock, no log. The controller carries out one step,
// notes its result in the State, and asks again.
//
//	             Read                 Test                       Publish
//	source ----------------> Waiting --------> Accepted ------------------------> InUse ---> Previous
//	                            |    --------> Unknown, held for a time --------->  ^            |
//	                            |    --------> Rejected, never while InUse works    |  Restore   |
//	                            |                                                   +------------+
//	                            +-- an older answer: Older, no candidate       InUse refused, Previous accepted
//
// docs/design/rotation.md draws it in full and gives the rules.
package rotation

// Package diagnosis tells why a pod cannot pull its images, and what is the mildest cure that works. It is pure: facts go in, a
// verdict with its reason comes out. The controller and the kubectl plugin share it.
//
// The order of thought is the order of the files: which pulls fail ([Pull]), what is behind each of them (a [Finding]), whether
// anything may be done at all, and by which means.
package diagnosis

// Package podlist reads lists of pods without holding pods. Whoever may create pods decides how large they are, up to the 1.5 MiB
// that etcd takes; a hundred of them, decoded at once, are more than the operator's memory limit. Here the answer of the API server
// is read as a stream: of each pod only the few short fields of [Pod] are kept, everything else is skipped byte by byte, and all
// that one look may read is bounded.
package podlist

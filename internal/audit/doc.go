// Package audit says for every image of every workload which credential a new pod would pull it with on a node that does not have it. It
// decides from facts alone, by the code by which the operator matches images, reads pull Secrets and judges credentials.
package audit

// Package exchange trades what a source gave for a login at a cloud's registry: keys of AWS at Amazon ECR, a service principal or an
// access token of Entra at Azure's registries. The hosts that are asked come from internal/cloudregistry alone. Requests are bounded in
// time and size, go over TLS 1.2 or newer and through the proxy of the environment, and follow no redirect. No error holds anything of
// an answer but its status and a code of letters.
package exchange

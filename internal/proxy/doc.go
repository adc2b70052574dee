// Package proxy makes connections through an HTTP proxy, by CONNECT (RFC 9110, 9.3.6), and by no other way: nothing that is sent
// through it can be read by the proxy, as long as it is TLS.
//
// The proxy is never one of the environment. Whatever it does wrong is an [Error], which names the proxy: the server behind it was not
// reached, and has said nothing.
package proxy

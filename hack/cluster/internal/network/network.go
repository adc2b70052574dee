// Package network gives a box its network: a namespace of its own where there is a node, else the host's loopback.
//
// Sockets and child processes belong to the namespace of the thread that makes them, so each Network owns one
// operating system thread and does its work there.
package network

import (
	"context"
	"net"
	"os/exec"
	"time"
)

// dialTimeout is ample for a connection that never leaves the machine.
const dialTimeout = 5 * time.Second

// Network makes sockets and processes in one network namespace.
type Network struct{ jobs chan func() }

// Host returns the network namespace of this process.
func Host() *Network {
	n, _ := start(func() error { return nil })
	return n
}

// Listen opens a listening TCP socket. The address has to hold a literal IP address.
func (n *Network) Listen(address string) (listener net.Listener, err error) {
	n.do(func() { listener, err = net.Listen("tcp", address) })
	return listener, err
}

// ListenPacket opens a UDP socket. The address has to hold a literal IP address.
func (n *Network) ListenPacket(address string) (conn net.PacketConn, err error) {
	n.do(func() { conn, err = net.ListenPacket("udp", address) })
	return conn, err
}

// Dial connects to a TCP address with a literal IP address.
func (n *Network) Dial(ctx context.Context, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	n.do(func() { conn, err = dialer.DialContext(ctx, "tcp", address) })
	return conn, err
}

// Start starts the command. Where the kernel can do it, the command dies with this process, however that ends.
func (n *Network) Start(command *exec.Cmd) (err error) {
	dieWithParent(command)
	n.do(func() { err = command.Start() })
	return err
}

// StartGently is Start, but what the command gets when this process dies is a request to end (SIGTERM).
func (n *Network) StartGently(command *exec.Cmd) (err error) {
	stopWithParent(command)
	n.do(func() { err = command.Start() })
	return err
}

func (n *Network) do(job func()) {
	done := make(chan struct{})
	n.jobs <- func() { job(); close(done) }
	<-done
}

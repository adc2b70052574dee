package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// Forward takes connections on a free port of the host's loopback to a TCP address within this network, until the
// context ends. It returns the address that it listens on.
func (n *Network) Forward(ctx context.Context, target string) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go n.relay(ctx, client, target)
			}
		}
	}()
	return listener.Addr().String(), nil
}

// relay copies in both directions and passes on the end of each, which streams like kubectl exec rely on.
func (n *Network) relay(ctx context.Context, client net.Conn, target string) {
	defer client.Close()
	server, err := n.Dial(ctx, target)
	if err != nil {
		return // the client sees a closed connection, as from a server that is not there
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(server, client) })
	both.Go(func() { copyHalf(client, server) })
	both.Wait()
}

func copyHalf(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok && err == nil {
		half.CloseWrite()
		return
	}
	to.Close()
	from.Close()
}

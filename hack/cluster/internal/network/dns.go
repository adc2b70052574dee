package network

import (
	"errors"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// ServeDNS answers every question with "no such name", at once, until the connection is closed. The box has no other
// network to ask, and without an answer a pull from an unknown host would hang instead of failing.
func ServeDNS(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, client, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer, err := noSuchName(buffer[:size]); err == nil {
			conn.WriteTo(answer, client)
		}
	}
}

func noSuchName(question []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return nil, err
	}
	message.Response = true
	message.RecursionAvailable = true
	message.RCode = dnsmessage.RCodeNameError
	message.Additionals = nil
	return message.Pack()
}

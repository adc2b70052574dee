package verify_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"regcred.dev/regcred/internal/dockerconfig"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// nothingIsLeft waits until nothing runs that did not run before. The servers of a test end when they see that the client is gone, for which goleak
// waits less than half a second.
func nothingIsLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	var left error
	for range 20 {
		if left = goleak.Find(before); left == nil {
			return
		}
	}
	t.Error(left)
}

func newCredential(t *testing.T, username, password string) dockerconfig.Credential {
	t.Helper()
	credential, err := dockerconfig.NewCredential(username, password)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// resolve answers the process's DNS queries for the names, until the test ends. All other names do not exist.
func resolve(t *testing.T, names map[string]string) {
	t.Helper()
	system := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			// What is no packet connection is spoken to as over TCP.
			client, server := net.Pipe()
			go serveDNS(server, names)
			return client, nil
		},
	}
	t.Cleanup(func() { net.DefaultResolver = system })
}

// serveDNS answers queries, each with its length in front of it, until the client hangs up.
func serveDNS(conn net.Conn, names map[string]string) {
	defer conn.Close()
	for {
		var length uint16
		if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer, err := answerDNS(query, names)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func answerDNS(query []byte, names map[string]string) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response = true
	message.Additionals = nil
	for _, q := range message.Questions {
		text, ok := names[strings.TrimSuffix(q.Name.String(), ".")]
		if !ok {
			message.RCode = dnsmessage.RCodeNameError
			continue
		}
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		for one := range strings.SplitSeq(text, ",") {
			switch addr := netip.MustParseAddr(one); {
			case addr.Is4() && q.Type == dnsmessage.TypeA:
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
			case addr.Is6() && q.Type == dnsmessage.TypeAAAA:
				message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
			}
		}
	}
	return message.Pack()
}

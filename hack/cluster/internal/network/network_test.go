package network

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// serveUpper answers each connection, once the client has said all, with its words in capitals.
func serveUpper(t *testing.T, n *Network, address string) string {
	t.Helper()
	listener, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				said, _ := io.ReadAll(conn)
				io.WriteString(conn, strings.ToUpper(string(said)))
			}()
		}
	}()
	return listener.Addr().String()
}

func ask(t *testing.T, address, words string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, words); err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestForwardPassesOnBothDirectionsAndTheirEnds(t *testing.T) {
	n := Host()
	address, err := n.Forward(t.Context(), serveUpper(t, n, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, address, "hello"); got != "HELLO" {
		t.Errorf("through the forwarder comes %q", got)
	}
}

func TestForwardToNobodyClosesTheConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	listener.Close()
	address, err := Host().Forward(t.Context(), nobody)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("reading gives %v, want the end of the connection", err)
	}
}

func TestForwardEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, err := Host().Forward(ctx, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("still listening")
		}
	}
}

func TestPrivateNetworkIsReachedThroughForwardersOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	if err := CanIsolate(); err != nil {
		t.Skipf("this machine does not allow new namespaces: %v", err)
	}
	n, err := Private()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{NodeIP + ":80", ServiceIP + ":443", "127.0.0.1:2379"} {
		serveUpper(t, n, address)
		forwarded, err := n.Forward(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, forwarded, address); got != address {
			t.Errorf("%s answers %q", address, got)
		}
	}
	inside := exec.Command("readlink", "/proc/self/ns/net")
	var output strings.Builder
	inside.Stdout = &output
	if err := n.Start(inside); err != nil {
		t.Fatal(err)
	}
	if err := inside.Wait(); err != nil {
		t.Fatal(err)
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if theirs := strings.TrimSpace(output.String()); theirs == ours || theirs == "" {
		t.Errorf("a process of the private network is in %q, this one in %q", theirs, ours)
	}
}

func TestDNSKnowsNoName(t *testing.T) {
	conn, err := Host().ListenPacket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go ServeDNS(conn)
	client, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(10 * time.Second))

	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName("registry.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}}}
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	// Rubbish is dropped, and the next question is answered all the same.
	for _, packet := range [][]byte{[]byte("rubbish"), packed} {
		if _, err := client.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 512)
	size, err := client.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(buffer[:size]); err != nil {
		t.Fatal(err)
	}
	if answer.ID != 7 || !answer.Response || answer.RCode != dnsmessage.RCodeNameError {
		t.Errorf("the answer is %v", answer.Header)
	}
}

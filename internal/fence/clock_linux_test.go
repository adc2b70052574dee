package fence

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the network does not take in what is left of the lease after the last write must not be sent again later.
func TestTheKernelGivesUpWhatIsNotAcknowledgedBeforeTheLeaseEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	f, _ := newFence()
	made, err := f.dial(t.Context(), "tcp", listener.Addr().String())
	must(t, err)
	defer made.Close()
	raw, err := made.(*conn).Conn.(*net.TCPConn).SyscallConn()
	must(t, err)
	var limit, alive int
	var failed error
	must(t, raw.Control(func(fd uintptr) {
		if limit, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); failed == nil {
			alive, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
		}
	}))
	must(t, failed)
	if want := int((terms.Lease - terms.Write).Milliseconds()); limit != want || alive != 30 {
		t.Errorf("it gives up after %d ms, and should after %d; it asks after %d s whether the other end lives", limit, want, alive)
	}
	must(t, listener.Close())
	if got, err := f.dial(t.Context(), "tcp", listener.Addr().String()); err == nil || got != nil {
		t.Errorf("nobody listens, and it gives %v, %v", got, err)
	}
}

func TestTheClocksAreThoseOfTheMachine(t *testing.T) {
	var boot unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot))
	read := now()
	if ahead := read.boot - time.Duration(boot.Nano()); ahead < 0 || ahead > time.Minute {
		t.Errorf("the clock of the machine is off by %s", ahead)
	}
	if off := time.Since(read.wall); off < -time.Minute || off > time.Minute {
		t.Errorf("the wall clock is off by %s", off)
	}
}

package proxy

import (
	"fmt"
	"net/http"
)

// Error is a failure of a proxy. It holds nothing that the proxy sent but its status.
type Error struct {
	// Proxy and Target are host:port.
	Proxy, Target string
	// Status of the answer to CONNECT, 0 where there was none.
	Status int
	// Detail says what happened where there is no status, in our own words.
	Detail string
	Err    error
}

// Error says what the proxy did, and what to do about it.
func (e *Error) Error() string {
	does := fmt.Sprintf("the proxy %s does not connect to %s (%s)", e.Proxy, e.Target, e.what())
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return does + ": check user name and password in the Secret for this proxy"
	case e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError:
		return does + ": see whether the proxy is well and reaches it"
	case e.Status != 0:
		return does + ": let the proxy allow this host and port"
	default:
		return does + ": see whether the proxy is well, and whether its address is right"
	}
}

func (e *Error) what() string {
	if e.Status != 0 {
		return fmt.Sprintf("status %d to CONNECT", e.Status)
	}
	return e.Detail
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

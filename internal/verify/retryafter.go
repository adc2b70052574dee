package verify

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a registry may ask for: nobody should be able to switch tests off for ever.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header Retry-After, which is a number of seconds or a date (RFC 9110, 10.2.3). It is 0 where
// the header is missing, unreadable or in the past.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxRetryAfter)
}

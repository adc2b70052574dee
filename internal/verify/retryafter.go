package verify

import (
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter bounds what a registry may ask for. Registries limit by the minute, some by the hour; with more, whoever runs one
// registry, or the image that a tenant names there, would decide how long a value stays untested.
const MaxRetryAfter = 10 * time.Minute

// retryAfter reads the header Retry-After, which is a number of seconds or a date (RFC 9110, 10.2.3). It is 0 where
// the header is missing, unreadable or in the past.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, MaxRetryAfter)
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), MaxRetryAfter)
}

package verify

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		value string
		want  time.Duration
	}{
		{"seconds", "120", 2 * time.Minute},
		{"zero", "0", 0},
		{"a date", "Sun, 01 Mar 2026 12:05:00 GMT", 5 * time.Minute},
		{"a date in the past", "Sun, 01 Mar 2026 11:00:00 GMT", 0},
		{"a date far away", "Mon, 01 Mar 2126 12:00:00 GMT", MaxRetryAfter},
		{"a day in seconds", "86400", MaxRetryAfter},
		{"more seconds than a number holds", "99999999999999999999", 0},
		{"a negative number", "-5", 0},
		{"garbage", "soon", 0},
		{"nothing", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"Retry-After": {tt.value}}
			if got := retryAfter(header, now); got != tt.want {
				t.Errorf("retryAfter(%q) = %v, want %v", tt.value, got, tt.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sun, 01 Mar 2026 12:05:00 GMT")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(http.Header{"Retry-After": {value}}, now)
		if got < 0 || got > MaxRetryAfter {
			t.Errorf("retryAfter(%q) = %v", value, got)
		}
	})
}

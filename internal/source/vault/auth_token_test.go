package vault

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestWhenAGivenTokenEndsForGood(t *testing.T) {
	created := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ name, about, want string }{
		{"it ends never", `{"ttl":0,"expire_time":null,"renewable":false,"creation_time":1772366400,"explicit_max_ttl":0}`, ""},
		{"it is renewed again and again", `{"ttl":3600,"expire_time":"2026-03-01T13:00:00Z","renewable":true,"creation_time":1772366400,"explicit_max_ttl":0}`, ""},
		{"it cannot be renewed", `{"ttl":3600,"expire_time":"2026-03-01T13:00:00.5Z","renewable":false,"creation_time":1772366400,"explicit_max_ttl":0}`, "2026-03-01T13:00:00.5Z"},
		{"it has a maximum", `{"ttl":3600,"expire_time":"2026-03-01T13:00:00Z","renewable":true,"creation_time":1772366400,"explicit_max_ttl":86400}`, "2026-03-02T12:00:00Z"},
		{"it has a maximum, and ends before", `{"ttl":3600,"expire_time":"2026-03-01T13:00:00Z","renewable":false,"creation_time":1772366400,"explicit_max_ttl":86400}`, "2026-03-01T13:00:00Z"},
		{"a standby tells an end that has passed", `{"ttl":0,"expire_time":"2026-01-01T00:00:00Z","renewable":false}`, ""},
		{"its end is no time", `{"ttl":3600,"expire_time":"soon","renewable":false}`, ""},
		{"it was made in a far future", `{"renewable":true,"creation_time":9223372036854775807,"explicit_max_ttl":86400}`, ""},
		{"its maximum is beyond all years", `{"renewable":true,"creation_time":1772366400,"explicit_max_ttl":9223372036854775807}`, created.Add(longestLife).Format(time.RFC3339)},
		{"it was made at no time", `{"renewable":true,"creation_time":0,"explicit_max_ttl":86400}`, ""},
		{"it was made before all time", `{"renewable":true,"creation_time":-1772366400,"explicit_max_ttl":86400}`, ""},
		{"it was made at the last second that is believed", `{"renewable":true,"creation_time":4294967295,"explicit_max_ttl":86400}`, "2106-02-08T06:28:15Z"},
		{"it was made a second later", `{"renewable":true,"creation_time":4294967296,"explicit_max_ttl":86400}`, ""},
		{"its maximum has more digits than any number", `{"renewable":true,"creation_time":1772366400,"explicit_max_ttl":99999999999999999999}`, created.Add(longestLife).Format(time.RFC3339)},
		{"its maximum is a text", `{"renewable":true,"creation_time":1772366400,"explicit_max_ttl":"86400"}`, ""},
		{"its end is told by another clock", `{"ttl":3600,"expire_time":"2026-03-01T15:00:00+02:00","renewable":false}`, "2026-03-01T13:00:00Z"},
		{"it has a maximum, and its end is told later", `{"ttl":3600,"expire_time":"2026-03-03T12:00:00Z","renewable":false,"creation_time":1772366400,"explicit_max_ttl":86400}`, "2026-03-02T12:00:00Z"},
		{"it has a maximum, and its end is no time", `{"ttl":3600,"expire_time":"soon","renewable":false,"creation_time":1772366400,"explicit_max_ttl":86400}`, "2026-03-02T12:00:00Z"},
		{"nothing is told", `{}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var about map[string]any
			decoder := json.NewDecoder(strings.NewReader(test.about))
			decoder.UseNumber()
			if err := decoder.Decode(&about); err != nil {
				t.Fatal(err)
			}
			ends := endOf(about)
			if got := ends.Format(time.RFC3339Nano); ends.IsZero() && test.want != "" || !ends.IsZero() && got != test.want {
				t.Errorf("it ends at %s, want %q", got, test.want)
			}
		})
	}
}

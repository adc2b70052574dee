package payload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
)

// kind is what a field tells of the end of a credential.
type kind int

const (
	nothing  kind = iota
	anEnd         // a moment, or a lifetime
	lifetime      // seconds, or a duration
)

// endFields are the fields that tell of an end, in lower case and without separators: engines of Vault, OAuth, registries and people
// spell them in many ways.
var endFields = map[string]kind{
	"expiresat": anEnd, "expires": anEnd, "expireson": anEnd, "expiry": anEnd, "expirydate": anEnd,
	"expirytime": anEnd, "expiration": anEnd, "expirationdate": anEnd, "expirationtime": anEnd, "expire": anEnd, "expireat": anEnd,
	"expiretime": anEnd, "expiredate": anEnd, "expiresdate": anEnd, "expirestime": anEnd,
	"expirationdatetime": anEnd, "expirydatetime": anEnd, "expiredat": anEnd, "expiresafter": anEnd, "timeexpires": anEnd, "validbefore": anEnd,
	"enddate": anEnd, "enddatetime": anEnd, "endsat": anEnd, "notafter": anEnd, "validuntil": anEnd, "validto": anEnd, "exp": anEnd,
	"ttl": lifetime, "expiresin": lifetime, "expirein": lifetime, "validfor": lifetime,
	"lifetime": lifetime, "leaseduration": lifetime, "validity": lifetime, "validityperiod": lifetime,
}

// words that may end the name of such a field and say how it is written.
var formWords = []string{"utc", "gmt", "iso", "iso8601", "rfc3339", "epoch", "unix", "timestamp", "ts"}

// unitWords may end it, too, as in expires_in_days: a number there counts those.
var unitWords = map[string]time.Duration{
	"ms": time.Millisecond, "millis": time.Millisecond, "milliseconds": time.Millisecond,
	"sec": time.Second, "secs": time.Second, "seconds": time.Second, "min": time.Minute, "mins": time.Minute, "minutes": time.Minute,
	"hours": time.Hour, "days": 24 * time.Hour, "weeks": 7 * 24 * time.Hour, "months": 30 * 24 * time.Hour, "years": 365 * 24 * time.Hour,
}

// endOwners may stand before such a field, several of them, too, as in client_secret_expires_at: the end is that of the credential all
// the same.
var endOwners = []string{"token", "access", "password", "secret", "credentials", "credential", "key", "robot", "api", "client", "deploy", "pat"}

// kindOf says what a field of this name tells, and the unit of a lifetime that is a number there.
func kindOf(name string) (kind, time.Duration) {
	const longest = 64
	if len(name) > longest {
		return nothing, 0
	}
	name = strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	if known := ownedKind(name); known != nothing {
		return known, time.Second
	}
	for word, unit := range unitWords {
		bare, is := strings.CutSuffix(name, word)
		switch known := ownedKind(bare); {
		case !is:
		case known != nothing:
			return known, unit
		case bare == "valid": // alone, it tells whether, and not how long
			return lifetime, unit
		}
	}
	for _, word := range formWords {
		if known := ownedKind(strings.TrimSuffix(name, word)); known != nothing {
			return known, time.Second
		}
	}
	return nothing, 0
}

// ownedKind is what a field tells, whoever stands before it in its name.
func ownedKind(name string) kind {
	for owned := true; owned; name, owned = withoutOwner(name) {
		if known := endFields[name]; known != nothing {
			return known
		}
	}
	return nothing
}

// withoutOwner takes one owner off the beginning of a name.
func withoutOwner(name string) (string, bool) {
	for _, owner := range endOwners {
		if rest, is := strings.CutPrefix(name, owner); is {
			return rest, true
		}
	}
	return name, false
}

// ends is the earliest end of the credential that anything tells of.
func (r *rendering) ends(config dockerconfig.Config) time.Time {
	ends := slices.Concat(r.endsIn(r.fields, ""), r.endsIn(r.About, "the metadata's "), r.endsIn(r.From, "the exchanged "))
	for _, credential := range config {
		ends = append(ends, EndOfPassword(credential.Password()))
	}
	return Earliest(ends...)
}

func (r *rendering) endsIn(fields Fields, whose string) []time.Time {
	const mostFindings = 4
	var ends []time.Time
	found := 0
	for _, name := range sortedKeys(fields) {
		if r.isCredential(name, whose) {
			continue
		}
		at, says := r.endOf(name, fields[name])
		ends = append(ends, at)
		if says != "" && found < mostFindings {
			found++
			r.note(dockerconfig.ReasonUnreadableEnd, "%skey %s %s", whose, quoted(name), says)
		}
	}
	return ends
}

// isCredential reports whether a field is user name or password, whatever its name says.
func (r *rendering) isCredential(name, whose string) bool {
	return whose == "" && slices.Contains([]string{r.Keys.Username, r.Keys.Password, r.Keys.Auth, r.Keys.DockerConfig}, name)
}

// endOf reads a field, and says why it cannot where it looks like an end.
func (r *rendering) endOf(name string, value any) (time.Time, string) {
	k, unit := kindOf(name)
	text, is := asText(value)
	if k == nothing || is && means(text, never) {
		return time.Time{}, ""
	}
	if k == anEnd {
		if at, ok := moment(text); ok {
			return at, ""
		}
	}
	switch life, ok := duration(text, unit); {
	case !ok:
		return time.Time{}, fmt.Sprintf("looks like the end of the credential and cannot be read, so nobody is warned before it: write %s as in 2026-05-01T00:00:00Z", shownName(name))
	case life <= 0:
		return time.Time{}, ""
	case !r.Written.IsZero():
		return r.Written.Add(life), ""
	case strings.EqualFold(name, "ttl"): // KV version 1 has a meaning of its own for it
		return time.Time{}, ""
	}
	return time.Time{}, "is a lifetime, and nobody knows from when it counts: write a moment, such as expires_at with 2026-05-01T00:00:00Z"
}

func asText(value any) (string, bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(value), true
	case json.Number:
		return value.String(), true
	case bool:
		return "", !value
	}
	return "", false
}

// Earliest is the earliest of some times, of which a zero one is not known. It is zero where none is known.
func Earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

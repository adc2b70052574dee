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
	"expiresat": anEnd, "expiresatseconds": anEnd, "expires": anEnd, "expireson": anEnd, "expiry": anEnd, "expirydate": anEnd,
	"expirytime": anEnd, "expiration": anEnd, "expirationdate": anEnd, "expirationtime": anEnd, "expire": anEnd, "expireat": anEnd,
	"expiretime": anEnd, "expiredate": anEnd, "expiresdate": anEnd, "expirestime": anEnd, "expirationtimestamp": anEnd,
	"expirationdatetime": anEnd, "expirydatetime": anEnd, "expiredat": anEnd, "expiresafter": anEnd, "timeexpires": anEnd, "validbefore": anEnd,
	"enddate": anEnd, "enddatetime": anEnd, "endsat": anEnd, "notafter": anEnd, "validuntil": anEnd, "validto": anEnd, "exp": anEnd,
	"ttl": lifetime, "expiresin": lifetime, "expiresinseconds": lifetime, "expirein": lifetime, "validfor": lifetime,
	"lifetime": lifetime, "ttlseconds": lifetime,
}

// endOwners may stand before such a field, several of them, too, as in client_secret_expires_at: the end is that of the credential all
// the same.
var endOwners = []string{"token", "access", "password", "secret", "credentials", "credential", "key", "robot", "api", "client", "deploy", "pat"}

// kindOf says what a field of this name tells.
func kindOf(name string) kind {
	const longest = 64
	if len(name) > longest {
		return nothing
	}
	name = strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	name = strings.TrimSuffix(name, "utc")
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
	ends := append(r.endsIn(r.fields, ""), r.endsIn(r.About, "the metadata's ")...)
	for _, credential := range config {
		ends = append(ends, endOfPassword(credential.Password()))
	}
	return Earliest(ends...)
}

func (r *rendering) endsIn(fields Fields, whose string) []time.Time {
	const mostFindings = 4
	var ends []time.Time
	found := 0
	for _, name := range sortedKeys(fields) {
		k := kindOf(name)
		if k == nothing || r.isCredential(name, whose) {
			continue
		}
		at, says := r.endOf(k, fields[name], name)
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
func (r *rendering) endOf(k kind, value any, name string) (time.Time, string) {
	text, is := asText(value)
	if is && means(text, never) {
		return time.Time{}, ""
	}
	var life time.Duration
	if is && k == anEnd {
		at, ok := moment(text)
		if ok {
			return at, ""
		}
	}
	if is {
		life, is = duration(text)
	}
	switch {
	case !is:
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

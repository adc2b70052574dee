package vault

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
)

var (
	// lifetimeKeys give a number of seconds, as Google's, Artifactory's and OAuth's answers do.
	lifetimeKeys = []string{"ttl", "token_ttl", "expires_in"}
	// endKeys give a moment.
	endKeys = []string{"expires_at", "expires_at_seconds"}
)

// milliseconds is from where on a number of seconds since 1970 must be one of milliseconds: the year 5138.
const milliseconds = 100_000_000_000

// latest is where a number is no moment any more, in milliseconds.
const latest = 1_000_000_000_000_000

// ends is the earliest known end of the credential; zero where none is known.
func (p *payload) ends(config dockerconfig.Config, a *answer, lease *source.Lease) time.Time {
	var ends []time.Time
	if lease != nil {
		// A lease ends with the token that asked for it at the latest.
		ends = append(ends, lease.Obtained.Add(lease.Duration), a.read.tokenExpires)
	}
	for _, key := range endKeys {
		ends = append(ends, moment(p.data[key]))
	}
	if from := p.lifetimeFrom(a); !from.IsZero() {
		for _, key := range lifetimeKeys {
			if lifetime := lifetime(p.data[key]); lifetime > 0 {
				ends = append(ends, from.Add(lifetime))
			}
		}
	}
	if custom, ok := p.metadata["custom_metadata"].(map[string]any); ok {
		ends = append(ends, moment(custom["expires_at"]))
	}
	for _, credential := range config {
		ends = append(ends, tokenEnd(credential.Password()))
	}
	return earliest(ends)
}

// lifetimeFrom is the moment from which a number of seconds counts: the read where each read makes a credential, the
// write in KV v2. In KV v1 nobody knows.
func (p *payload) lifetimeFrom(a *answer) time.Time {
	switch p.engine {
	case v1alpha1.EngineDynamic:
		return a.read.at
	case v1alpha1.EngineKVv2:
		return p.created
	default:
		return time.Time{}
	}
}

// moment reads RFC 3339, or seconds or milliseconds since 1970. What it cannot read is no known end.
func moment(value any) time.Time {
	text := strings.TrimSpace(asText(value))
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !(number >= 1 && number <= latest) { // written so that NaN is out
		return time.Time{}
	}
	if number >= milliseconds {
		return time.UnixMilli(int64(number))
	}
	return time.Unix(int64(number), 0)
}

// lifetime reads a number of seconds, or a duration such as 1h.
func lifetime(value any) time.Duration {
	text := strings.TrimSpace(asText(value))
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

func asText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		return ""
	}
}

// tokenEnd is the exp of a password that is a JSON Web Token. Its signature is the registry's business.
func tokenEnd(password string) time.Time {
	parts := strings.Split(password, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires json.Number `json:"exp"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return time.Time{}
	}
	return moment(claims.Expires)
}

func earliest(times []time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

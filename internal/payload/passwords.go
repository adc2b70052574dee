package payload

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// EndOfPassword is the end that a password tells of itself: the exp of a JSON Web Token, or the expiration of a password of Amazon
// ECR. It is zero where the password is certainly neither. Whether a signature is right is the registry's business.
func EndOfPassword(password string) time.Time {
	const longest = 64 << 10
	if len(password) > longest {
		return time.Time{}
	}
	if end := endOfToken(password); !end.IsZero() {
		return end
	}
	return endOfECR(password)
}

func endOfToken(password string) time.Time {
	parts := strings.Split(password, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Expires json.Number `json:"exp"`
	}
	if !decodePart(parts[0], &header) || header.Algorithm == "" || !decodePart(parts[1], &claims) {
		return time.Time{}
	}
	end, _ := moment(claims.Expires.String())
	return end
}

func decodePart(part string, into any) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(decoded, into) == nil
}

// endOfECR reads what GetAuthorizationToken gives: base64 of JSON with an encrypted payload, a data key and an expiration in seconds.
func endOfECR(password string) time.Time {
	decoded, _ := decodeBase64(password)
	var token struct {
		Payload string      `json:"payload"`
		DataKey string      `json:"datakey"`
		Expires json.Number `json:"expiration"`
	}
	if json.Unmarshal(decoded, &token) != nil || token.Payload == "" && token.DataKey == "" {
		return time.Time{}
	}
	end, _ := moment(token.Expires.String())
	return end
}

package verify

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestIsAnonymous(t *testing.T) {
	tests := []struct {
		name  string
		token string
		want  bool
	}{
		{"a subject that is empty", jwt(`{"sub":"","access":[]}`), true},
		{"a subject", jwt(`{"sub":"robot","access":[]}`), false},
		{"no subject, as of a deploy token", jwt(`{"access":[]}`), false},
		{"a null subject", jwt(`{"sub":null}`), false},
		{"a subject that is no string", jwt(`{"sub":5}`), false},
		{"a payload that is no JSON", jwt(`garbage`), false},
		{"a payload that is no base64", "e30.%%%.c2ln", false},
		{"a payload that is base64 in part", "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":""}  `)) + "%%%%.c2ln", false},
		{"four parts", jwt(`{"sub":""}`) + ".x", false},
		{"an opaque token", "ghs_opaque", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isAnonymous(tt.token); got != tt.want {
				t.Errorf("isAnonymous = %v, want %v", got, tt.want)
			}
		})
	}
}

// Whoever has a name is not anonymous, whatever the name; and no token makes it panic.
func FuzzIsAnonymous(f *testing.F) {
	f.Add("robot", "a.b.c")
	f.Add("", "e30.eyJzdWIiOiIifQ.x")
	f.Fuzz(func(t *testing.T, subject, token string) {
		isAnonymous(token)
		payload, err := json.Marshal(map[string]string{"sub": subject})
		if err != nil {
			t.Fatal(err)
		}
		if got := isAnonymous(jwt(string(payload))); got != (subject == "") {
			t.Errorf("isAnonymous for subject %q = %v", subject, got)
		}
	})
}

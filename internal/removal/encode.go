package removal

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// MarshalText packs the set.
func (s Set) MarshalText() ([]byte, error) {
	return []byte(base64.RawStdEncoding.EncodeToString(s.bytes())), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Set) UnmarshalText(text []byte) error {
	packed, err := base64.RawStdEncoding.DecodeString(string(text))
	if err != nil {
		return errNoSet
	}
	*s, err = setFrom(packed)
	return err
}

// Encode writes a State.
func (s State) Encode() ([]byte, error) {
	encoded, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the removals: %w", err)
	}
	return encoded, nil
}

// Decode reads a State. One that cannot be read is the zero State: no loss is known, and nothing is granted.
func Decode(encoded []byte) State {
	var s State
	if len(encoded) > 0 && json.Unmarshal(encoded, &s) != nil {
		return State{}
	}
	if s.Pending != nil && len(s.Pending.Parts) == 0 { // kept by an earlier version: for what its ID was is not known
		return s.settled()
	}
	return s
}

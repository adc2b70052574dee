package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A value that comes in has a bound. One that is published already is read as it is: it would be lost otherwise.
func TestAnEntryThatIsKeptCanBeOfAnyLength(t *testing.T) {
	for _, length := range []int{MaxLength, MaxLength + 1} {
		raw := json.RawMessage(fmt.Sprintf(`{"username":"robot","password":%q}`, strings.Repeat("p", length)))
		if _, err := ParseEntry("r.example", raw); errors.Is(err, ErrTooLong) != (length > MaxLength) {
			t.Errorf("%d bytes come in: %v", length, err)
		}
		if kept, err := ParseKept("r.example", raw); err != nil || len(kept.Password()) != length {
			t.Errorf("%d bytes were kept: %v", length, err)
		}
	}
}

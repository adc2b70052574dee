package records

import (
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
)

// filling is a docker config with passwords of so many bytes in all, each no longer than a password may be.
func filling(t *testing.T, letter string, size int) dockerconfig.Config {
	t.Helper()
	config := dockerconfig.Config{}
	for left := size; left > 0; left -= dockerconfig.MaxLength {
		value, err := dockerconfig.NewCredential("robot", strings.Repeat(letter, min(left, dockerconfig.MaxLength)))
		if err != nil {
			t.Fatal(err)
		}
		config[fmt.Sprint("r.example/", left)] = value
	}
	return config
}

// A Secret holds 1 MiB. Where not all values fit, the one in use does: to be able to go back is less than to be able to go on.
func TestAValueThatDoesNotFitBesideTheOneBeforeIsKeptAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		both bool
	}{{"two small values", 2 << 10, true}, {"two values of 200 KiB each", 85 << 10, true}, {"two values of 600 KiB each", 256 << 10, false}} {
		t.Run(c.name, func(t *testing.T) {
			record := Record{Credential: "company", UID: "uid"}
			record.Config = filling(t, "n", c.size)
			record.Previous = &rotation.Previous{Value: rotation.Value{Config: filling(t, "o", c.size), Revision: "before"}}
			secret, err := encode(record, "regcred-system")
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, data := range secret.Data {
				size += len(data)
			}
			if size > 1<<20 {
				t.Errorf("the record has %d bytes", size)
			}
			decoded, err := decode(secret)
			if err != nil || !decoded.Published() || decoded.Previous == nil || decoded.Previous.Revision != "before" {
				t.Fatalf("%v: %+v", err, decoded.Previous)
			}
			if kept := decoded.Previous.Config != nil; kept != c.both {
				t.Errorf("the value before is kept: %t, want %t", kept, c.both)
			}
			if record.Previous.Config == nil {
				t.Error("the process forgot the value before")
			}
		})
	}
}

func TestWhichOfThreeValuesFit(t *testing.T) {
	of := func(letter string, size int) rotation.Value {
		return rotation.Value{Config: filling(t, letter, size), Minted: true}
	}
	for _, c := range []struct {
		name                  string
		inUse, waits, before  int
		keepsWaits, keepsLast bool
	}{
		{"three small ones", 1 << 10, 1 << 10, 1 << 10, true, true},
		{"the one before is too large", 1 << 10, 1 << 10, 340 << 10, true, false},
		{"the one that waits is too large", 1 << 10, 340 << 10, 1 << 10, false, true},
		{"the other two do not fit together", 1 << 10, 170 << 10, 170 << 10, true, false},
		{"the one in use leaves no room", 320 << 10, 30 << 10, 30 << 10, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := Record{Credential: "company", UID: "uid"}
			record.Value = of("n", c.inUse)
			record.Waiting = &rotation.Waiting{Value: of("w", c.waits)}
			record.Previous = &rotation.Previous{Value: of("o", c.before)}
			secret, err := encode(record, "regcred-system")
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(secret)
			if err != nil || !got.Published() || (got.Waiting.Config != nil) != c.keepsWaits || (got.Previous.Config != nil) != c.keepsLast {
				t.Errorf("%v; waiting is kept: %t, the one before: %t", err, got.Waiting.Config != nil, got.Previous.Config != nil)
			}
		})
	}
}

func TestAValueFitsToTheLastByte(t *testing.T) {
	config := filling(t, "n", 100<<10)
	keeps := func(more int) (size int, kept bool) {
		record := Record{Credential: "company", UID: "uid"}
		record.Value = rotation.Value{Config: config}
		record.Previous = &rotation.Previous{Value: rotation.Value{Config: config}}
		record.Answered = strings.Repeat("a", more)
		secret, err := encode(record, "regcred-system")
		if err != nil {
			t.Fatal(err)
		}
		_, kept = secret.Data[previousKey]
		return len(secret.Data[memoKey]) + 2*len(secret.Data[configKey]), kept
	}
	size, _ := keeps(1)
	for name, c := range map[string]struct {
		more int
		kept bool
	}{"with no byte to spare": {1 + room - size, true}, "with a byte too much": {2 + room - size, false}} {
		if _, kept := keeps(c.more); kept != c.kept {
			t.Errorf("%s: kept is %t", name, kept)
		}
	}
}

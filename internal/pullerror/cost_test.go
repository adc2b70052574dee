package pullerror

import (
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/test/racedetector"
)

// longer is what a kubelet says of an image whose name a tenant made long, and longMessage as much of it as is looked at.
var (
	longer      = fmt.Sprintf("failed to pull and unpack image %q: failed to resolve image: pull access denied", "r.example/"+strings.Repeat("a__b/", 1000)+"c")
	longMessage = longer[:longestKept]
)

// TestAMessageIsReadOnce counts allocations: every look at a stuck pod asks what its message means, and the kubelet repeats it.
func TestAMessageIsReadOnce(t *testing.T) {
	Classify(longMessage)
	if again := testing.AllocsPerRun(100, func() { Classify(longMessage); Mirror(longMessage, "") }); again > 0 {
		t.Errorf("to ask again what a message means makes %.0f allocations", again)
	}
}

func TestALongerMessageIsReadEachTime(t *testing.T) {
	for i := range 3 {
		if got := Classify(longer); got != NotFoundOrDenied {
			t.Errorf("look %d: %s", i, got)
		}
	}
	if _, kept := readings.Look(longer); kept {
		t.Error("it is remembered")
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, message := range []string{"again", "afresh"} {
		b.Run(message, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if message == "again" {
					Classify(longMessage)
				} else {
					readAfresh(longMessage)
				}
			}
		})
	}
}

// Each registry can say something else at each attempt.
func TestOfMessagesNoMoreAreRememberedThanTheBound(t *testing.T) {
	racedetector.Skip(t)
	first := "failed to pull: something of its own"
	Classify(first)
	if _, known := readings.Look(first); !known {
		t.Fatal("a message is read again each time")
	}
	for n := range 3 * readingsKept {
		Classify(fmt.Sprintf("failed to pull: something else %d", n))
	}
	if _, known := readings.Look(first); known {
		t.Error("a message that nobody asks for is remembered for ever")
	}
}

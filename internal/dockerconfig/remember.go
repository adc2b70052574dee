package dockerconfig

import (
	"crypto/sha256"
	"encoding/json"

	"regcred.dev/regcred/internal/memo"
)

// One docker config is in the Secrets of thousands of namespaces, and a rotation asks several things of each. The answers are remembered by
// a hash of the document: they are pure. Of documents larger than longestRemembered, in bytes, nothing is.
const documentsRemembered, longestRemembered = 128, 16 << 10

var (
	lints = memo.New[[sha256.Size]byte, []Finding](documentsRemembered)
	raws  = memo.New[[sha256.Size]byte, rawEntries](documentsRemembered)
	kepts = memo.New[[sha256.Size]byte, []byte](documentsRemembered)
)

// rawEntries is what [ParseRaw] gives.
type rawEntries struct {
	entries map[string]json.RawMessage
	err     error
}

// remembered gives what is known of a document, or finds it out.
func remembered[V any](known *memo.Of[[sha256.Size]byte, V], data []byte, find func() V) V {
	if len(data) > longestRemembered {
		return find()
	}
	return known.Get(sumOf(data), find)
}

func sumOf(data []byte) [sha256.Size]byte { return sha256.Sum256(data) }

package dockerconfig

import (
	"crypto/sha256"
	"encoding/json"

	"regcred.dev/regcred/internal/memo"
)

// One docker config is in the Secrets of thousands of namespaces, and a rotation asks several things of each. The answers are remembered by
// a hash of the document: they are pure. Of documents larger than longestRemembered, in bytes, nothing is.
const longestRemembered = 16 << 10

// bytesRemembered is how much of the answers of one kind is remembered, in bytes: a namespace's people write documents of which each byte
// makes fifty. inMap is what a member of a map takes beside its text, inFinding a finding.
const bytesRemembered, inMap, inFinding = 2 << 20, 128, 128

type sum = [sha256.Size]byte

var (
	lints = memo.New(bytesRemembered, weightOfFindings)
	raws  = memo.New(bytesRemembered, weightOfEntries)
	kepts = memo.New(bytesRemembered, func(_ sum, kept []byte) int { return inMap + cap(kept) })
)

func weightOfFindings(_ sum, findings []Finding) int {
	weight := inMap
	for _, f := range findings {
		weight += inFinding + len(f.Key) + len(f.Message)
	}
	return weight
}

func weightOfEntries(_ sum, read rawEntries) int {
	weight := inMap
	for key, entry := range read.entries {
		weight += inMap + len(key) + cap(entry)
	}
	return weight
}

// rawEntries is what [ParseRaw] gives.
type rawEntries struct {
	entries map[string]json.RawMessage
	err     error
}

// remembered gives what is known of a document, or finds it out.
func remembered[V any](known *memo.Of[sum, V], data []byte, find func() V) V {
	if len(data) > longestRemembered {
		return find()
	}
	return known.Get(sumOf(data), find)
}

func sumOf(data []byte) sum { return sha256.Sum256(data) }

package pullsecret

import (
	"encoding/json"
	"maps"
	"time"
)

// compose merges all contributions with what must be kept of the current content. Pods pull with what is there: where there is not room for
// all, the older ones have what nobody has yet, and what is delivered stays.
func compose(contributions []Contribution, exists func(string) bool, current content, left room, now time.Time) composition {
	ordered := byAge(contributions)
	if c := composed(ordered, exists, current, left, now, false); !c.ousted {
		return c
	}
	return composed(ordered, exists, current, left, now, true)
}

// hold reserves room for what is delivered, that of the older ones first: where others took the room, there is not enough for all of it.
func (c *composition) hold(ordered []Contribution, current content) map[string]room {
	held := map[string]room{}
	for _, contribution := range ordered {
		if space := contribution.holds(current); c.room.take(space) {
			held[contribution.Credential] = space
		}
	}
	return held
}

// holds is the room that is held for a contribution until it is its turn, none where nothing of it is delivered.
func (c Contribution) holds(current content) room {
	delivered := current.pick(current.recorded[c.Credential].Keys)
	if len(delivered) == 0 {
		return room{}
	}
	has := current.spaceOf(c.Credential, delivered)
	if c.Config == nil {
		return has
	}
	if needs := c.needs(c.Config.Raw(), current); needs.within(has) {
		return needs // what becomes shorter holds no more, nor does what others wrote into the Secret
	}
	return has // the new value may be refused, and what is there stays then
}

// needs is the room for entries of a contribution, with those that stay beside them, and for its labels and annotations.
func (c Contribution) needs(entries map[string]json.RawMessage, current content) room {
	all := current.pick(c.Keep)
	maps.Copy(all, entries)
	need := spaceFor(c.Credential, Source{Revision: c.Revision, Digest: c.Digest}, all)
	need.annotation += metadataSpace(c.Metadata)
	return need
}

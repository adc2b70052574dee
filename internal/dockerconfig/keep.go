package dockerconfig

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// mostFields is how many fields beside "auths" are kept, in the order of their names. The docker client knows about twenty; each costs
// a look at what it does to a kubelet, and whoever owns the Secret decides how many there are.
const mostFields = 100

// RenderKeeping is [RenderRaw] for a document that is there already: fields beside "auths", such as credHelpers or HttpHeaders, are
// kept, because clients other than a kubelet use them. One that would break a kubelet is left out, and so is all of a document that
// cannot be read. Equal entries and equal fields give equal bytes.
func RenderKeeping(current []byte, entries map[string]json.RawMessage) ([]byte, error) {
	rendered, err := RenderRaw(entries)
	if err != nil {
		return nil, err
	}
	return slices.Concat(bytes.TrimSuffix(rendered, []byte("}")), Kept(current), []byte("}")), nil
}

// Kept is what [RenderKeeping] keeps of a document: fields with their names, each after a comma. It is shared: nobody may change it.
func Kept(current []byte) []byte {
	return remembered(kepts, current, func() []byte { return keptOf(current) })
}

func keptOf(current []byte) []byte {
	document, err := parseDocument(current)
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	for _, name := range document.beside() {
		if WouldBreakPulls(encode(object{name: document[name]})) != nil || (object{name: document[name]}).looksLegacy() {
			continue
		}
		out.WriteByte(',')
		out.Write(encode(name))
		out.WriteByte(':')
		out.Write(document[name])
	}
	return out.Bytes()
}

// beside are the names of fields other than "auths".
func (o object) beside() []string {
	names := slices.DeleteFunc(o.keys(), func(name string) bool { return strings.EqualFold(name, "auths") })
	return names[:min(len(names), mostFields)]
}

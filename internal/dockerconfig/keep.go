package dockerconfig

import (
	"bytes"
	"encoding/json"
	"strings"
)

// RenderKeeping is [RenderRaw] for a document that is there already: fields beside "auths", such as credHelpers or HttpHeaders, are
// kept, because clients other than a kubelet use them. One that would break a kubelet is left out, and so is all of a document that
// cannot be read. Equal entries and equal fields give equal bytes.
func RenderKeeping(current []byte, entries map[string]json.RawMessage) ([]byte, error) {
	rendered, err := RenderRaw(entries)
	document, unreadable := parseDocument(current)
	if err != nil || unreadable != nil {
		return rendered, err
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(rendered, []byte("}")))
	for _, name := range document.keys() {
		if strings.EqualFold(name, "auths") || WouldBreakPulls(encode(object{name: document[name]})) != nil || (object{name: document[name]}).looksLegacy() {
			continue
		}
		out.WriteByte(',')
		out.Write(encode(name))
		out.WriteByte(':')
		out.Write(document[name])
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

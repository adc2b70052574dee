package dockerconfig

import (
	"bytes"
	"encoding/json"
	"errors"
)

// ParseRaw returns the entries of a docker config with their values untouched, byte for byte, so that entries of
// others can be kept whatever is in them. A document without "auths" has no entries. The document as a whole must
// be well-formed, the entries need not. What it gives is shared: nobody may change it.
func ParseRaw(data []byte) (map[string]json.RawMessage, error) {
	read := remembered(raws, data, func() rawEntries {
		entries, err := parseRaw(data)
		return rawEntries{entries, err}
	})
	return read.entries, read.err
}

func parseRaw(data []byte) (map[string]json.RawMessage, error) {
	document, err := parseDocument(data)
	if err != nil {
		return nil, err
	}
	entries, err := document.auths()
	if errors.Is(err, ErrNoAuths) {
		return map[string]json.RawMessage{}, nil
	}
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// RenderRaw writes a docker config with these entries: sorted by key, the values as they are. Equal entries give
// equal bytes. The error names the key of a value that is not valid JSON.
func RenderRaw(entries map[string]json.RawMessage) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(`{"auths":{`)
	for i, key := range object(entries).keys() {
		if !json.Valid(entries[key]) {
			return nil, &EntryError{Key: key, Err: ErrInvalidJSON}
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(encode(key))
		out.WriteByte(':')
		out.Write(entries[key])
	}
	out.WriteString(`}}`)
	return out.Bytes(), nil
}

// FromDockercfg puts the flat content of a kubernetes.io/dockercfg Secret into the form of a docker config, so that
// the functions of this package can look at it. What is not valid JSON stays as it is.
func FromDockercfg(data []byte) []byte {
	if !json.Valid(data) {
		return data
	}
	return append(append([]byte(`{"auths":`), data...), '}')
}

// encode writes JSON without the escapes that are meant for HTML pages.
func encode(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("dockerconfig: encoding strings cannot fail: " + err.Error())
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

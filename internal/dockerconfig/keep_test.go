package dockerconfig

import (
	"encoding/json"
	"testing"
)

func TestFieldsThatOthersUseAreKept(t *testing.T) {
	entries := map[string]json.RawMessage{"a": json.RawMessage(`{}`)}
	for _, test := range []struct{ name, current, want string }{
		{"nothing is there", ``, `{"auths":{"a":{}}}`},
		{"entries alone", `{"auths":{"b":{}}}`, `{"auths":{"a":{}}}`},
		{"helpers and headers", `{"credHelpers":{"gcr.io":"gcloud"},"auths":{},"HttpHeaders":{"x":"y"},"other":[1]}`,
			`{"auths":{"a":{}},"HttpHeaders":{"x":"y"},"credHelpers":{"gcr.io":"gcloud"},"other":[1]}`},
		{"headers that break a kubelet", `{"HttpHeaders":{"x":1},"credsStore":"desktop"}`, `{"auths":{"a":{}},"credsStore":"desktop"}`},
		{"entries under another spelling", `{"Auths":{"b":{}}}`, `{"auths":{"a":{}}}`},
		{"an entry at the top, where no kubelet reads it", `{"b":{"auth":"YTox"},"x":1}`, `{"auths":{"a":{}},"x":1}`},
		{"what cannot be read", `{`, `{"auths":{"a":{}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := RenderKeeping([]byte(test.current), entries)
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
			if again, err := RenderKeeping(got, entries); err != nil || string(again) != string(got) {
				t.Errorf("the second time it is %s, %v", again, err)
			}
		})
	}
}

func FuzzRenderKeeping(f *testing.F) {
	for _, seed := range []string{``, `{"credsStore":"x","auths":{}}`, `{"HttpHeaders":1}`, `{"httpheaders":{"a":null},"HttpHeaders":{"a":1}}`, `{"authſ":1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, current string) {
		got, err := RenderKeeping([]byte(current), map[string]json.RawMessage{"a": json.RawMessage(`{"auth":"YTox"}`)})
		if err != nil || WouldBreakPulls(got) != nil {
			t.Fatalf("%s: %v, %v", got, err, WouldBreakPulls(got))
		}
		if entries, err := ParseRaw(got); err != nil || len(entries) != 1 {
			t.Errorf("%s: %v, %v", got, entries, err)
		}
	})
}

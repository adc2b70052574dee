package verify

import (
	"net/http"
	"net/url"
	"testing"
)

func TestWhatIsOneOrigin(t *testing.T) {
	for _, test := range []struct {
		one, other string
		want       bool
	}{
		{"https://r.example/v2/", "https://r.example:443/other", true},
		{"http://r.example/", "http://R.example:80/", true},
		{"https://r.example/", "http://r.example/", false},
		{"https://r.example/", "https://r.example:80/", false},
		{"https://r.example:5000/", "https://r.example/", false},
		{"https://r.example:5000/", "https://r.example:5000/x", true},
		{"https://r.example/", "https://s.example/", false},
	} {
		one, err := url.Parse(test.one)
		if err != nil {
			t.Fatal(err)
		}
		other, err := url.Parse(test.other)
		if err != nil {
			t.Fatal(err)
		}
		if sameOrigin(one, other) != test.want || sameOrigin(other, one) != test.want {
			t.Errorf("%s and %s: not %t", test.one, test.other, test.want)
		}
	}
}

// closing notes that it was closed, and that it was read.
type closing struct{ closed, read bool }

func (c *closing) Read([]byte) (int, error) { c.read = true; return 0, http.ErrBodyReadAfterClose }
func (c *closing) Close() error             { c.closed = true; return nil }

// A credential is sent over plain http to nobody who is not listed.
func TestWhatIsNotSentIsClosedUnread(t *testing.T) {
	body := &closing{}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://r.example/token", body)
	if err != nil {
		t.Fatal(err)
	}
	transport := newBoundedTransport(New(Options{}).options, nil, &route{})
	response, err := transport.RoundTrip(request)
	if response != nil {
		_ = response.Body.Close()
	}
	if err == nil || !body.closed || body.read {
		t.Errorf("%v, closed %t, read %t", err, body.closed, body.read)
	}
}

package bench

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// What is in a cluster with a background, besides what is measured.
const (
	foreignSecrets = 100_000
	foreignPods    = 20_000
)

// size is one case that is measured.
type size struct {
	namespaces int
	// credentials are the RegistryCredentials that rotate at once, all in one Secret of each namespace.
	credentials int
	// background says that there are many Secrets and running Pods that are none of the operator's business.
	background bool
}

// sizeOf reads "5000", "2000x50" (with 50 RegistryCredentials) or "5000+" (with the background).
func sizeOf(text string) (size, error) {
	s := size{credentials: 1}
	rest, background := strings.CutSuffix(text, "+")
	namespaces, credentials, several := strings.Cut(rest, "x")
	s.background = background
	var err error
	if s.namespaces, err = strconv.Atoi(namespaces); err != nil || s.namespaces < 1 {
		return size{}, fmt.Errorf("%q is no size: want a number of namespaces, such as 5000, 2000x50 or 5000+", text)
	}
	if !several {
		return s, nil
	}
	if s.credentials, err = strconv.Atoi(credentials); err != nil || s.credentials < 1 {
		return size{}, fmt.Errorf("%q is no size: want a number of RegistryCredentials after the x", text)
	}
	return s, nil
}

// String is what the column is called.
func (s size) String() string {
	text := fmt.Sprint(s.namespaces)
	if s.credentials > 1 {
		text += fmt.Sprintf("x%d", s.credentials)
	}
	if s.background {
		text += "+"
	}
	return text
}

// plain reports whether the case is of those that differ by the number of namespaces alone.
func (s size) plain() bool { return s.credentials == 1 && !s.background }

func TestSizesAreRead(t *testing.T) {
	for text, want := range map[string]size{
		"500":      {namespaces: 500, credentials: 1},
		"2000x50":  {namespaces: 2000, credentials: 50},
		"5000+":    {namespaces: 5000, credentials: 1, background: true},
		"2000x50+": {namespaces: 2000, credentials: 50, background: true},
	} {
		got, err := sizeOf(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q is %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "x50", "0", "5000x", "5000x0", "5000++", "many"} {
		if got, err := sizeOf(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

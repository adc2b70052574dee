package payload

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// A manifest is read up to the size that is the bound, and not beyond.
func TestHowLongYAMLMayBe(t *testing.T) {
	manifest := "auths:\n  registry.example: {username: u, password: p}\n#"
	for name, test := range map[string]struct {
		size int
		is   bool
	}{"the longest": {longestYAML, true}, "one byte more": {longestYAML + 1, false}} {
		if _, is := unwrapYAML(manifest+strings.Repeat("-", test.size-len(manifest)), deepest); is != test.is {
			t.Errorf("%s: read is %t", name, is)
		}
	}
}

func TestAnErrorWithoutACauseHasItsReasonAlone(t *testing.T) {
	cause := errors.New("because")
	for name, test := range map[string]struct {
		err  *Error
		want int
	}{"without a cause": {&Error{Reason: ErrMalformed}, 1}, "with a cause": {&Error{Reason: ErrMalformed, Cause: cause}, 2}} {
		if got := test.err.Unwrap(); len(got) != test.want || !errors.Is(got[0], ErrMalformed) || test.err.Cause != nil && !errors.Is(got[1], cause) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A token that says two ends, of which one is none, says no end.
func TestATokenWhoseClaimsCannotBeReadHasNoEnd(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for claims, want := range map[string]time.Time{
		`{"exp":1893456000}`:          time.Unix(1893456000, 0),
		`{"exp":1893456000,"exp":[]}`: {},
		`{"exp":1893456000`:           {},
	} {
		if got := endOfToken(part(`{"alg":"RS256"}`) + "." + part(claims) + ".c"); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}

// The old form of a docker config is read as it was written, so that a registry that is there twice is noticed as in the new one.
func TestARegistryThatIsTwiceInTheOldFormIsNoticed(t *testing.T) {
	_, err := Render(Fields{"config": `{"registry.example":{"auth":"YTox"},"registry.example":{"auth":"YToy"}}`}, wants(Keys{DockerConfig: "config"}, ""))
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
}

// Names that others wrote are shown in quotes.
func TestHowTwoEntriesOfOneRegistryAreNamed(t *testing.T) {
	_, err := Render(Fields{"config": `{"auths":{"registry.example":{"auth":"YTox"},"https://registry.example":{"auth":"YToy"}}}`}, wants(Keys{DockerConfig: "config"}, ""))
	if err == nil || !strings.Contains(err.Error(), `"registry.example"`) || !strings.Contains(err.Error(), `"https://registry.example"`) {
		t.Error(err)
	}
}

func TestWhiteSpaceIsNoUserName(t *testing.T) {
	for text, want := range map[string]bool{"u:password": true, "\tu:password": true, "\t:password": false, "u:\t": false} {
		if got := strings.Contains(describeLogin(text), "seems to be username:password"); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// What is wrong with a key is told of the key that is published under another spelling, not of one that only covers the registry.
func TestAKeyThatCoversTheRegistryIsNotToldOfAsItsSpelling(t *testing.T) {
	for key, told := range map[string]bool{"registry.example/v2": true, "regi**ry.example": false} {
		got, err := Render(Fields{"config": `{"auths":{"` + key + `":{"username":"u","password":"p"}}}`}, wants(Keys{DockerConfig: "config"}, ""))
		if err != nil || plain(got.Config)["registry.example"] != "u:p" || (len(got.Findings) > 0) != told {
			t.Errorf("%s: %v, %v, %v", key, plain(got.Config), got.Findings, err)
		}
	}
}

// The longest password that is looked at has 64 KiB.
func TestTheEndOfALongPasswordIsRead(t *testing.T) {
	part := base64.RawURLEncoding.EncodeToString
	short := part([]byte(`{"alg":"RS256"}`)) + "." + part([]byte(`{"exp":1893456000}`)) + "."
	for size, want := range map[int]time.Time{64 << 10: time.Unix(1893456000, 0), 64<<10 + 1: {}} {
		if got := EndOfPassword(short + strings.Repeat("x", size-len(short))); !got.Equal(want) {
			t.Errorf("of %d bytes: %s, want %s", size, got, want)
		}
	}
}

// What a key of a cloud would be as text, and is none, stays as it was stored.
func TestAKeyInBase64ThatIsNoTextStaysAsItIs(t *testing.T) {
	stored := base64Of("{\"a\":\"\xff\"}")
	got, err := Render(Fields{"username": googleKey, "password": stored}, wants(Keys{}, ""))
	if err != nil || plain(got.Config)["registry.example"] != googleKey+":"+stored {
		t.Errorf("%v, %v", plain(got.Config), err)
	}
}

func TestAFaultIsOneWhereverEntriesArePublished(t *testing.T) {
	for _, perHost := range []bool{false, true} {
		want := wants(Keys{}, "")
		want.PerHost = perHost
		if got, err := Render(Fields{"username": "u"}, want); !errors.Is(err, ErrKeyMissing) {
			t.Errorf("under the hosts %t: %v, %v", perHost, plain(got.Config), err)
		}
	}
}

// Decoded YAML takes many times the memory of its text: it is read where a docker config may be in it, and nowhere else.
func TestWhatMayBeYAMLWithADockerConfig(t *testing.T) {
	for text, want := range map[string]bool{
		"auths:\n  registry.example: {}": true, "username: u\npassword: p": true, ".dockerconfigjson: e30=": true,
		"the password: hunter2": false, "a text\nof two lines": false,
	} {
		if got := isYAML(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// The base64 of a list in YAML has five wrappings, which are as many as are taken off.
func TestHowManyWrappingsOfAListInYAMLAreTakenOff(t *testing.T) {
	list := "items:\n- data:\n    .dockerconfigjson: " + base64Of(config) + "\n"
	for text, want := range map[string]bool{list: true, base64Of(list): true, base64Of(base64Of(list)): false} {
		if _, is := dockerConfigIn(text); is != want {
			t.Errorf("%s: %t", text, is)
		}
	}
}

package vault

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhichNamespaceATokenIsOf(t *testing.T) {
	for _, test := range []struct {
		path   any
		wanted string
		want   bool
	}{
		{"platform/team/", "platform/team", true}, {"platform/team/", "/platform/team/", true}, {"", "root", true}, {nil, "root", true},
		{"other/", "root", false}, {"other/", "platform/team", false}, {"", "platform/team", false}, {nil, "platform/team", false}, {7, "platform/team", false},
	} {
		if got := inNamespace(test.path, test.wanted); got != test.want {
			t.Errorf("%v for %q: %t", test.path, test.wanted, got)
		}
	}
}

// A member of spec.auth is a method, and each method is that of one member.
func TestEachMemberOfTheSpecIsOneMethodOfLogin(t *testing.T) {
	auth := reflect.TypeFor[v1alpha1.VaultAuth]()
	for i := range auth.NumField() {
		name, _, _ := strings.Cut(auth.Field(i).Tag.Get("json"), ",")
		var given v1alpha1.VaultAuth
		reflect.ValueOf(&given).Elem().Field(i).Set(reflect.New(auth.Field(i).Type.Elem()))
		var chosen []string
		for _, one := range methods() {
			if one.chosen(given) {
				chosen = append(chosen, one.name)
			}
		}
		if len(chosen) != 1 || !strings.EqualFold(chosen[0], name) || methodOf(given) != chosen[0] {
			t.Errorf("of %s the methods are %q, and %q is told", name, chosen, methodOf(given))
		}
	}
}

func TestHowSoonASocketIsOpenedAgain(t *testing.T) {
	within := func(got, longest time.Duration) bool { return got > longest/2-time.Millisecond && got <= longest }
	for _, test := range []struct {
		name string
		up   time.Duration
		told bool
		want time.Duration
	}{
		{"it told something", 0, true, firstReconnect},
		{"it was up for long", lasting, false, firstReconnect},
		{"it was up for a moment and told nothing", lasting - 1, false, firstReconnect << 3},
	} {
		b := backOff{failures: 3}
		if got := b.ended(test.up, test.told); !within(got, test.want) {
			t.Errorf("%s: after %s, want about %s", test.name, got, test.want)
		}
	}
	b := backOff{failures: 100}
	if got := b.ended(0, false); !within(got, lastReconnect) {
		t.Errorf("after a hundred failures: %s", got)
	}
}

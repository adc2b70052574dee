package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheVersionIsPrinted(t *testing.T) {
	for _, arguments := range [][]string{{"--version"}, {"version"}} {
		t.Run(arguments[0], func(t *testing.T) {
			var out bytes.Buffer
			command := newCommand()
			command.SetOut(&out)
			command.SetArgs(arguments)
			if err := command.Execute(); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(out.String(), "regcred ") || strings.Count(out.String(), "\n") != 1 {
				t.Errorf("got %q", out.String())
			}
		})
	}
}

func TestTheFlagsThatWereSetAreLoggedWithoutLogins(t *testing.T) {
	command := newCommand()
	if err := command.ParseFlags([]string{"--registry-proxy=r.io=http://user:canary@proxy:3128", "--secret-names=regcred,pull"}); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(given(command.Flags()), " ")
	if strings.Contains(said, "canary") || !strings.Contains(said, "//[redacted]@proxy:3128") || !strings.Contains(said, "--secret-names=[regcred,pull]") || strings.Contains(said, "log-level") {
		t.Errorf("said %s", said)
	}
}

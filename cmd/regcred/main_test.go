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

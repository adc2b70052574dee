package main

import (
	"strings"
	"testing"
)

// To the API server an empty name is all namespaces: what tenants call regcred would be taken for the operator.
func TestTheOperatorRunsInOneNamespace(t *testing.T) {
	commands := 0
	for _, command := range newCommand().Commands() {
		flag := command.Flags().Lookup("operator-namespace")
		if flag == nil {
			continue
		}
		commands++
		if flag.DefValue != "regcred-system" || !strings.Contains(command.Flags().FlagUsages(), `the namespace in which the operator runs (default "regcred-system")`) {
			t.Errorf("%s: the help is %s", command.Name(), command.Flags().FlagUsages())
		}
		for name, taken := range map[string]bool{"": false, "a/b": false, "..": false, "A": false, "a.b": false, strings.Repeat("a", 64): false, "platform": true} {
			err := command.Flags().Set("operator-namespace", name)
			if (err == nil) != taken || taken && flag.Value.String() != name {
				t.Errorf("%s --operator-namespace %q: %v", command.Name(), name, err)
			}
		}
	}
	if commands < 6 {
		t.Errorf("%d commands have the flag", commands)
	}
}

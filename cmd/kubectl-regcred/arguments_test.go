package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWhoCallsACommandWronglyIsToldHowItIsCalled(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"refresh of nothing", "refresh", "name a RegistryCredential, which kubectl regcred status lists: kubectl regcred refresh NAME"},
		{"verify of nothing", "verify", "name a RegistryCredential, which kubectl regcred status lists: kubectl regcred verify NAME"},
		{"adopt of nothing", "adopt", "name the registry, as host[:port][/path]: kubectl regcred adopt REGISTRY"},
		{"refresh of two", "refresh one two", `"two" is one argument too many: kubectl regcred refresh NAME`},
		{"status of two", "status one two", `"two" is one argument too many: kubectl regcred status [NAME]`},
		{"doctor of something", "doctor one", `"one" is one argument too many: kubectl regcred doctor`},
		{"audit of something", "audit one", `"one" is one argument too many: kubectl regcred audit`},
		{"plan without -f", "plan file.yaml", `"file.yaml" is one argument too many: kubectl regcred plan -f FILE`},
		{"version of something", "version one", `"one" is one argument too many: kubectl regcred version`},
		{"explain of three", "explain pod one two", `"two" is one argument too many: kubectl regcred explain`},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := newCommand()
			command.SetArgs(strings.Fields(test.line))
			command.SetOut(io.Discard)
			command.SetErr(io.Discard)
			if err := command.Execute(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestNoFileIsOfferedWhereNoneIsMeant(t *testing.T) {
	a := (&apiServer{}).start(t)
	for _, test := range []struct {
		command *cobra.Command
		args    []string
		want    string
	}{
		{newExplain(a), nil, "pod pods deployment statefulset daemonset replicaset job"},
		{newExplain(a), []string{"pod"}, ""},
		{newAdopt(a), nil, ""},
	} {
		if offered, directive := test.command.ValidArgsFunction(test.command, test.args, ""); directive != cobra.ShellCompDirectiveNoFileComp || strings.Join(offered, " ") != test.want {
			t.Errorf("%s %q: %q, %d", test.command.Name(), test.args, offered, directive)
		}
	}
}

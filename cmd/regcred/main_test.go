package main

import (
	"bytes"
	"os"
	"os/exec"
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

// asProgram has the test's own binary run as the operator, with these arguments.
const asProgram = "REGCRED_TEST_ARGUMENTS"

func TestAWrongFlagIsSaidBeforeTheProgramEnds(t *testing.T) {
	if arguments, is := os.LookupEnv(asProgram); is {
		os.Args = append([]string{"regcred"}, strings.Fields(arguments)...)
		main()
	}
	for _, test := range []struct{ name, arguments, says string }{
		{"a flag that is not there", "--secret-name=x", "unknown flag: --secret-name"},
		{"a kind without its group", "--recovery-owner-kinds=StrimziPodSet", "recovery-owner-kinds"},
		{"a kind of Kubernetes itself", "--recovery-owner-kinds=batch/Job", "recovery-owner-kinds"},
		{"an argument that is no flag", "start", "unknown command"},
		{"a level of the log that is not there", "--log-level=loud", "loud"},
	} {
		t.Run(test.name, func(t *testing.T) {
			program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
			program.Env = append(os.Environ(), asProgram+"="+test.arguments)
			said, err := program.CombinedOutput()
			if err == nil || !strings.Contains(string(said), "regcred stopped") || !strings.Contains(string(said), test.says) {
				t.Errorf("it ended with %v and said %q, want %q", err, said, test.says)
			}
		})
	}
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// takes has a command called with so many arguments, and says otherwise how it is called. missing says what to name, where there are fewer.
func takes(least, most int, missing string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s: kubectl regcred %s", missing, command.Use)
		case len(args) > most:
			return fmt.Errorf("%q is one argument too many: kubectl regcred %s", args[most], command.Use)
		}
		return nil
	}
}

// takesName is for commands about one RegistryCredential.
func takesName() cobra.PositionalArgs {
	return takes(1, 1, "name a RegistryCredential, which kubectl regcred status lists")
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
)

// asVaultCommand in the environment makes this test's program the command vault, as far as the documentation uses it: the real
// one comes with all of Vault.
const asVaultCommand = "REGCRED_TEST_IS_VAULT_COMMAND"

func init() {
	if os.Getenv(asVaultCommand) == "" {
		return
	}
	if err := vaultCommand(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func vaultCommand(arguments []string) error {
	server, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return err
	}
	flags, words := map[string]string{}, []string{}
	for _, argument := range arguments {
		if name, value, _ := strings.Cut(argument, "="); strings.HasPrefix(name, "-") && name != "-" {
			flags[strings.TrimLeft(name, "-")] = value
		} else {
			words = append(words, argument)
		}
	}
	switch command := strings.Join(words[:min(2, len(words))], " "); {
	case command == "policy write" && len(words) == 4 && words[3] == "-":
		rules, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		return server.Sys().PutPolicy(words[2], string(rules))
	case command == "auth enable" && len(words) == 3:
		return server.Sys().EnableAuthWithOptions(words[2], &api.EnableAuthOptions{Type: words[2]})
	case command == "kv put" && len(words) > 3:
		data, err := vaultArguments(words[3:])
		if err != nil {
			return err
		}
		_, err = server.KVv2(flags["mount"]).Put(context.Background(), words[2], data)
		return err
	case command == "token create":
		_, orphan := flags["orphan"]
		if !orphan {
			return errors.New("the token would end with the login that creates it: the documentation must write -orphan")
		}
		secret, err := server.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{flags["policy"]}, Period: flags["period"], NoParent: orphan})
		if err != nil {
			return err
		}
		return printField(flags, map[string]any{"token": secret.Auth.ClientToken})
	case len(words) > 1 && words[0] == "read":
		return vaultAnswer(flags)(server.Logical().Read(words[1]))
	case len(words) > 1 && words[0] == "write":
		data, err := vaultArguments(words[2:])
		if err != nil {
			return err
		}
		return vaultAnswer(flags)(server.Logical().Write(words[1], data))
	}
	return errors.New("the documentation uses a command that this test does not know: " + strings.Join(arguments, " "))
}

// vaultArguments reads key=value, where the value @FILE stands for a file's content and - for standard input.
func vaultArguments(pairs []string) (map[string]any, error) {
	data := map[string]any{}
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("%q is not key=value", pair)
		}
		if file, named := strings.CutPrefix(value, "@"); named {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			value = string(content)
		}
		if value == "-" {
			content, err := io.ReadAll(os.Stdin)
			if err != nil {
				return nil, err
			}
			value = string(content)
		}
		data[key] = value
	}
	return data, nil
}

func vaultAnswer(flags map[string]string) func(*api.Secret, error) error {
	return func(secret *api.Secret, err error) error {
		if err != nil || secret == nil {
			return err
		}
		return printField(flags, secret.Data)
	}
}

func printField(flags map[string]string, data map[string]any) error {
	if flags["field"] != "" {
		fmt.Println(data[flags["field"]])
	}
	return nil
}

// Package charttest tests charts/regcred: that it renders the same objects as config/, and that wrong values are refused.
package charttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	chart  = "../../../charts/regcred"
	config = "../../../config"
)

// helm is the program that hack/tools/helm pins, which takes minutes to build once, or the one that HELM names.
var helm = sync.OnceValues(func() (string, error) {
	if program := os.Getenv("HELM"); program != "" {
		return program, nil
	}
	command := exec.Command("go", "-C", "../../tools/helm", "tool", "-n", "helm")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	command.Stderr = os.Stderr
	output, err := command.Output()
	return strings.TrimSpace(string(output)), err
})

// template renders the chart as `helm install` would, with the values given as YAML. A repository of the image is always set.
func template(t *testing.T, values string, arguments ...string) (string, error) {
	t.Helper()
	return templateOf(t, chart, values, arguments...)
}

func templateOf(t *testing.T, folder, values string, arguments ...string) (string, error) {
	t.Helper()
	program, err := helm()
	if err != nil {
		t.Fatal(err)
	}
	arguments = append([]string{"template", folder, "--name-template", "regcred", "--namespace", "regcred-system", "--values", "-"}, arguments...)
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Stdin = strings.NewReader(values)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, complaints.String())
	}
	return out.String(), nil
}

func mustTemplate(t *testing.T, values string, arguments ...string) objects {
	t.Helper()
	text, err := template(t, values, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, []byte(text))
}

// object of Kubernetes, as YAML has it.
type object = map[string]any

// objects by kind, namespace and name.
type objects map[string]object

func parse(t *testing.T, text []byte) objects {
	t.Helper()
	found := objects{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o) == 0 {
			continue
		}
		key := fmt.Sprint(o["kind"], " ", at(o, "metadata", "namespace"), "/", at(o, "metadata", "name"))
		if _, twice := found[key]; twice {
			t.Fatalf("%s is rendered twice", key)
		}
		found[key] = o
	}
}

// at follows keys into an object. It gives nil where one is not there.
func at(value any, keys ...string) any {
	for _, key := range keys {
		m, ok := value.(object)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

// setJSON gives arguments for values, so that they are merged with others.
func setJSON(t *testing.T, values string) []string {
	t.Helper()
	var tree object
	if err := yaml.Unmarshal([]byte(values), &tree); err != nil {
		t.Fatal(err)
	}
	var arguments []string
	for key, below := range tree {
		text, err := json.Marshal(below)
		if err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, "--set-json", key+"="+string(text))
	}
	return arguments
}

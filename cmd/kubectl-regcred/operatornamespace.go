package main

import (
	"errors"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/validate/content"
)

// namespaceFlag is a flag with the name of a namespace. To the API server an empty one is all of them.
type namespaceFlag struct{ name *string }

// operatorNamespace adds the flag that says where the operator runs.
func operatorNamespace(flags *pflag.FlagSet, name *string) {
	*name = "regcred-system"
	flags.Var(namespaceFlag{name}, "operator-namespace", "the namespace in which the operator runs")
}

// String implements [pflag.Value].
func (n namespaceFlag) String() string {
	if n.name == nil {
		return ""
	}
	return *n.name
}

// Set implements [pflag.Value].
func (n namespaceFlag) Set(name string) error {
	if len(content.IsDNS1123Label(name)) > 0 {
		return errors.New("this is no name of a namespace")
	}
	*n.name = name
	return nil
}

// Type implements [pflag.Value].
func (namespaceFlag) Type() string { return "string" }

package main

import (
	"strings"

	"regcred.dev/regcred/internal/diagnosis"
)

// ownerKinds are the value of a flag: kinds as group/Kind, separated by commas. A wrong one is refused before anything starts.
type ownerKinds diagnosis.OwnerKinds

// Set adds kinds. An empty value adds none: manifests set the flag from a limit that may be empty.
func (k *ownerKinds) Set(text string) error {
	if text == "" {
		return nil
	}
	kinds, err := diagnosis.ParseOwnerKinds(strings.Split(text, ","))
	if err == nil {
		*k = append(*k, kinds...)
	}
	return err
}

func (k *ownerKinds) String() string {
	var texts []string
	for _, kind := range *k {
		texts = append(texts, kind.Group+"/"+kind.Kind)
	}
	return strings.Join(texts, ",")
}

// Type is what --help shows for a value.
func (*ownerKinds) Type() string { return "group/Kind,..." }

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/util/yaml"
	strictyaml "sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

// credentialsIn parses the RegistryCredentials among the documents of a text.
func credentialsIn(text []byte) ([]*v1alpha1.RegistryCredential, error) {
	var objects []*v1alpha1.RegistryCredential
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		found, err := credentialsOf(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		objects = append(objects, found...)
	}
}

// credentialsOf are the RegistryCredentials in one document: itself, or those of a list, as kubectl applies them, too.
func credentialsOf(document []byte) ([]*v1alpha1.RegistryCredential, error) {
	var kind struct {
		APIVersion, Kind string
	}
	switch err := strictyaml.Unmarshal(document, &kind); {
	case err != nil:
		return nil, err
	case kind.Kind == "List" || kind.Kind == "RegistryCredentialList":
		return credentialsInList(document)
	case kind.Kind != "RegistryCredential" || kind.APIVersion != v1alpha1.GroupVersion.String():
		return nil, nil
	}
	object := &v1alpha1.RegistryCredential{}
	if err := strictyaml.UnmarshalStrict(document, object); err != nil {
		return nil, err
	}
	if object.Name == "" {
		return nil, errors.New("metadata.name is missing")
	}
	return []*v1alpha1.RegistryCredential{object}, nil
}

func credentialsInList(document []byte) ([]*v1alpha1.RegistryCredential, error) {
	var list struct{ Items []json.RawMessage }
	if err := strictyaml.Unmarshal(document, &list); err != nil {
		return nil, err
	}
	var objects []*v1alpha1.RegistryCredential
	for i, item := range list.Items {
		found, err := credentialsOf(item)
		if err != nil {
			return nil, fmt.Errorf("item %d of the list: %w", i+1, err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf16"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	strictyaml "sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
)

// credentialsIn parses the RegistryCredentials among the documents of a text.
func credentialsIn(text []byte) ([]*v1alpha1.RegistryCredential, error) {
	var objects []*v1alpha1.RegistryCredential
	text, err := asUTF8(text)
	if err != nil {
		return nil, err
	}
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

// asUTF8 is a text without its mark of the order of bytes. With that of UTF-16 it is written by a shell of Windows, and what separates documents
// would not be seen.
func asUTF8(text []byte) ([]byte, error) {
	for mark, order := range map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian} {
		rest, marked := bytes.CutPrefix(text, []byte(mark))
		if !marked {
			continue
		}
		if len(rest)%2 != 0 {
			return nil, errors.New("it ends within a character of UTF-16")
		}
		units := make([]uint16, len(rest)/2)
		for i := range units {
			units[i] = order.Uint16(rest[2*i:])
		}
		return []byte(string(utf16.Decode(units))), nil
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), nil
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
	case kind.Kind != "RegistryCredential", isOthers(kind.APIVersion):
		return nil, nil
	case kind.APIVersion != v1alpha1.GroupVersion.String():
		return nil, fmt.Errorf("a RegistryCredential with apiVersion %q, where this version of the plugin knows %s", kind.APIVersion, v1alpha1.GroupVersion)
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

// isOthers reports whether a kind of ours is that of another group.
func isOthers(apiVersion string) bool {
	version, err := schema.ParseGroupVersion(apiVersion)
	return err == nil && apiVersion != "" && version.Group != v1alpha1.GroupVersion.Group
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

// maxManifest is the largest file that is read, in bytes.
const maxManifest = 16 << 20

// readAllOf takes the RegistryCredentials out of files.
func readAllOf(ctx context.Context, in io.Reader, names []string) ([]*v1alpha1.RegistryCredential, error) {
	var objects []*v1alpha1.RegistryCredential
	for _, name := range names {
		found, err := read(ctx, in, name)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// read takes the RegistryCredentials out of a file. Objects of other kinds are passed over.
func read(ctx context.Context, in io.Reader, name string) ([]*v1alpha1.RegistryCredential, error) {
	text, err := textOf(ctx, in, name)
	if err != nil {
		return nil, err
	}
	if len(text) > maxManifest {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxManifest)
	}
	objects, err := credentialsIn(text)
	if err == nil && len(objects) == 0 {
		err = errors.New("there is no RegistryCredential in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return objects, nil
}

// textOf is what is in a file. Whoever interrupts is not kept waiting for a terminal or a pipe that gives nothing: such a read cannot be ended.
func textOf(ctx context.Context, in io.Reader, name string) ([]byte, error) {
	var text []byte
	read := make(chan error, 1)
	go func() {
		var err error
		text, err = readAll(in, name)
		read <- err
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case err := <-read:
		return text, err
	}
}

func readAll(in io.Reader, name string) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, maxManifest+1))
}

package manifests

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// config is the folder of the manifests, seen from this package.
const config = "../../../../config"

// schemas are the schemas of all CRDs, by kind and version.
func schemas(t *testing.T) map[string]*apiextensions.JSONSchemaProps {
	t.Helper()
	found := map[string]*apiextensions.JSONSchemaProps{}
	for _, document := range documents(t, "crd", "CustomResourceDefinition") {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(document, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			schema := &apiextensions.JSONSchemaProps{}
			if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, schema, nil); err != nil {
				t.Fatal(err)
			}
			found[crd.Spec.Names.Kind+" "+version.Name] = schema
		}
	}
	if len(found) == 0 {
		t.Fatal("config/crd has no CustomResourceDefinition")
	}
	return found
}

// policies are all admission policies.
func policies(t *testing.T) []admissionv1.ValidatingAdmissionPolicy {
	t.Helper()
	var found []admissionv1.ValidatingAdmissionPolicy
	for _, document := range documents(t, "admission", "ValidatingAdmissionPolicy") {
		var policy admissionv1.ValidatingAdmissionPolicy
		if err := yaml.UnmarshalStrict(document, &policy); err != nil {
			t.Fatal(err)
		}
		found = append(found, policy)
	}
	if len(found) == 0 {
		t.Fatal("config/admission has no ValidatingAdmissionPolicy")
	}
	return found
}

// documents are the documents of this kind in the files of a folder and of the folders in it.
func documents(t *testing.T, folder, kind string) [][]byte {
	t.Helper()
	var found [][]byte
	err := filepath.WalkDir(filepath.Join(config, folder), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content))); ; {
			document := make([]byte, len(content))
			n, err := reader.Read(document)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			var meta struct {
				Kind string `json:"kind"`
			}
			if err := yaml.Unmarshal(document[:n], &meta); err != nil {
				return err
			}
			if meta.Kind == kind {
				found = append(found, document[:n])
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

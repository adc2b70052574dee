package manifests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
)

// boundedByRules are fields whose type is Kubernetes' own and has no bounds. Rules at the field bound how many there are, and an
// object of the API server is never larger than its request limit, 3 MiB. What the operator copies from there is bounded with it.
var boundedByRules = []string{
	"RegistryCredential v1alpha1.spec.target.namespaceSelector.",
	"InjectionIndex v1alpha1.spec.secrets[].selectors[].expressions[].",
	"InjectionIndex v1alpha1.spec.secrets[].selectors[].labels{}",
}

func TestEveryFieldOfASpecIsBounded(t *testing.T) {
	for kind, schema := range schemas(t) {
		spec := schema.Properties["spec"]
		eachField(kind+".spec", &spec, func(path string, field *apiextensions.JSONSchemaProps) {
			if slices.ContainsFunc(boundedByRules, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
				return
			}
			if lacks := missingBound(field); lacks != "" {
				t.Errorf("%s has no %s", path, lacks)
			}
		})
	}
}

// missingBound is the keyword without which the field may be of any size, or empty.
func missingBound(field *apiextensions.JSONSchemaProps) string {
	switch {
	case field.Type == "string" && field.MaxLength == nil && len(field.Enum) == 0:
		return "maxLength"
	case field.Type == "array" && field.MaxItems == nil:
		return "maxItems"
	case field.Type == "object" && field.AdditionalProperties != nil && field.MaxProperties == nil:
		return "maxProperties"
	case field.Type == "integer" && (field.Minimum == nil || field.Maximum == nil):
		return "minimum and maximum"
	}
	return ""
}

// TestNoEnumIsAnotherTypeInYAML keeps words out of enums that a reader of YAML 1.1 takes for a boolean or null, https://yaml.org/type/bool.html:
// `mode: Off` reaches the API server as false.
func TestNoEnumIsAnotherTypeInYAML(t *testing.T) {
	words := []string{"y", "yes", "n", "no", "true", "false", "on", "off", "null", "~", ""}
	enums := 0
	for kind, schema := range schemas(t) {
		spec := schema.Properties["spec"]
		eachField(kind+".spec", &spec, func(path string, field *apiextensions.JSONSchemaProps) {
			for _, value := range field.Enum {
				enums++
				var text string
				if raw, err := json.Marshal(value); err != nil || json.Unmarshal(raw, &text) != nil || slices.Contains(words, strings.ToLower(text)) {
					t.Errorf("%s may be %q, which YAML 1.1 reads as something else", path, text)
				}
			}
		})
	}
	if enums == 0 {
		t.Error("no enum was found")
	}
}

// eachField calls do for a field and for all that is in it.
func eachField(path string, field *apiextensions.JSONSchemaProps, do func(path string, field *apiextensions.JSONSchemaProps)) {
	do(path, field)
	for name, property := range field.Properties {
		eachField(path+"."+name, &property, do)
	}
	if field.Items != nil && field.Items.Schema != nil {
		eachField(path+"[]", field.Items.Schema, do)
	}
	if field.AdditionalProperties != nil && field.AdditionalProperties.Schema != nil {
		eachField(path+"{}", field.AdditionalProperties.Schema, do)
	}
}

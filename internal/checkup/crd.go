package checkup

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"regcred.dev/regcred/api/v1alpha1"
)

// kindTypes are the specs and states of each kind by the types of this version.
var kindTypes = map[string]reflect.Type{
	"RegistryCredential": reflect.TypeFor[v1alpha1.RegistryCredential](),
	"VaultConnection":    reflect.TypeFor[v1alpha1.VaultConnection](),
}

// MissingFields are the fields of a kind that the schema of a CRD does not have, sorted, as in "spec.target.attach": an API server drops them,
// or refuses them. schema is spec.versions[].schema.openAPIV3Schema.
func MissingFields(kind string, schema map[string]any) []string {
	var missing []string
	for i := range kindTypes[kind].NumField() {
		field := kindTypes[kind].Field(i)
		if name := jsonName(field); name == "spec" || name == "status" {
			missing = append(missing, missingIn(name, field.Type, propertyOf(schema, name))...)
		}
	}
	slices.Sort(missing)
	return missing
}

// own is where the types are whose fields are compared: those of Kubernetes are its own matter.
var own = reflect.TypeFor[v1alpha1.RegistryCredential]().PkgPath()

func missingIn(path string, of reflect.Type, schema map[string]any) []string {
	if schema == nil {
		return []string{path}
	}
	switch of.Kind() {
	case reflect.Pointer:
		return missingIn(path, of.Elem(), schema)
	case reflect.Slice:
		items, listed := schema["items"].(map[string]any)
		if !listed {
			return nil
		}
		return missingIn(path+"[]", of.Elem(), items)
	case reflect.Struct:
	default:
		return nil
	}
	var missing []string
	for i := range of.NumField() {
		field := of.Field(i)
		if name := jsonName(field); of.PkgPath() == own && name != "" {
			missing = append(missing, missingIn(path+"."+name, field.Type, propertyOf(schema, name))...)
		}
	}
	return missing
}

func propertyOf(schema map[string]any, name string) map[string]any {
	properties, _ := schema["properties"].(map[string]any)
	property, _ := properties[name].(map[string]any)
	return property
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// fieldsShown are the missing fields that are named.
const fieldsShown = 3

// schemas reports CRDs that are older than this plugin.
func schemas(f Facts) []Finding {
	const check = "CRDs"
	if f.Missing.Error != "" {
		return unknown(check, f.Missing.Error)
	}
	for _, kind := range []string{"RegistryCredential", "VaultConnection"} {
		if missing := f.Missing.Value[kind]; len(missing) > 0 {
			return []Finding{{check, Problem, fmt.Sprintf("the CRD of %s lacks %d fields that this version of the plugin knows, such as %s",
				kind, len(missing), strings.Join(missing[:min(len(missing), fieldsShown)], ", ")), "apply the CRDs of the operator's version (config/crd), and use the plugin of that version"}}
		}
	}
	return []Finding{{check, OK, "the CRDs have all fields that this version of the plugin knows", ""}}
}

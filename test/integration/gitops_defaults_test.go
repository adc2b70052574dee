package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestTheAPIServerAddsNothingThatAToolComparesWithGit: a tool that compares what is applied with what is there takes each default that the API
// server wrote for a change, if it does not know the kind by heart: in a list always, in a policy anywhere. Then it shows a drift that no
// sync ends.
func TestTheAPIServerAddsNothingThatAToolComparesWithGit(t *testing.T) {
	t.Parallel()
	c := startAPIServer(t)
	c.kubectl(t, "create", "namespace", operatorNamespace)
	for _, folder := range []string{"default", "injection", "namespace-labels", "network-policy", "owners", "repull", "successor", "wide"} {
		manifests, _, err := runKubectl(t, "kustomize", configFolder(folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, wanted := range unstructuredManifests(t, manifests) {
			switch wanted.GetKind() {
			case "Deployment", "Service": // tools know the keys of their lists
				continue
			}
			made := wanted.DeepCopy()
			err := c.admin.Create(t.Context(), made, client.DryRunAll, client.FieldValidation("Strict"))
			if apierrors.IsAlreadyExists(err) {
				continue
			}
			if err != nil {
				t.Fatalf("%s %s of %s: %v", wanted.GetKind(), wanted.GetName(), folder, err)
			}
			everywhere := strings.Contains(wanted.GetKind(), "AdmissionPolicy")
			for _, field := range added("", wanted.Object["spec"], made.Object["spec"], everywhere) {
				t.Errorf("config/%s: write %s into %s %s, which the API server does otherwise", folder, field, wanted.GetKind(), wanted.GetName())
			}
			for _, field := range added("", wanted.Object["rules"], made.Object["rules"], false) {
				t.Errorf("config/%s: write %s into %s %s, which the API server does otherwise", folder, field, wanted.GetKind(), wanted.GetName())
			}
		}
	}
}

// added lists what is in an object and is not in the one that was sent: in elements of lists, or everywhere.
func added(path string, sent, got any, everywhere bool) (fields []string) {
	switch got := got.(type) {
	case map[string]any:
		before, _ := sent.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(got)) {
			_, there := before[key]
			switch {
			case there:
				fields = append(fields, added(path+"."+key, before[key], got[key], everywhere)...)
			case everywhere:
				fields = append(fields, fmt.Sprintf("%s.%s: %v", path, key, got[key]))
			}
		}
	case []any:
		before, _ := sent.([]any)
		if len(before) != len(got) {
			return append(fields, fmt.Sprintf("%s: %v", path, got))
		}
		for i := range got {
			fields = append(fields, added(fmt.Sprintf("%s[%d]", path, i), before[i], got[i], true)...)
		}
	default:
		if !reflect.DeepEqual(fmt.Sprint(sent), fmt.Sprint(got)) {
			fields = append(fields, fmt.Sprintf("%s: %v", path, got))
		}
	}
	return fields
}

// unstructuredManifests reads objects of all kinds as they are written.
func unstructuredManifests(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bufio.NewReader(strings.NewReader(manifests)), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

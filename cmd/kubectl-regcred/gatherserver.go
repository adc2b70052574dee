package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
)

// maxVersion is what is read of the API server's version, in bytes.
const maxVersion = 64 << 10

// askServer asks the API server for its version, and by that for its time.
func (g *gathering) askServer(ctx context.Context, config *rest.Config) checkup.Answer[time.Duration] {
	unknown := func(why string) checkup.Answer[time.Duration] {
		return checkup.Answer[time.Duration]{Error: "the API server's time: " + why}
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return unknown(foreign.Message(err.Error()))
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return unknown(foreign.Message(err.Error()))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base.String(), "/")+"/version", nil)
	if err != nil {
		return unknown(foreign.Message(err.Error()))
	}
	answer, err := transport.Do(request)
	if err != nil {
		return unknown(foreign.Message(err.Error()))
	}
	defer answer.Body.Close()
	now := time.Now()
	var said struct{ GitVersion string }
	if answer.StatusCode == http.StatusOK && json.NewDecoder(http.MaxBytesReader(nil, answer.Body, maxVersion)).Decode(&said) == nil {
		g.server = foreign.Name(said.GitVersion)
	}
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return unknown("it does not say")
	}
	return checkup.Answer[time.Duration]{Value: now.Sub(date).Round(time.Second)}
}

// missing compares the CRDs with the types of this plugin.
func (g *gathering) missing(ctx context.Context) checkup.Answer[map[string][]string] {
	missing := map[string][]string{}
	for kind, name := range map[string]string{"RegistryCredential": "registrycredentials", "VaultConnection": "vaultconnections"} {
		crd := &unstructured.Unstructured{}
		crd.SetAPIVersion("apiextensions.k8s.io/v1")
		crd.SetKind("CustomResourceDefinition")
		err := g.client.Get(ctx, client.ObjectKey{Name: name + "." + v1alpha1.GroupVersion.Group}, crd)
		if apierrors.IsNotFound(err) {
			return checkup.Answer[map[string][]string]{Error: fmt.Sprintf("there is no CRD of %s", kind)}
		}
		if err != nil {
			return answered(err, "CustomResourceDefinitions", missing)
		}
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if err != nil {
			return answered(err, "the versions of a CRD", missing)
		}
		for _, one := range versions {
			served, ok := one.(map[string]any)
			if !ok || served["name"] != v1alpha1.GroupVersion.Version {
				continue
			}
			schema, _, err := unstructured.NestedMap(served, "schema", "openAPIV3Schema")
			if err != nil {
				return answered(err, "the schema of a CRD", missing)
			}
			missing[kind] = checkup.MissingFields(kind, schema)
		}
	}
	return checkup.Answer[map[string][]string]{Value: missing}
}

package credential

import (
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
)

// nearly has a test of a value find an image that the registry nearly serves.
func (f *facts) nearly(print, registry, image string) {
	if f.run.state.Tests == nil {
		f.run.state.Tests = map[string]rotation.Test{}
	}
	f.run.state.Tests[print] = rotation.Test{Registry: registry, NearMiss: image}
}

// The rules are those of docs/registrycredential.md, "UnusableForm".
func TestWhichFormsAreSaidToBeOfNoUse(t *testing.T) {
	of := func(reason dockerconfig.Reason, message string) dockerconfig.Finding {
		return dockerconfig.Finding{Reason: reason, Message: message}
	}
	for _, test := range []struct {
		name    string
		change  func(f *facts)
		reason  dockerconfig.Reason
		message string
	}{
		{"none", func(*facts) {}, "", ""},
		{"one in the source", func(f *facts) {
			f.run.state.Reads.Findings = []dockerconfig.Finding{of(dockerconfig.ReasonMisleadingWildcard, "a")}
		}, dockerconfig.ReasonMisleadingWildcard, "a"},
		{"the object is suspended", func(f *facts) {
			f.run.state.Reads.Findings, f.run.object.Spec.Suspend = []dockerconfig.Finding{of(dockerconfig.ReasonMisleadingWildcard, "a")}, true
		}, "", ""},
		{"three are told", func(f *facts) {
			f.run.state.Reads.Findings = []dockerconfig.Finding{of(dockerconfig.ReasonMisleadingWildcard, "a"), of(dockerconfig.ReasonShadowed, "b"), of(dockerconfig.ReasonShadowed, "c")}
		}, dockerconfig.ReasonMisleadingWildcard, "a; b; c"},
		{"of five two are counted", func(f *facts) {
			for i := range 5 {
				f.run.state.Reads.Findings = append(f.run.state.Reads.Findings, of(dockerconfig.ReasonMisleadingWildcard, fmt.Sprint("f", i)))
			}
		}, dockerconfig.ReasonMisleadingWildcard, "f0; f1; f2; and 2 more"},
		{"an image that no registry of the spec has", func(f *facts) {
			f.run.object.Spec.Verification = &v1alpha1.Verification{Images: []string{host + "/app:1", "other.example/app:1"}}
		}, dockerconfig.ReasonUnmatchable, "spec.verification.images: other.example/app:1 belongs to none of spec.registries and is not tested: correct one of them"},
		{"an image with a port", func(f *facts) { f.nearly("one", host, host+":5000/app:1") }, dockerconfig.ReasonPortMissing,
			"spec.registries: registry.example serves no image in the target namespaces, and registry.example:5000/app:1 is in use there: a kubelet takes a registry with a port for another one; if this is meant, list registry.example:5000"},
		{"an image with another port", func(f *facts) { f.nearly("one", host+":5001", host+":5000/app:1") }, dockerconfig.ReasonPortDiffers,
			"spec.registries: registry.example:5001 serves no image in the target namespaces, and registry.example:5000/app:1 is in use there: a kubelet takes a registry with another port for another one; if this is meant, list registry.example:5000"},
		{"an image of another name of Docker Hub, found for the value that waits", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.nearly("two", "docker.io", "registry-1.docker.io/bitnami/app:1")
		}, dockerconfig.ReasonOtherName, "spec.registries: docker.io serves no image in the target namespaces, and registry-1.docker.io/bitnami/app:1"},
		{"both values find the same: it is told once", func(f *facts) {
			f.waits(rotation.Hold, "")
			f.nearly("one", host, host+":5000/app:1")
			f.nearly("two", host, host+":5000/app:1")
		}, dockerconfig.ReasonPortMissing, "list registry.example:5000"},
		{"only logins are tested now: what was found before is not looked at again", func(f *facts) {
			f.nearly("one", host, host+":5000/app:1")
			f.run.object.Spec.Verification = &v1alpha1.Verification{Mode: v1alpha1.VerifyLogin}
		}, "", ""},
		{"what was found is served now", func(f *facts) { f.nearly("one", host, host+"/app:1") }, "", ""},
		{"what was found is no image", func(f *facts) { f.nearly("one", host, "///") }, "", ""},
		{"what was found is of no registry", func(f *facts) { f.nearly("one", "", host+":5000/app:1") }, "", ""},
		{"an entry that is kept in one namespace", func(f *facts) {
			f.summary.Findings = []delivered.Found{{Finding: dockerconfig.Finding{Reason: dockerconfig.ReasonTokenOnly, Key: "a.example", Message: "a token"}, Namespace: "shop", Namespaces: 1}}
		}, dockerconfig.ReasonTokenOnly, `Secret regcred of namespace shop: entry "a.example": a token`},
		{"an entry that is kept in three", func(f *facts) {
			f.summary.Findings = []delivered.Found{{Finding: of(dockerconfig.ReasonTokenOnly, "a token"), Namespace: "shop", Namespaces: 3}}
		}, dockerconfig.ReasonTokenOnly, "Secret regcred of namespace shop and 2 more: a token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := served()
			test.change(f)
			c := f.unusableForm()
			if (c.Status == "True") != (test.reason != "") || c.Reason != string(test.reason) || !strings.HasSuffix(c.Message, test.message) && !strings.HasPrefix(c.Message, test.message) || test.message == "" && c.Message != "" {
				t.Errorf("it is %s %s %q, want %s %q", c.Status, c.Reason, c.Message, test.reason, test.message)
			}
			if strings.Count(c.Message, "serves no image") > 1 {
				t.Errorf("it is told twice: %q", c.Message)
			}
		})
	}
}

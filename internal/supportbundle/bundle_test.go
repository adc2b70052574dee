package supportbundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/supportbundle"
)

const canary = "canary-4711"

func read(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	plain, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(plain); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, "regcred-support/")] = string(text)
	}
}

// secretPlaces are where a person may put a secret: everything of the objects but what the bundle is for.
func TestNoPlaceThatMayHoldASecretGetsIntoTheBundle(t *testing.T) {
	metadata := metav1.ObjectMeta{Name: "company", Annotations: map[string]string{"note": canary, "kubectl.kubernetes.io/last-applied-configuration": canary},
		Labels: map[string]string{"label": canary}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: canary}}}
	credential := v1alpha1.RegistryCredential{ObjectMeta: metadata, Spec: v1alpha1.RegistryCredentialSpec{
		Registries: []v1alpha1.Registry{"registry.company.io"},
		Source:     v1alpha1.Source{Vault: &v1alpha1.VaultSource{Mount: "secret", Path: "platform/company"}},
	}}
	connection := v1alpha1.VaultConnection{ObjectMeta: metadata, Spec: v1alpha1.VaultConnectionSpec{Address: "https://vault.company.io"}}
	fill(reflect.ValueOf(credential.Spec.Source.Vault).Elem(), "Mount", "Path", "Connection", "Engine")
	fill(reflect.ValueOf(&credential.Spec.Target.SecretAnnotations).Elem())
	fill(reflect.ValueOf(&credential.Spec.Target.SecretLabels).Elem())
	fill(reflect.ValueOf(&connection.Spec.Auth).Elem())
	connection.Spec.TLS, connection.Spec.Proxy = &v1alpha1.VaultTLS{CABundle: canary}, &v1alpha1.VaultProxy{URL: "http://u:" + canary + "@proxy", SecretName: canary}
	facts := checkup.Facts{}
	facts.Credentials.Value, facts.Connections.Value = []v1alpha1.RegistryCredential{credential}, []v1alpha1.VaultConnection{connection}
	facts.Deployments.Value = []checkup.Deployment{{Name: "regcred", Flags: supportbundle.Flags([]string{"--secret-names=regcred", "--registry-proxy=r.io=http://u:" + canary + "@p",
		"--unknown=" + canary, canary, "--http-proxy http://u:" + canary + "@p:3128", "--log-level=debug --http-proxy=http://u:" + canary + "@p", "--namespace=x\n" + canary, "--secret-names=a," + "b;" + canary, "--log-level=" + canary + "@p", "-" + strings.ToUpper(canary), "--vault-addresses=https://" + canary + "@v"}), Environment: []string{"HTTPS_PROXY"}}}
	var out bytes.Buffer
	if err := supportbundle.Write(&out, supportbundle.Contents{Now: time.Now(), Plugin: "v1", Server: "v1.37.2", Facts: facts}); err != nil {
		t.Fatal(err)
	}
	files := read(t, &out)
	for name, text := range files {
		if strings.Contains(text, canary) {
			t.Errorf("%s holds what a person wrote somewhere:\n%s", name, text)
		}
	}
	for name, words := range map[string]string{"registrycredentials.json": "platform/company", "vaultconnections.json": "https://vault.company.io", "deployments.json": "--secret-names=regcred",
		"README.txt": "no password", "versions.json": "v1.37.2", "findings.json": "Leader"} {
		if !strings.Contains(files[name], words) {
			t.Errorf("%s lacks %q:\n%s", name, words, files[name])
		}
	}
}

// fill writes the canary into every text below a value, fields that are added later included.
func fill(value reflect.Value, but ...string) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(canary)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem())
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0))
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		element := reflect.New(value.Type().Elem()).Elem()
		fill(element)
		value.SetMapIndex(reflect.ValueOf("key").Convert(value.Type().Key()), element)
	case reflect.Struct:
		for i := range value.NumField() {
			if !slices.Contains(but, value.Type().Field(i).Name) && value.Field(i).CanSet() {
				fill(value.Field(i))
			}
		}
	}
}

func TestWhatMayNotBeReadIsSaidInTheBundle(t *testing.T) {
	facts := checkup.Facts{}
	facts.Credentials.Error = "you may not read RegistryCredentials"
	var out bytes.Buffer
	if err := supportbundle.Write(&out, supportbundle.Contents{Facts: facts}); err != nil {
		t.Fatal(err)
	}
	if text := read(t, &out)["registrycredentials.json"]; !strings.Contains(text, "you may not read") {
		t.Error(text)
	}
}

func TestOnlyFlagsWhoseValueCannotBeASecretKeepIt(t *testing.T) {
	got := supportbundle.Flags([]string{"--log-level=debug", "-leader-elect", "--registry-ca=x=y", "word", "--", "--namespace", "regcred-system", "--http-proxy http://u:p@h",
		"log-level", "--log-level debug=canary", "--log-level\ncanary=x"})
	if want := []string{"--log-level=debug", "--leader-elect", "--registry-ca", "--", "--namespace", "--http-proxy", "--log-level", "--log-level"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

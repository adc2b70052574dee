package supportbundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/supportbundle"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func written(t *testing.T, c supportbundle.Contents) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := supportbundle.Write(&out, c); err != nil {
		t.Fatal(err)
	}
	return read(t, &out)
}

// full takes so many bytes, and fails then.
type full struct{ left int }

var errFull = errors.New("the disk is full")

func (f *full) Write(p []byte) (int, error) {
	n := min(f.left, len(p))
	if f.left -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// An archive that lacks its end must not be sent as if it were whole.
func TestABundleThatCannotBeWrittenToItsEndIsAnError(t *testing.T) {
	c := supportbundle.Contents{Now: noon}
	for range 5000 {
		c.Notes = append(c.Notes, time.Now().String())
	}
	var whole bytes.Buffer
	if err := supportbundle.Write(&whole, c); err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 10, whole.Len() / 2, whole.Len() - 1} {
		if err := supportbundle.Write(&full{room}, c); !errors.Is(err, errFull) {
			t.Errorf("with room for %d of %d bytes: %v", room, whole.Len(), err)
		}
	}
}

func TestFilesOfABundleAreOfTheMomentAndForNobodyElse(t *testing.T) {
	now := noon.Add(123456789)
	var out bytes.Buffer
	if err := supportbundle.Write(&out, supportbundle.Contents{Now: now, Plugin: "v1.2.3", Server: "v1.37.2"}); err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(plain)
	header, err := files.Next()
	if err != nil || !header.ModTime.Equal(now) || header.Mode != 0o600 {
		t.Fatalf("%+v, %v", header, err)
	}
	if header, err = files.Next(); err != nil || header.Name != "regcred-support/versions.json" {
		t.Fatalf("%+v, %v", header, err)
	}
	text, err := io.ReadAll(files)
	var got map[string]string
	if err = errors.Join(err, json.Unmarshal(text, &got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"plugin": "v1.2.3", "kubernetes": "v1.37.2", "api": "regcred.dev/v1alpha1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOfALoginTheMethodAloneIsTold(t *testing.T) {
	auth := reflect.TypeFor[v1alpha1.VaultAuth]()
	for i := range auth.NumField() {
		field := auth.Field(i)
		method, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		connection := v1alpha1.VaultConnection{}
		reflect.ValueOf(&connection.Spec.Auth).Elem().Field(i).Set(reflect.New(field.Type.Elem()))
		if got := connectionIn(t, connection)["Login"]; got != method {
			t.Errorf("of the member %s it tells %v", method, got)
		}
	}
	if got := connectionIn(t, v1alpha1.VaultConnection{})["Login"]; got != "unknown" {
		t.Errorf("without a method it tells %v", got)
	}
}

func TestABundleTellsEachThingUnderItsOwnName(t *testing.T) {
	for name, connection := range map[string]v1alpha1.VaultConnection{
		"OwnCA": {Spec: v1alpha1.VaultConnectionSpec{TLS: &v1alpha1.VaultTLS{}}}, "Proxy": {Spec: v1alpha1.VaultConnectionSpec{Proxy: &v1alpha1.VaultProxy{}}}, "": {},
	} {
		if got := connectionIn(t, connection); got["OwnCA"] != (name == "OwnCA") || got["Proxy"] != (name == "Proxy") {
			t.Errorf("%q: %v", name, got)
		}
	}
	facts := checkup.Facts{}
	facts.Credentials.Value = []v1alpha1.RegistryCredential{{ObjectMeta: metav1.ObjectMeta{Generation: 3}, Status: v1alpha1.RegistryCredentialStatus{ObservedGeneration: 2},
		Spec: v1alpha1.RegistryCredentialSpec{Target: v1alpha1.Target{SecretName: "pull", Namespaces: []v1alpha1.NamespaceName{"in"}, ExcludedNamespaces: []v1alpha1.NamespaceName{"out"},
			Attach: v1alpha1.AttachPods, ExistingSecrets: v1alpha1.ExistingAdopt}}}}
	var all []map[string]any
	if err := json.Unmarshal([]byte(written(t, supportbundle.Contents{Now: noon, Facts: facts})["registrycredentials.json"]), &all); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	got := map[string]any{}
	for name := range map[string]bool{"Generation": true, "ObservedGeneration": true, "SecretName": true, "Namespaces": true, "ExcludedNamespaces": true, "Attach": true, "ExistingSecrets": true} {
		got[name] = all[0][name]
	}
	want := map[string]any{"Generation": 3.0, "ObservedGeneration": 2.0, "SecretName": "pull", "Namespaces": []any{"in"}, "ExcludedNamespaces": []any{"out"},
		"Attach": "Pods", "ExistingSecrets": "Adopt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func connectionIn(t *testing.T, connection v1alpha1.VaultConnection) map[string]any {
	t.Helper()
	facts := checkup.Facts{}
	facts.Connections.Value = []v1alpha1.VaultConnection{connection}
	var got []map[string]any
	if err := json.Unmarshal([]byte(written(t, supportbundle.Contents{Now: noon, Facts: facts})["vaultconnections.json"]), &got); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	return got[0]
}

// Whoever helps looks at the files on a terminal, and others wrote what is in them.
func TestNothingInABundleActsOnATerminal(t *testing.T) {
	const raw, shown = "x\x1b[2Jy\u202e", "x [2Jy "
	connection := v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: raw}, Spec: v1alpha1.VaultConnectionSpec{Address: raw, VaultNamespace: raw}}
	connection.Status.ServerVersion = raw
	connection.Status.Conditions = []metav1.Condition{{Type: raw, Reason: raw, Message: raw, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)}}
	got := connectionIn(t, connection)
	condition := got["Conditions"].([]any)[0].(map[string]any)
	for name, text := range map[string]any{
		"name": got["Name"], "address": got["Address"], "Vault namespace": got["VaultNamespace"], "version": got["ServerVersion"],
		"type": condition["Type"], "reason": condition["Reason"], "message": condition["Message"],
	} {
		if one, is := text.(string); !is || strings.TrimSpace(one) != strings.TrimSpace(shown) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if condition["Status"] != "True" || condition["Since"] != "2026-03-01T12:00:00Z" {
		t.Errorf("%v", condition)
	}
	facts := checkup.Facts{}
	facts.Connections.Error = raw
	if text := written(t, supportbundle.Contents{Facts: facts})["vaultconnections.json"]; strings.Contains(text, "u001b") {
		t.Error(text)
	}
	for _, flag := range supportbundle.Flags([]string{"--log-level=" + raw, "--" + raw}) {
		if strings.ContainsAny(flag, "\x1b\u202e") {
			t.Errorf("%q", flag)
		}
	}
}

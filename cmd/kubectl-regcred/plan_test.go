package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"regcred.dev/regcred/api/v1alpha1"
)

const manifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
# a comment alone
---
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: company}
spec:
  registries: [registry.company.io]
---
apiVersion: regcred.dev/v1alpha1
kind: RegistryCredential
metadata: {name: hub}
`

func TestRegistryCredentialsAreFoundAmongOtherObjects(t *testing.T) {
	objects, err := credentialsIn([]byte("kind: Menu\nitems: {first: soup}\n---\n" + manifest))
	if err != nil || len(objects) != 2 || objects[0].Name != "company" || objects[0].Spec.Registries[0] != "registry.company.io" || objects[1].Name != "hub" {
		t.Errorf("%v: %+v", err, objects)
	}
}

func TestRegistryCredentialsAreFoundInLists(t *testing.T) {
	for name, text := range map[string]string{
		"as kubectl get -o yaml writes them": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n- {apiVersion: regcred.dev/v1alpha1, kind: RegistryCredential, metadata: {name: company}}\n",
		"a list of their own kind":           `{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredentialList", "items": [{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "company"}}]}`,
		"a list in a list":                   `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "regcred.dev/v1alpha1", "kind": "RegistryCredential", "metadata": {"name": "company"}}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := credentialsIn([]byte(text + "\n---\n" + manifest))
			if err != nil || len(objects) != 3 || objects[0].Name != "company" {
				t.Errorf("%v: %d are found", err, len(objects))
			}
			wrong := strings.Replace(text, "name", "nome", 1)
			if _, err := credentialsIn([]byte(wrong)); err == nil || !strings.Contains(err.Error(), "document 1: item ") {
				t.Errorf("of a wrong one it is said: %v", err)
			}
		})
	}
}

func TestAManifestThatIsWrongIsSaidToBe(t *testing.T) {
	for name, text := range map[string]string{
		"a field that there is not": strings.ReplaceAll(manifest, "registries:", "registry:"),
		"a name is missing":         strings.ReplaceAll(manifest, "{name: hub}", "{}"),
		"no YAML":                   "{",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := credentialsIn([]byte(text)); err == nil || !strings.Contains(err.Error(), "document ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A pipeline would take what is passed over for what does no harm.
func TestARegistryCredentialOfAnotherVersionIsNotPassedOver(t *testing.T) {
	for apiVersion, refused := range map[string]bool{"regcred.dev/v1": true, "regcred.dev/v1beta1": true, "": true, "a/b/c": true, "v1": false, "example.com/v1alpha1": false} {
		text := "kind: RegistryCredential\nmetadata: {name: company}\n"
		if apiVersion != "" {
			text += "apiVersion: " + apiVersion + "\n"
		}
		for _, text := range []string{text, "kind: List\napiVersion: v1\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")} {
			objects, err := credentialsIn([]byte(manifest + "---\n" + text))
			if refused && (err == nil || !strings.Contains(err.Error(), `apiVersion "`+apiVersion+`", where this version of the plugin knows regcred.dev/v1alpha1`)) || !refused && (err != nil || len(objects) != 2) {
				t.Errorf("with apiVersion %q: %v, %d objects", apiVersion, err, len(objects))
			}
		}
	}
}

// kubectl applies them all, so none may be passed over.
func TestEachFileThatIsNamedIsRead(t *testing.T) {
	folder := t.TempDir()
	var args []string
	for _, name := range []string{"company", "hub"} {
		file := filepath.Join(folder, name+".yaml")
		if err := os.WriteFile(file, []byte("apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {name: "+name+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", file)
	}
	s := &apiServer{objects: map[string]runtime.Object{"/api/v1/namespaces": &corev1.NamespaceList{}}, answers: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			answer(w, http.StatusCreated, &v1alpha1.RegistryCredential{TypeMeta: metav1.TypeMeta{Kind: "RegistryCredential", APIVersion: v1alpha1.GroupVersion.String()}})
		}
		return r.Method == http.MethodPost
	}}
	var out bytes.Buffer
	command := newPlan(s.start(t))
	command.SetArgs(args)
	command.SetOut(&out)
	if err := command.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "RegistryCredential company would") || !strings.Contains(out.String(), "RegistryCredential hub would") {
		t.Errorf("%v: %s", err, out.String())
	}
	for _, none := range [][]string{nil, {"-f", ""}, {"-f", filepath.Join(folder, "gone.yaml")}, {"-f", folder}, {"-f", args[1], "-f", filepath.Join(folder, "gone.yaml")}} {
		command := newPlan(s.start(t))
		command.SetArgs(none)
		command.SetOut(&out)
		command.SetErr(&out)
		if err := command.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%q is no error", none)
		}
	}
}

// What is suspended is neither read nor written, whatever its spec says.
func TestAPlanOfWhatIsSuspendedSaysSo(t *testing.T) {
	for suspend, noted := range map[string]bool{"true": true, "false": false} {
		s := &apiServer{objects: map[string]runtime.Object{"/api/v1/namespaces": &corev1.NamespaceList{}}, answers: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				answer(w, http.StatusCreated, &v1alpha1.RegistryCredential{TypeMeta: metav1.TypeMeta{Kind: "RegistryCredential", APIVersion: v1alpha1.GroupVersion.String()}})
			}
			return r.Method == http.MethodPost
		}}
		var out bytes.Buffer
		command := newPlan(s.start(t))
		command.SetArgs([]string{"-f", "-"})
		command.SetIn(strings.NewReader("apiVersion: regcred.dev/v1alpha1\nkind: RegistryCredential\nmetadata: {name: company}\nspec: {suspend: " + suspend + "}\n"))
		command.SetOut(&out)
		if err := command.ExecuteContext(t.Context()); err != nil || strings.Contains(out.String(), "Note: spec.suspend is true: nothing of this is done until it is false.") != noted {
			t.Errorf("suspend: %s: %v\n%s", suspend, err, out.String())
		}
	}
}

// A terminal, or a pipe whose other end waits, gives nothing for as long as it likes.
func TestWhoInterruptsIsNotKeptWaitingForAFile(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := (&plan{files: []string{"-"}, output: "text"}).run(ctx, in, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// PowerShell writes UTF-16 with a mark into a file, and other programs of Windows write one before UTF-8.
func TestAFileOfWindowsIsReadToItsEnd(t *testing.T) {
	text := strings.ReplaceAll("---\n"+manifest, "\n", "\r\n")
	units := utf16.Encode([]rune("\ufeff" + text))
	little, big := make([]byte, 0, 2*len(units)), make([]byte, 0, 2*len(units))
	for _, unit := range units {
		little, big = binary.LittleEndian.AppendUint16(little, unit), binary.BigEndian.AppendUint16(big, unit)
	}
	for name, file := range map[string][]byte{"CRLF": []byte(text), "a mark before UTF-8": []byte("\ufeff" + text), "UTF-16": little, "UTF-16 of the other order": big} {
		objects, err := credentialsIn(file)
		if err != nil || len(objects) != 2 || objects[0].Name != "company" || objects[1].Name != "hub" {
			t.Errorf("%s: %v, %d objects", name, err, len(objects))
		}
	}
	if _, err := credentialsIn(little[:len(little)-1]); err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("cut off: %v", err)
	}
}

func FuzzCredentialsIn(f *testing.F) {
	f.Add(manifest)
	f.Add("---\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := credentialsIn([]byte(text))
		for _, object := range objects {
			if err == nil && object.Name == "" {
				t.Error("an object without a name")
			}
		}
	})
}

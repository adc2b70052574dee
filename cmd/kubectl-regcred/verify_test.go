package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/verify"
)

// registryServer takes one login, has the image shop/web:1, and fails where it is asked for the tag ill.
func registryServer(t *testing.T, password string) (host string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, shown, _ := r.BasicAuth(); shown != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		} else if strings.HasSuffix(r.URL.Path, "/manifests/ill") {
			w.WriteHeader(http.StatusInternalServerError)
		} else if r.URL.Path != "/v2/" && r.URL.Path != "/v2/shop/web/manifests/1" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// writtenSecret is what regcred wrote for the RegistryCredential company, and an entry of somebody else beside it.
func writtenSecret(t *testing.T, host, password string) (*v1alpha1.RegistryCredential, *corev1.Secret) {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"},
		Spec:   v1alpha1.RegistryCredentialSpec{Registries: []v1alpha1.Registry{v1alpha1.Registry(host)}},
		Status: v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{Revision: "7"}}}
	sources := pullsecret.Sources{"company": {Revision: "7", Keys: []string{host, "elsewhere.example.com"}}}
	return object, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "regcred", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
			Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()}},
		Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: dockerconfig.Config{host: credential, "elsewhere.example.com": credential, "other.example.com": credential}.Render()},
	}
}

func TestTheRegistryIsAskedImageByImage(t *testing.T) {
	host := registryServer(t, "canary-right")
	verifier := verify.New(verify.Options{InsecureRegistries: []string{host}, AllowLoopback: true, Timeout: 10 * time.Second})
	for _, test := range []struct {
		name, password string
		images         []string
		verdicts       string
		code           int
	}{
		{"without an image the login is tested", "canary-right", nil, "LoginAccepted", 0},
		{"an image that it opens", "canary-right", []string{host + "/shop/web:1"}, "PullAllowed", 0},
		{"an image that is not there", "canary-right", []string{host + "/shop/web:1", host + "/shop/gone:1"}, "PullAllowed ImageNotFound", exitTimeout},
		{"a registry that fails", "canary-right", []string{host + "/shop/web:ill"}, "RegistryError", exitTimeout},
		{"a wrong password", "canary-wrong", []string{host + "/shop/web:1"}, "LoginFailed", exitProblem},
		{"an image of another registry is asked for nowhere", "canary-right", []string{"other.example.com/x:1", host + "/shop/web:1"}, "NotTestable PullAllowed", exitTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			object, secret := writtenSecret(t, host, test.password)
			value := valueIn(secret, object)
			if len(value.keys()) != 1 {
				t.Fatalf("keys %q: whoever may write the Secret chooses hosts", value.keys())
			}
			v := verified{Name: "company", Namespace: "shop", Secret: "regcred", Revision: "7", AskedFrom: "this machine", Answers: value.ask(t.Context(), verifier, test.images)}
			var reasons []string
			for _, a := range v.Answers {
				reasons = append(reasons, string(a.Reason))
			}
			if got := strings.Join(reasons, " "); got != test.verdicts {
				t.Errorf("got %q, want %q", got, test.verdicts)
			}
			if err := v.failure(); (err == nil) != (test.code == 0) || err != nil && exitCode(err) != test.code {
				t.Errorf("it ends with %v, want exit code %d", err, test.code)
			}
			var out bytes.Buffer
			if err := printVerified(&out, v, true, noon); err != nil || !strings.Contains(out.String(), "Asked from this machine") || strings.Contains(out.String(), "tried again") {
				t.Errorf("%v: %s", err, out.String())
			}
			if err := printObject(&out, "yaml", v); err != nil || strings.Contains(out.String(), "canary") {
				t.Errorf("the password is shown, or %v:\n%s", err, out.String())
			}
		})
	}
}

// The people of a namespace choose which images are in use there: that the value may not pull one of them is not that it is refused.
func TestWhatEndsTheCommandIsSaid(t *testing.T) {
	accepted := verifyAnswer{Image: "r.example/a:1", Verdict: verify.ValueAccepted, Reason: verify.PullAllowed}
	denied := verifyAnswer{Image: "r.example/b:1", Verdict: verify.ValueRejected, Reason: verify.PullDenied}
	refused := verifyAnswer{Image: "r.example/c:1", Verdict: verify.ValueRejected, Reason: verify.LoginFailed}
	unknown := verifyAnswer{Image: "r.example/d:1", Verdict: verify.ValueUnknown, Reason: verify.Timeout}
	login := verifyAnswer{Verdict: verify.ValueAccepted, Reason: verify.LoginAccepted}
	for _, test := range []struct {
		answers []verifyAnswer
		code    int
		says    string
	}{
		{[]verifyAnswer{accepted, accepted}, 0, ""},
		{[]verifyAnswer{accepted, unknown}, exitTimeout, "a registry gave no clear answer about the value of RegistryCredential company"},
		{[]verifyAnswer{accepted, unknown, denied}, exitProblem, "the value of RegistryCredential company may not pull 1 of 3 images"},
		{[]verifyAnswer{denied, login}, exitProblem, "the value of RegistryCredential company may not pull 1 of 1 image"},
		{[]verifyAnswer{accepted, denied, refused}, exitProblem, "a registry refuses the value of RegistryCredential company"},
	} {
		err := (&verified{Name: "company", Answers: test.answers}).failure()
		if test.code == 0 && err == nil {
			continue
		}
		if err == nil || exitCode(err) != test.code || err.Error() != test.says {
			t.Errorf("%+v: it ends with %v", test.answers, err)
		}
	}
}

func TestOnlyWhatRegcredWroteIsTakenFromASecret(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.RegistryCredential, *corev1.Secret){
		"the Secret of somebody else":                 func(_ *v1alpha1.RegistryCredential, s *corev1.Secret) { s.Labels, s.Annotations = nil, nil },
		"a Secret that another one wrote":             func(o *v1alpha1.RegistryCredential, _ *corev1.Secret) { o.Name = "other" },
		"no entry that can be read":                   func(_ *v1alpha1.RegistryCredential, s *corev1.Secret) { s.Data = nil },
		"entries of registries that it does not list": func(o *v1alpha1.RegistryCredential, _ *corev1.Secret) { o.Spec.Registries = nil },
	} {
		t.Run(name, func(t *testing.T) {
			object, secret := writtenSecret(t, "registry.example.com", "canary")
			change(object, secret)
			if value := valueIn(secret, object); value != nil {
				t.Errorf("it is taken: %q", value.keys())
			}
		})
	}
	object, secret := writtenSecret(t, "registry.example.com", "canary")
	object.Status.Credential.Revision = "8"
	if notes := valueIn(secret, object).outdated(object); len(notes) != 1 || !strings.Contains(notes[0], "revision 8 is in use") {
		t.Errorf("notes %q", notes)
	}
}

// The people of a namespace choose names, and one that is long moves no other row.
func TestALongCellMakesNoOtherRowWide(t *testing.T) {
	var out bytes.Buffer
	long := strings.Repeat("x", 500)
	(&writer{out: &out}).table("", [][]cell{cells("NAME", "IMAGE", "MESSAGE"), cells("a", "b", "c"), cells(long, "b", long)})
	if want := "NAME" + strings.Repeat(" ", widest-1) + "IMAGE   MESSAGE\na" + strings.Repeat(" ", widest+2) + "b       c\n" + long + "   b       " + long + "\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheLastColumnIsWrappedOnATerminal(t *testing.T) {
	for _, test := range []struct {
		name  string
		width int
		want  string
	}{
		{"no terminal", 0, "NAME   MESSAGE\na      one two three four five six seven eight nine ten eleven\n"},
		{"a wide one", 200, "NAME   MESSAGE\na      one two three four five six seven eight nine ten eleven\n"},
		{"a narrow one", 40, "NAME   MESSAGE\na      one two three four five six seven\n       eight nine ten eleven\n"},
		{"no room beside the columns", 36, "NAME   MESSAGE\na\n    one two three four five six\n    seven eight nine ten eleven\n"},
		{"too narrow for anything", 10, "NAME   MESSAGE\na      one two three four five six seven eight nine ten eleven\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			(&writer{out: &out, width: test.width}).table("", [][]cell{cells("NAME", "MESSAGE"), cells("a", "one two three four five six seven eight nine ten eleven")})
			if out.String() != test.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), test.want)
			}
		})
	}
}

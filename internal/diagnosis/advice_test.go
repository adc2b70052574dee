package diagnosis

import (
	"strings"
	"testing"
)

func TestNobodyIsAdvisedWhatCannotWork(t *testing.T) {
	of := func(image string) change {
		return func(f *Facts) { f.Pod.Spec.Containers[0].Image, f.Credentials = image, nil }
	}
	late := now(6 * 60e9)
	tests := []struct {
		name    string
		changes []change
		advice  string // a part of it
		never   string // what it must not hold
	}{
		{"no RegistryCredential provides the registry", []change{of(image)}, "add a RegistryCredential", ""},
		{"the image may not exist at all", []change{of("ngnix"), because(hidden)}, "correct the image's name if there is no such image", ""},
		{"the website of Docker Hub is no registry", []change{of("hub.docker.com/library/nginx:1")}, "write docker.io in the image", "RegistryCredential"},
		{"an IPv6 address without a port", []change{of("[::1]/x:1")}, "write the port", "add a RegistryCredential"},
		{"an IPv6 address with a port", []change{of("[::1]:5000/x:1")}, "add a RegistryCredential", ""},
		{"a host with an underscore", []change{of("my_registry.example/x:1")}, "use another name", "add a RegistryCredential"},
		{"a port that is none", []change{of("r.example:65536/x:1")}, "correct the port", "RegistryCredential"},
		{"a port with a zero in front", []change{of("r.example:0443/x:1")}, "correct the port", "RegistryCredential"},
		{"the highest port", []change{of("r.example:65535/x:1")}, "add a RegistryCredential", ""},
		{"port 0", []change{of("r.example:0/x:1")}, "correct the port", "RegistryCredential"},
		{"a port of more digits than a number has", []change{of("r.example:99999999999999999999/x:1")}, "correct the port", "RegistryCredential"},
		{"no image reference at all", []change{of("Not An Image")}, "it is not an image reference", "RegistryCredential"},
		{"a host that ends in a bracket", []change{of("r.example]/x:1")}, "it is not an image reference", "RegistryCredential"},
		{"a host in upper case", []change{of("R.example/x:1")}, "add a RegistryCredential", ""},
		{"a rate limit of anonymous pulls of such a host", []change{of("hub.docker.com/x/y:1"), because(limited), withoutReference}, "write docker.io", "RegistryCredential"},

		{"a pod that had the credential, and nobody knows why", []change{created(time1)}, "see whether the image exists", "give"},
		{"the registry denied it", []change{created(time1), answered(AccessDenied, "")}, "give the credential's account the right", ""},
		{"the registry opens it for the operator", []change{created(time1), answered(AccessAllowed, "")}, "the account has the right", "give"},
		{"the last test pulled this image with this value", []change{created(time1), credential(func(c *Credential) { c.Entries[0].Digests = map[string]string{image: sum} })}, "the account has the right", "give"},
		{"the last test pulled it, and the registry does not answer now", []change{created(time1), answered(AccessUnknown, ""), credential(func(c *Credential) { c.Entries[0].Digests = map[string]string{image: sum} })}, "the account has the right", "give"},
		{"the pull needs a login: that there is such an image is known", []change{of(image), because(anonymous)}, "add a RegistryCredential", "correct"},
		{"a pod of a Job whose kubelet tried again", []change{ofJob, late, answered(AccessAllowed, "")}, "the account has the right", "give"},
		{"a pod of a Job, and nobody was asked", []change{ofJob, late}, "see whether the image exists", "give"},
		{"a ServiceAccount that no flag may list", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "builder"} })}, "the operator's limits", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			verdict := Diagnose(stuck(test.changes...))
			if !strings.Contains(verdict.Advice, test.advice) || test.never != "" && strings.Contains(verdict.Advice, test.never) {
				t.Errorf("%s (%s): %s\nadvice: %q", verdict.Action, verdict.Reason, verdict.Message, verdict.Advice)
			}
			if len(verdict.Advice) > 300 {
				t.Errorf("the advice has %d bytes", len(verdict.Advice))
			}
		})
	}
}

const time1 = 60e9 // a minute after the change

func TestAMirrorThatRefuses(t *testing.T) {
	const said = `failed to resolve image: unexpected status from HEAD request to https://mirror.local:5000/v2/shop/web/manifests/1?ns=registry.example.com: 401 Unauthorized`
	tests := []struct {
		name    string
		changes []change
		message string
		advice  string
		secret  string
	}{
		{"it was shown the credential of the Secret", nil, "the runtime showed it the credential of Secret regcred", "take the namespace out of spec.target of RegistryCredential shop", "regcred"},
		{"a Secret for another registry was not shown", []change{ownList("other", "theirs"), secret("other", func(s *Secret) { *s = Secret{Keys: []string{"quay.io"}} }),
			secret("theirs", func(s *Secret) { *s = Secret{Keys: []string{host}} })}, "the credential of Secret theirs", "let the mirror accept", "theirs"},
		{"a Secret of somebody else is for the image", []change{ownList("theirs"), secret("theirs", func(s *Secret) { *s = Secret{Keys: []string{host}} }),
			func(f *Facts) { f.Credentials = nil }}, "the credential of Secret theirs", "without a pull Secret here", "theirs"},
		{"a Secret that may not be read", []change{ownList("theirs")}, "where there is one", "let the mirror accept", "theirs"},
		{"without a reference people are warned before there is one", []change{withoutReference}, "With the pull Secret of RegistryCredential shop", "give the mirror's credential to the nodes", ""},
		{"no RegistryCredential is for the image", []change{withoutReference, func(f *Facts) { f.Credentials = nil }}, "no pull Secret of the pod is for this image", "give the mirror's credential to the nodes", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			verdict := Diagnose(stuck(append([]change{because(said)}, test.changes...)...))
			if verdict.Action != Report || verdict.Reason != MirrorRefuses {
				t.Errorf("verdict is %s (%s)", verdict.Action, verdict.Reason)
			}
			if !strings.Contains(verdict.Message, test.message) || !strings.Contains(verdict.Message, "mirror.local:5000") || !strings.Contains(verdict.Advice, test.advice) {
				t.Errorf("%s\nadvice: %s", verdict.Message, verdict.Advice)
			}
			known := verdict.Findings[0].Credential != ""
			if strings.Contains(verdict.Text(), "RegistryCredential") != known {
				t.Errorf("a RegistryCredential is known: %t\n%s", known, verdict.Text())
			}
			if got := verdict.Findings[0].Secret; got != test.secret {
				t.Errorf("the Secret is %q, want %q", got, test.secret)
			}
		})
	}
}

// CRI-O shows a mirror no pull Secret: neither the Secret nor a restart has a part in it (https://github.com/kubernetes/kubernetes/issues/122821).
func TestAMirrorThatRefusesCRIO(t *testing.T) {
	verdict := Diagnose(stuck(because(`reading manifest 1 in mirror.local:5000/shop/web: unauthorized: authentication required`)))
	if verdict.Action != Report || verdict.Reason != MirrorRefuses {
		t.Fatalf("verdict is %s (%s): %s", verdict.Action, verdict.Reason, verdict.Message)
	}
	if strings.Contains(verdict.Message, "showed it") || !strings.Contains(verdict.Message, "mirror.local:5000") || !strings.Contains(verdict.Advice, "give the mirror's credential to the nodes") {
		t.Errorf("%s\nadvice: %s", verdict.Message, verdict.Advice)
	}
}

// While a kubelet says ErrImagePull its message is the runtime's alone (pkg/kubelet/images/image_manager.go, evalCRIPullErr): CRI-O names the host that
// answered, and the kubelet names the image only when it backs off.
func TestAMirrorThatRefusesCRIOIsKnownBeforeTheKubeletBacksOff(t *testing.T) {
	for _, message := range []string{
		`rpc error: code = Unknown desc = reading manifest 1 in mirror.local:5000/shop/web: unauthorized: authentication required`,
		`unable to pull image or OCI artifact: pull image err: initializing source docker://` + image + `: reading manifest 1 in mirror.local:5000/shop/web: ` +
			`unauthorized: authentication required; artifact err: get manifest: x`,
	} {
		verdict := Diagnose(stuck(waits("ErrImagePull", message)))
		if verdict.Action != Report || verdict.Reason != MirrorRefuses || !strings.Contains(verdict.Message, "CRI-O shows a mirror what the node has for it") {
			t.Errorf("verdict is %s (%s): %s", verdict.Action, verdict.Reason, verdict.Message)
		}
	}
	own := `rpc error: code = Unknown desc = reading manifest 1 in ` + host + `/shop/web: unauthorized: authentication required`
	if verdict := Diagnose(stuck(waits("ErrImagePull", own))); verdict.Action != Restart {
		t.Errorf("the image's own registry is taken for a mirror: %s (%s)", verdict.Action, verdict.Reason)
	}
}

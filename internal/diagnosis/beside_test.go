package diagnosis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// one is a container that waits for an image of a RegistryCredential and a Secret of its own.
type one struct{ container, host, image, credential, secret string }

var ones = []one{
	{"web", host, image, "shop", "regcred"},
	{"side", "other.example", "other.example/side:1", "other", "more"},
}

// beside is a pod with both, in the usual case each.
func beside() Facts {
	f := stuck()
	f.Pod.Spec.ImagePullSecrets, f.Pod.Spec.Containers, f.Pod.Status.ContainerStatuses = nil, nil, nil
	f.Account.PullSecrets, f.Credentials = nil, nil
	for _, o := range ones {
		f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: o.secret})
		f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: o.container, Image: o.image})
		f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, o.waiting(refused))
		f.Account.PullSecrets = append(f.Account.PullSecrets, o.secret)
		f.Account.Attached[o.secret] = noon
		f.Secrets[o.secret] = Secret{
			Owner: pullsecret.Owner{Ours: true}, Keys: []string{o.host},
			Sources: pullsecret.Sources{o.credential: {Revision: "2", Keys: []string{o.host}, Changed: metav1.NewTime(noon)}},
		}
		f.Credentials = append(f.Credentials, Credential{
			Name: o.credential, SecretName: o.secret, Accounts: []string{"default"}, Mode: v1alpha1.RecoveryRestart, Published: true, Revision: "2", Entries: []Entry{{Key: o.host}},
		})
	}
	return f
}

func (o one) waiting(cause string) corev1.ContainerStatus {
	cause = strings.ReplaceAll(strings.ReplaceAll(cause, image, o.image), host, o.host)
	return waiting(o.container, "ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", o.image, cause))
}

// part is one thing that is so of one of the containers. The graver of two decides, wherever in the pod it is.
type part struct {
	name   string
	grave  int
	make   func(f *Facts, i int)
	action Action
	reason Reason
	says   func(o one) string
}

var (
	inContainer = func(o one) string { return "container " + o.container + ": " }
	ofWhich     = func(o one) string { return "RegistryCredential " + o.credential + " " }
)

func setting(change func(c *Credential)) func(*Facts, int) {
	return func(f *Facts, i int) { change(&f.Credentials[i]) }
}

func failing(cause string) func(*Facts, int) {
	return func(f *Facts, i int) { f.Pod.Status.ContainerStatuses[i] = ones[i].waiting(cause) }
}

var parts = []part{
	{"recovery is off", 5, setting(func(c *Credential) { c.Mode = v1alpha1.RecoveryDisabled }), None, RecoveryOff, ofWhich},
	{"it is suspended", 5, setting(func(c *Credential) { c.Suspended = true }), None, RecoveryOff, ofWhich},
	{"the image does not exist", 4, failing(missing), Report, ImageNotFound, inContainer},
	{"the value is refused", 4, setting(func(c *Credential) { c.Entries[0].Rejected = "401" }), Report, CredentialRejected, inContainer},
	{"nobody provides the registry", 4, setting(func(c *Credential) { c.Entries = nil }), Report, NoCredential, inContainer},
	{"the registry is not reached", 3, failing(noRoute), Wait, RegistryUnreachable, inContainer},
	{"nothing is published", 3, setting(func(c *Credential) { c.Published = false }), Wait, NotPublished, inContainer},
	{"the Secret has an older revision", 3, setting(func(c *Credential) { c.Revision = "3" }), Wait, SecretNotSynced, inContainer},
	{"mode is Report", 2, setting(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport }), Report, ReportOnly, ofWhich},
	{"the value is new", 1, func(*Facts, int) {}, Restart, StaleCredential, inContainer},
}

func TestOfTwoContainersTheGraverDecidesWhicheverIsFirst(t *testing.T) {
	for _, first := range parts {
		for _, second := range parts {
			f := beside()
			first.make(&f, 0)
			second.make(&f, 1)
			want, of := first, ones[0]
			if second.grave > first.grave {
				want, of = second, ones[1]
			}
			verdict := Diagnose(f)
			if verdict.Action != want.action || verdict.Reason != want.reason || !strings.Contains(verdict.Message, want.says(of)) {
				t.Errorf("of the first container %s, of the second %s: %s (%s), want %s (%s): %s", first.name, second.name, verdict.Action, verdict.Reason, want.action, want.reason, verdict.Message)
			}
		}
	}
}

// A pod that must not be deleted heals where it has the references. What is told is the container that has none.
func TestOfAPodThatIsLeftAloneTheContainerThatLacksAReferenceIsTold(t *testing.T) {
	for i, lacks := range ones {
		f := beside()
		f.Owners = nil
		f.Pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: ones[1-i].secret}}
		f.Owners = []Owner{{APIVersion: "batch/v1", Kind: "Job", Name: "it", Template: &Template{}}} // the list came from the ServiceAccount
		if verdict := Diagnose(f); verdict.Action != Report || verdict.Reason != JobPod || !strings.Contains(verdict.Message, inContainer(lacks)) {
			t.Errorf("container %s lacks its reference: %s (%s): %s", lacks.container, verdict.Action, verdict.Reason, verdict.Message)
		}
	}
}

// A kubelet takes all pull secrets of a pod together: what one of them says holds wherever it is in the list.
func TestWhereInTheListAPullSecretIsDecidesNothing(t *testing.T) {
	fact := func(change func(*Secret)) change { return secret("this", change) }
	hub := func(f *Facts) {
		f.Pod.Spec.Containers[0].Image = "nginx"
		f.Pod.Status.ContainerStatuses[0].State.Waiting.Message = `Back-off pulling image "nginx": ErrImagePull: ` + refused
		f.Credentials[0].Entries = []Entry{{Key: "index.docker.io"}}
		secret("regcred", func(s *Secret) {
			s.Keys = []string{"index.docker.io"}
			s.Sources = pullsecret.Sources{"shop": {Revision: "2", Keys: s.Keys, Changed: metav1.NewTime(noon)}}
		})(f)
	}
	nobodys := func(f *Facts) { f.Credentials = nil }
	for _, test := range []struct {
		name   string
		cause  change
		fact   change
		reason Reason
	}{
		{"it is for the image, whose pulls are limited", func(f *Facts) { nobodys(f); because(limited)(f) }, fact(func(s *Secret) { s.Keys = []string{host} }), RateLimited},
		{"it may not be read, and the pulls are limited", func(f *Facts) { nobodys(f); because(limited)(f) }, fact(func(s *Secret) { s.Unread = true }), RateLimited},
		{"it breaks every pull", waits("illegal base64 data at input byte 2", ""), fact(func(s *Secret) { s.Breaks = "no JSON" }), MalformedSecret},
		{"it is of another type", nobodys, fact(func(s *Secret) { s.Ignored = "Opaque" }), NoCredential},
		{"it hides the entry for Docker Hub", hub, fact(func(s *Secret) { s.Keys = []string{"docker.io"} }), Shadowed},
		{"it was shown to a mirror", func(f *Facts) {
			nobodys(f)
			because(`failed to resolve image: unexpected status from HEAD request to https://mirror.example/v2/shop/web/manifests/1?ns=registry.example.com: 403 Forbidden`)(f)
		}, fact(func(s *Secret) { s.Keys = []string{host} }), MirrorRefuses},
	} {
		said := ""
		for _, list := range [][]string{{"this", "beside", "regcred"}, {"beside", "this", "regcred"}, {"regcred", "beside", "this"}} {
			f := stuck()
			f.Secrets["beside"] = Secret{Owner: pullsecret.Owner{Manager: "somebody"}, Keys: []string{"quay.io"}}
			f.Secrets["this"] = Secret{Owner: pullsecret.Owner{Manager: "somebody"}}
			secret("regcred", func(s *Secret) { s.Keys, s.Sources = []string{"quay.io"}, nil })(&f)
			f.Pod.Spec.ImagePullSecrets = nil
			for _, name := range list {
				f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
			}
			test.cause(&f)
			test.fact(&f)
			verdict := Diagnose(f)
			if verdict.Reason != test.reason || said != "" && verdict.Text() != said {
				t.Errorf("%s, in %q: %s, want %s: %s", test.name, list, verdict.Reason, test.reason, verdict.Text())
			}
			said = verdict.Text()
		}
	}
}

// A pod's list of its own decides, whatever there is of a ServiceAccount: nothing is inherited.
func TestAPodWithAListOfItsOwnIsToldSoWhateverItsServiceAccountIs(t *testing.T) {
	for name, change := range map[string]change{
		"it does not exist": account(func(a *Account) { *a = Account{Name: a.Name, Missing: true} }),
		"it is not read":    account(func(a *Account) { *a = Account{Name: a.Name, Unread: true} }),
		"it is not served":  account(func(a *Account) { a.Name, a.PullSecrets = "builder", nil }),
	} {
		if verdict := Diagnose(stuck(ownList("old"), change)); verdict.Reason != OwnPullSecrets {
			t.Errorf("%s: %s: %s", name, verdict.Reason, verdict.Message)
		}
	}
}

// The Secret holds an entry for long. A pod that was created before the last rotation and after the first has an old value.
func TestAChangeIsTheLastAndNotWhenTheEntryCame(t *testing.T) {
	f := stuck(secret("regcred", func(s *Secret) {
		source := s.Sources["shop"]
		source.Since = metav1.NewTime(noon.Add(-time.Hour))
		s.Sources["shop"] = source
	}))
	if verdict := Diagnose(f); verdict.Action != Restart || verdict.Reason != StaleCredential || !verdict.Change.Equal(noon) {
		t.Errorf("%s (%s) for a change at %s: %s", verdict.Action, verdict.Reason, verdict.Change, verdict.Message)
	}
}

func TestThatTheRegistryOpensAnImageIsKnownOfThatImageAlone(t *testing.T) {
	f := Finding{Pull: Pull{Image: image}, Credential: "shop", Key: host}
	for name, test := range map[string]struct {
		access Access
		digest string // of which image
		want   string
	}{
		"it was not asked":                           {want: findOut},
		"it denies it":                               {access: AccessDenied, digest: image, want: grant},
		"it opens it":                                {access: AccessAllowed, want: differs},
		"it opened it at the last test":              {digest: image, want: differs},
		"it opened another one at the last test":     {digest: host + "/shop/other:1", want: findOut},
		"it refuses the login, and was not asked so": {access: AccessRefused, want: findOut},
	} {
		facts, entry := &Facts{}, Entry{Key: host}
		if test.access != "" {
			facts.Probes = map[Question]Probe{f.question(): {Access: test.access}}
		}
		if test.digest != "" {
			entry.Digests = map[string]string{test.digest: sum}
		}
		if got := f.opens(facts, entry); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

package diagnosis

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

const (
	host  = "registry.example.com"
	image = host + "/shop/web:1"
	// sum is a digest as registries give it.
	sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// noon is when the Secret changed, and when it was attached.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// change is one difference from the usual case.
type change func(*Facts)

// stuck is the usual case: a pod of a ReplicaSet, created ten minutes before the Secret changed that it refers to, refused by the
// registry, looked at five seconds after the change.
func stuck(changes ...change) Facts {
	f := Facts{
		Now: noon.Add(5 * time.Second),
		Pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "web-1", CreationTimestamp: metav1.NewTime(noon.Add(-10 * time.Minute))},
			Spec: corev1.PodSpec{
				NodeName: "node-1", ServiceAccountName: "default",
				ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}},
				Containers:       []corev1.Container{{Name: "web", Image: image}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodPending},
		},
		Owners:  []Owner{{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ReplicaSet", Name: "web-5d4"}, {APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}},
		Account: Account{Name: "default", PullSecrets: []string{"regcred"}, Attached: map[string]time.Time{"regcred": noon}},
		Secrets: map[string]Secret{"regcred": {
			Owner:   pullsecret.Owner{Ours: true},
			Sources: pullsecret.Sources{"shop": {Revision: "2", Keys: []string{host}, Changed: metav1.NewTime(noon)}},
			Keys:    []string{host},
		}},
		Credentials: []Credential{{
			Name: "shop", SecretName: "regcred", Accounts: []string{"default"}, Mode: v1alpha1.RecoveryRestart,
			Published: true, Revision: "2", Entries: []Entry{{Key: host}},
		}},
	}
	because(refused)(&f)
	for _, c := range changes {
		c(&f)
	}
	return f
}

const (
	refused   = `failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized`
	anonymous = `failed to resolve image: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.example.com/token: 401 Unauthorized`
	missing   = `rpc error: code = NotFound desc = failed to resolve image: registry.example.com/shop/web:1: not found`
	hidden    = `failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`
	denied    = `failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 403 Forbidden`
	noRoute   = `failed to resolve image: failed to do request: Head "https://registry.example.com/v2/shop/web/manifests/1": dial tcp 10.0.0.9:443: connect: connection refused`
	badCert   = `failed to resolve image: failed to do request: Head "https://registry.example.com/v2/shop/web/manifests/1": tls: failed to verify certificate: x509: certificate signed by unknown authority`
	broken    = `failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.example.com/v2/shop/web/manifests/1: 503 Service Unavailable`
	platform  = `rpc error: code = NotFound desc = failed to pull and unpack image "registry.example.com/shop/web:1": no match for platform in manifest: not found`
	diskFull  = `failed to extract layer sha256:3f09: write /var/lib/containerd/fs/x: no space left on device: unknown`
	limited   = `failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 429 Too Many Requests`
	throttled = `pull QPS exceeded`
)

// because sets why the pod is stuck, in the words of a kubelet that is in back-off.
func because(cause string) change {
	return waits("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, cause))
}

func waits(reason, message string) change {
	return func(f *Facts) {
		f.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("web", reason, message)}
	}
}

func waiting(name, reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

// created says when the pod was created, from the change on.
func created(after time.Duration) change {
	return func(f *Facts) { f.Pod.CreationTimestamp = metav1.NewTime(noon.Add(after)) }
}

// now says when the pod is looked at, from the change on.
func now(after time.Duration) change { return func(f *Facts) { f.Now = noon.Add(after) } }

func withoutReference(f *Facts) { f.Pod.Spec.ImagePullSecrets = nil }

func ownList(names ...string) change {
	return func(f *Facts) {
		f.Pod.Spec.ImagePullSecrets = nil
		f.Owners[0].Template = &Template{PullSecrets: names}
		for _, name := range names {
			f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
			f.Secrets[name] = Secret{Unread: true}
		}
	}
}

func ownedBy(apiVersion, kind string) change {
	return func(f *Facts) { f.Owners = []Owner{{APIVersion: apiVersion, Kind: kind, Name: "it"}} }
}

func ofJob(f *Facts) { ownedBy(batchv1.SchemeGroupVersion.String(), "Job")(f) }

func bare(f *Facts) { f.Owners = nil }

// secret changes the Secret of that name.
func secret(name string, c func(*Secret)) change {
	return func(f *Facts) {
		s := f.Secrets[name]
		c(&s)
		f.Secrets[name] = s
	}
}

func credential(c func(*Credential)) change { return func(f *Facts) { c(&f.Credentials[0]) } }

func account(c func(*Account)) change { return func(f *Facts) { c(&f.Account) } }

// answered is a registry's answer about the image.
func answered(access Access, digest string) change {
	return func(f *Facts) {
		f.Credentials[0].Provable = true
		f.Probes = map[Question]Probe{{Credential: "shop", Key: host, Image: image}: {Access: access, Digest: digest, Message: "said the registry"}}
	}
}

func repullable(f *Facts) {
	f.Credentials[0].Repull = true
	f.Credentials[0].Entries[0].Digests = map[string]string{image: sum}
}

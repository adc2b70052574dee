package integration

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/verify"
)

// privateRegistry is a registry over TLS that takes the password of revision 2 alone. Its repositories under closed/ are denied
// to everybody.
type privateRegistry struct {
	host  string
	roots *x509.CertPool
	// digest of the image shop/web:1.
	digest string
	asked  atomic.Int64
}

func startRegistry(t *testing.T) *privateRegistry {
	t.Helper()
	r := &privateRegistry{}
	store := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.asked.Add(1)
		user, password, _ := request.BasicAuth()
		switch {
		case user != "robot" || password != "password-2":
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(request.URL.Path, "/v2/closed/"):
			w.WriteHeader(http.StatusForbidden)
		default:
			store.ServeHTTP(w, request)
		}
	}))
	t.Cleanup(server.Close)
	r.host = server.Listener.Addr().String()
	r.roots = x509.NewCertPool()
	r.roots.AddCert(server.Certificate())
	r.push(t, server.Client().Transport)
	return r
}

func (r *privateRegistry) push(t *testing.T, transport http.RoundTripper) {
	t.Helper()
	image, err := random.Image(256, 1)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(r.image("shop/web"))
	if err != nil {
		t.Fatal(err)
	}
	robot := remote.WithAuth(&authn.Basic{Username: "robot", Password: "password-2"})
	if err := remote.Write(reference, image, robot, remote.WithTransport(transport)); err != nil {
		t.Fatalf("push an image: %v", err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r.digest = digest.String()
}

func (r *privateRegistry) image(repository string) string { return r.host + "/" + repository + ":1" }

// prober asks this registry for the controller.
func (r *privateRegistry) prober(_ *recoveryRig, controller *curing) {
	controller.Prober = verify.New(verify.Options{AllowLoopback: true, RootCAs: func(string) *x509.CertPool { return r.roots }})
}

// here makes a RegistryCredential one for this registry.
func (r *privateRegistry) here(c *v1alpha1.RegistryCredential) {
	c.Spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(r.host)}
}

func repulls(c *v1alpha1.RegistryCredential) {
	c.Spec.PodRecovery = &v1alpha1.PodRecovery{Repull: v1alpha1.RepullEnabled}
}

func ofImage(image string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = image }
}

// hides is what a registry says that does not tell a missing repository from a denied one.
const hides = `failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`

func TestTheRegistryIsAsked(t *testing.T) {
	t.Parallel()
	registry := startRegistry(t)
	rig := startRecovery(t, registry.prober)
	t.Run("rule 28: what the kubelet's message leaves open is settled by the registry", func(t *testing.T) {
		p := rig.place(t, registry.here)
		owner := p.owner(t, "ReplicaSet")
		there, missing, closed := p.pod(t, owner, ofImage(registry.image("shop/web"))), p.pod(t, owner, ofImage(registry.image("shop/nothing"))), p.pod(t, owner, ofImage(registry.image("closed/web")))
		for _, pod := range []*corev1.Pod{there, missing, closed} {
			rig.hangs(t, pod, hides)
		}
		rig.expect(t, "Report/ImageNotFound", func() { rig.expect(t, "Report/PullDenied", func() { p.deliver(t, "2") }) })
		rig.awaitRestart(t, there)
		if rig.restarted(t, missing) || rig.restarted(t, closed) {
			t.Error("a pod was restarted whose image the credential does not open")
		}
	})
	t.Run("rule 7: a value that the registry refuses restarts nothing, and is shown to it once", func(t *testing.T) {
		p := rig.place(t, registry.here)
		owner := p.owner(t, "ReplicaSet")
		var pods []*corev1.Pod
		for range 20 {
			pods = append(pods, p.pod(t, owner, ofImage(registry.image("shop/web"))))
			rig.hangs(t, pods[len(pods)-1], authFailed)
		}
		before, told := registry.asked.Load(), rig.metrics.count("Report/CredentialRejected")
		p.deliver(t, "wrong")
		await(t, "a verdict on every pod", func() bool { return rig.metrics.count("Report/CredentialRejected") == told+len(pods) })
		for _, pod := range pods {
			if rig.restarted(t, pod) {
				t.Errorf("pod %s was restarted", pod.Name)
			}
		}
		if asked := registry.asked.Load() - before; asked > 2 { // one without and one with the password
			t.Errorf("the registry got %d requests with a password that it refuses", asked)
		}
	})
	t.Run("rule 33: a repull that does not help is not followed by a restart", func(t *testing.T) {
		p := rig.place(t, registry.here, repulls)
		p.deliver(t, "1")
		pod := p.pod(t, p.owner(t, "ReplicaSet"), ofImage(registry.image("shop/web")))
		awaitNextSecond(t)
		p.publish(t, "2")
		rig.hangs(t, pod, authFailed)
		await(t, "the repull", func() bool { return strings.Contains(rig.get(t, pod).Spec.Containers[0].Image, "@") })
		rig.expect(t, "Report/CredentialDidNotHelp", func() { rig.hangs(t, pod, authFailed) })
		if rig.restarted(t, pod) {
			t.Error("the pod was restarted")
		}
	})
	t.Run("rule 2: a repull pins the image and keeps the pod, whoever owns it", func(t *testing.T) {
		p := rig.place(t, registry.here, repulls)
		p.deliver(t, "1")
		pods := []*corev1.Pod{p.pod(t, nil, ofImage(registry.image("shop/web"))), p.pod(t, p.owner(t, "Job"), ofImage(registry.image("shop/web"))), p.pod(t, p.owner(t, "ReplicaSet"), ofImage(registry.image("shop/web")))}
		awaitNextSecond(t)
		p.publish(t, "2")
		for _, pod := range pods {
			rig.hangs(t, pod, authFailed)
		}
		want := registry.image("shop/web") + "@" + registry.digest
		for _, pod := range pods {
			await(t, "the repull of "+pod.Name, func() bool {
				current := rig.get(t, pod)
				return current.UID == pod.UID && current.DeletionTimestamp == nil && current.Spec.Containers[0].Image == want
			})
			rig.runs(t, pod)
		}
		await(t, "the metric of recovered pods", func() bool { return rig.metrics.recoveries("Repull") == len(pods) })
	})
}

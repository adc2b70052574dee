package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/operator"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/payload"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/verify"
)

// deliveryOverlay gives the operator two names of each, so that names can change.
const deliveryOverlay = `
resources: [DEFAULT]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "regcred,registry-creds", list: [regcred, registry-creds]}
    serviceAccountNames: {commaSeparated: "default,builder", list: [default, builder]}
transformers: [REPLACEMENTS]`

// deliveryRig is a real API server with roles and policies as shipped. The controllers run in the test's process with the
// operator's own token; only the source and the registry are stand-ins.
type deliveryRig struct {
	*installation
	operator *rest.Config
}

func init() {
	ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard)))
}

func startDeliveryRig(t *testing.T) *deliveryRig {
	t.Helper()
	rig := &deliveryRig{installation: startInstallation(t)}
	rig.kubectl(t, "apply", "-k", writeOverlay(t, deliveryOverlay))
	rig.operator = rig.withToken(t)
	rig.awaitFence(t)
	return rig
}

// awaitFence waits until the API server knows roles and policies with the names of the overlay.
func (rig *deliveryRig) awaitFence(t *testing.T) {
	t.Helper()
	operator := client.NewDryRunClient(newAPIClient(t, rig.operator))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: rig.namespace(t), Name: "builder"}}
	rig.create(t, account)
	unlabelled := pullSecret(func(s *corev1.Secret) { s.Namespace, s.Name, s.Labels = account.Namespace, "registry-creds", nil })
	labelled := pullSecret(func(s *corev1.Secret) { s.Namespace, s.Name = account.Namespace, "registry-creds" })
	probes := []struct {
		do      func() error
		refused string
	}{
		{func() error { return doApplyOnce(t.Context(), operator, labelled) }, ""},
		{func() error { return doApplyOnce(t.Context(), operator, unlabelled) }, "regcred-secrets"},
		{func() error {
			return doPatch(`{"imagePullSecrets":[{"name":"registry-creds"}]}`)(t.Context(), operator, account.DeepCopy())
		}, ""},
		{func() error {
			return doPatch(`{"imagePullSecrets":[{"name":"stolen"}]}`)(t.Context(), operator, account.DeepCopy())
		}, "regcred-serviceaccounts"},
	}
	for _, probe := range probes {
		awaitAPI(t, "roles and policies are in force", func() error {
			if err := probe.do(); probe.refused == "" && err != nil || probe.refused != "" && (err == nil || !strings.Contains(err.Error(), probe.refused)) {
				return fmt.Errorf("the answer to a probe that %q refuses is: %w", probe.refused, err)
			}
			return nil
		})
	}
}

// shelf stands in for Vault: values by path. It can be closed.
type shelf struct {
	mu     sync.Mutex
	values map[string]shelved
	closed bool
	reads  int
}

type shelved struct {
	revision int
	password string
}

// put stores a new value and returns its revision.
func (s *shelf) put(path, password string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[string]shelved{}
	}
	s.values[path] = shelved{revision: s.values[path].revision + 1, password: password}
	return fmt.Sprint(s.values[path].revision)
}

func (s *shelf) close(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = closed
}

func (s *shelf) readSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Read implements credential.Reader.
func (s *shelf) Read(_ context.Context, request source.Request) (source.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	value, there := s.values[request.Source.Vault.Path]
	if s.closed || !there {
		return source.Snapshot{}, source.Transient(v1alpha1.ReasonSealed, "the shelf is closed", nil)
	}
	if keys := request.Source.Vault.Keys; keys != nil { // another password of the same version
		value.password += " of " + keys.Password
	}
	made, err := payload.Render(payload.Fields{"username": "robot", "password": value.password}, payload.Want{
		Registries: request.Registries, PerHost: request.PerHost, Keys: payload.Keys{Username: "username", Password: "password"}, Where: "the shelf",
	})
	return source.Snapshot{Config: made.Config, Revision: fmt.Sprint(value.revision), ReadTime: time.Now()}, err
}

// nobody stands in for what these tests do not use: every credential here has verification mode Disabled.
type nobody struct{}

var errNobody = errors.New("nobody is asked in this test")

func (nobody) Ask(context.Context, verify.Question) verify.Answer {
	return verify.Answer{Verdict: verify.ValueUnknown}
}

func (nobody) InUse(context.Context, []string, func(string) bool, int) ([]string, error) {
	return nil, errNobody
}

func (nobody) Running(context.Context, []string, string, func(string) bool) (podlist.Running, error) {
	return podlist.Running{}, nil
}

// run is one life of the controllers.
type run struct {
	rig   *deliveryRig
	board *delivered.Board
	store *records.Store
	tally *podcounts.Counter
	stop  func()
}

// runOptions change how the controllers see the world.
type runOptions struct {
	shelf *shelf
	// transport wraps the way to the API server.
	transport func(http.RoundTripper) http.RoundTripper
	// now is the API server's time, as the controllers know it.
	now func() time.Time
}

// start runs the controllers until stop, or the end of the test.
func (rig *deliveryRig) start(t *testing.T, o runOptions) *run {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	restConfig := rest.CopyConfig(rig.operator)
	if o.transport != nil {
		restConfig.Wrap(o.transport)
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme: scheme.Scheme, Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller:              config.Controller{SkipNameValidation: ptr.To(true)},
		GracefulShutdownTimeout: ptr.To(5 * time.Second),
		Cache:                   operator.CacheOptions(operatorNamespace),
	})
	must(err)
	if o.now == nil {
		o.now = time.Now
	}
	p, err := operator.New(t.Context(), mgr, operator.Options{
		Namespace: operatorNamespace, SecretNames: []string{"regcred", "registry-creds"}, ServiceAccountNames: []string{"default", "builder"},
		Protected: []string{"kube-system", "kube-public", "kube-node-lease"}, Now: o.now,
	})
	must(err)
	must(p.AddInjection(nil))
	must(p.AddDelivery())
	must(p.AddCredential(operator.Reading{
		Source: o.shelf, Asker: nobody{}, Images: nobody{}, Running: nobody{}, Metrics: telemetry.New(prometheus.NewRegistry()),
	}))
	r := &run{rig: rig, board: p.Board, tally: p.Pods, store: p.Store}
	r.launch(t, mgr)
	return r
}

func (r *run) launch(t *testing.T, mgr ctrl.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the controllers: %v", err)
		}
	})
	t.Cleanup(r.stop)
	synced, cancelSync := context.WithTimeout(t.Context(), time.Minute)
	defer cancelSync()
	if !mgr.GetCache().WaitForCacheSync(synced) {
		t.Fatal("the caches did not fill")
	}
}

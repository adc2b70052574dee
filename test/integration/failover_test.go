package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

const (
	// fanOut is the number of namespaces in which a leader is lost.
	fanOut = 500
	// takeOver is how soon another replica is to lead.
	takeOver = 20 * time.Second
	// leaseTerm is how long a lease lasts after it was renewed.
	leaseTerm = 12 * time.Second
)

// replica is one process of the operator. Its program has a name of its own, so that the audit log tells replicas apart.
type replica struct {
	name    string
	process *os.Process
	ended   chan struct{}
	probes  string // the address of its health endpoint
}

// replicas of the operator, by name.
type replicas struct {
	*operatorRun
	audit  *audit
	all    map[string]*replica
	folder string // of programs and logs
}

func startReplicas(t *testing.T, names ...string) *replicas {
	t.Helper()
	log, flags := newAudit(t)
	r := &replicas{operatorRun: startOperatorRun(t, flags...), audit: log, all: map[string]*replica{}, folder: t.TempDir()}
	for _, name := range names {
		r.all[name] = r.startReplica(t, name)
	}
	t.Cleanup(func() { r.showLogs(t) })
	return r
}

func (r *replicas) startReplica(t *testing.T, name string) *replica {
	t.Helper()
	program := filepath.Join(r.folder, name)
	if err := os.Symlink(r.binary, program); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(program + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	probes := freeAddress(t)
	command := exec.Command(program, "--namespace", operatorNamespace, "--metrics-bind-address=0", "--health-probe-bind-address="+probes,
		"--leader-elect", "--allow-loopback-registries", "--insecure-registries="+r.registry.Basic)
	command.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig)
	command.Stdout, command.Stderr = log, log
	wait, err := box.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	one := &replica{name: name, process: command.Process, ended: make(chan struct{}), probes: probes}
	go func() { _ = wait(); close(one.ended) }() // how it ended is its log's business
	t.Cleanup(func() {
		_ = one.process.Signal(syscall.SIGKILL) // it may be gone already
		<-one.ended
	})
	return one
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// mustBeWell makes sure that replicas answer the probes, the watchdog's among them.
func (r *replicas) mustBeWell(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		for _, probe := range []string{"/healthz/controllers", "/healthz", "/readyz"} {
			response, err := http.Get("http://" + r.all[name].probes + probe)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s of %s: %s", probe, name, response.Status)
			}
		}
	}
}

func (r *replicas) showLogs(t *testing.T) {
	for name := range r.all {
		if log, err := os.ReadFile(filepath.Join(r.folder, name+".log")); err == nil && t.Failed() {
			t.Logf("the log of %s ends with:\n%s", name, lastLines(string(log), 20))
		}
	}
}

func (r *replicas) signal(t *testing.T, name string, signal syscall.Signal) {
	t.Helper()
	if err := r.all[name].process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// leader is whoever renewed the lease last.
func (r *replicas) leader(t *testing.T) (string, error) {
	t.Helper()
	leader := ""
	for _, request := range r.audit.requests(t) {
		if request.renews() {
			leader, _, _ = strings.Cut(request.UserAgent, "/")
		}
	}
	if leader == "" {
		return "", errors.New("nobody holds the lease")
	}
	return leader, nil
}

// inTheMiddle rotates the password and returns the leader when a tenth of the namespaces have the new one. since is before the first.
func (r *replicas) inTheMiddle(t *testing.T, password string) (leader string, since time.Time) {
	t.Helper()
	leader, err := r.leader(t)
	if err != nil {
		t.Fatal(err)
	}
	var list corev1.SecretList
	watch, err := scenario.Follow(t.Context(), newAPIClient(t, r.config), &list, byName("regcred"))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	since = time.Now()
	r.rotate(t, password)
	limit := time.After(30 * time.Second)
	for range len(list.Items) + fanOut/10 {
		select {
		case <-watch.ResultChan():
		case <-limit:
			t.Fatalf("the fan-out of %s did not begin", password)
		}
	}
	return leader, since
}

// awaitTakeOver waits until somebody else leads, and returns who, and when that was by the API server's clock.
func (r *replicas) awaitTakeOver(t *testing.T, from string) (leader string, at time.Time) {
	t.Helper()
	awaitWithin(t, 2*takeOver, func(context.Context) (err error) {
		if leader, err = r.leader(t); err == nil && leader == from {
			err = fmt.Errorf("%s still leads", from)
		}
		return err
	})
	for _, request := range r.audit.requests(t) {
		if request.renews() && request.by(leader) {
			return leader, request.Answered
		}
	}
	panic("unreachable: it renews")
}

// complete reports whether all namespaces have the password, and all ServiceAccounts keep what was in them.
func (r *replicas) complete(ctx context.Context, password string) error {
	var secrets corev1.SecretList
	if err := r.admin.List(ctx, &secrets, client.MatchingFields{"metadata.name": "regcred"}); err != nil {
		return err
	}
	fresh := 0
	for i := range secrets.Items {
		config, err := dockerconfig.Parse(secrets.Items[i].Data[corev1.DockerConfigJsonKey])
		if err != nil {
			return err
		}
		if config[r.registry.Basic].Password() == password {
			fresh++
		}
	}
	var accounts corev1.ServiceAccountList
	if err := r.admin.List(ctx, &accounts, client.MatchingFields{"metadata.name": "default"}); err != nil {
		return err
	}
	attached := 0
	for i := range accounts.Items {
		if names := accounts.Items[i].ImagePullSecrets; len(names) == 2 && names[0].Name == "of-others" && names[1].Name == "regcred" {
			attached++
		}
	}
	if fresh != fanOut || attached != fanOut {
		return fmt.Errorf("%d of %d Secrets are fresh, %d ServiceAccounts name them", fresh, fanOut, attached)
	}
	return nil
}

// TestAnotherReplicaTakesOverInTheMiddleOfAFanOut loses the leader twice in a fan-out: by SIGKILL, and by SIGSTOP, which lets it go on
// as soon as another one leads.
func TestAnotherReplicaTakesOverInTheMiddleOfAFanOut(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, "regcred-a", "regcred-b", "regcred-c")
	r.makeNamespaces(t, fanOut)
	r.rotate(t, "password-0")
	r.applyCredentialWith(t, func(spec *v1alpha1.RegistryCredentialSpec) { spec.Verification = nil })
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.complete(ctx, "password-0") })

	r.mustBeWell(t, "regcred-a", "regcred-b", "regcred-c")

	killed, since := r.inTheMiddle(t, "password-1")
	lost := time.Now()
	r.signal(t, killed, syscall.SIGKILL)
	second, at := r.awaitTakeOver(t, killed)
	r.mustBeSoon(t, "SIGKILL", at.Sub(lost))
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.complete(ctx, "password-1") })
	r.mustHaveShared(t, killed, second, since)

	stopped, since := r.inTheMiddle(t, "password-2")
	lost = time.Now()
	r.signal(t, stopped, syscall.SIGSTOP)
	third, at := r.awaitTakeOver(t, stopped)
	r.signal(t, stopped, syscall.SIGCONT)
	r.mustBeSoon(t, "SIGSTOP", at.Sub(lost))
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return r.complete(ctx, "password-2") })
	r.mustHaveShared(t, stopped, third, since)
	select {
	case <-r.all[stopped].ended:
	case <-time.After(takeOver):
		t.Errorf("%s goes on after it lost its lease", stopped)
	}
	r.mustBeFenced(t, stopped, third)
	r.mustBeWell(t, third)
}

func (r *replicas) mustBeSoon(t *testing.T, how string, after time.Duration) {
	t.Helper()
	t.Logf("%s: taken over after %s", how, after.Round(time.Millisecond))
	if after > takeOver {
		t.Errorf("%s: taken over after %s, not within %s", how, after, takeOver)
	}
}

// mustHaveShared makes sure that the leader was lost in the middle: both wrote.
func (r *replicas) mustHaveShared(t *testing.T, before, after string, since time.Time) {
	t.Helper()
	writes := map[string]int{}
	for _, request := range r.audit.requests(t) {
		if request.writes() && request.succeeded() && request.Object.Resource == "secrets" && request.Received.After(since) {
			name, _, _ := strings.Cut(request.UserAgent, "/")
			writes[name]++
		}
	}
	t.Logf("Secrets written: %v", writes)
	if writes[before] < fanOut/10 || writes[after] == 0 {
		t.Errorf("Secrets written: %v: this was not the middle of a fan-out", writes)
	}
}

// mustBeFenced makes sure that an old leader asked for no write after its lease, whatever the answer, and that it left the lease of the
// new leader alone.
func (r *replicas) mustBeFenced(t *testing.T, old, heir string) {
	t.Helper()
	requests := r.audit.requests(t)
	var renewed, taken time.Time
	for _, request := range requests {
		if request.renews() && request.by(old) && taken.IsZero() {
			renewed = request.Received
		}
		if request.renews() && request.by(heir) && taken.IsZero() {
			taken = request.Received
		}
	}
	if sooner := renewed.Add(leaseTerm).Sub(taken); sooner > 0 {
		t.Errorf("%s took over %s before the lease of %s ended", heir, sooner, old)
	}
	reads := 0
	for _, request := range requests {
		if request.Object.Resource != "leases" && strings.Contains(request.UserAgent, "leader-election") {
			t.Fatalf("sent by the client of the lease, which gives up early: %s", request)
		}
		if !request.by(old) || !request.Received.After(renewed.Add(leaseTerm)) {
			continue
		}
		switch {
		case request.writes():
			t.Errorf("after its lease: %s", request)
		case request.renews():
			t.Errorf("it takes the new leader's lease away: %s", request)
		default:
			reads++
		}
	}
	if reads == 0 {
		t.Errorf("%s asked for nothing after it went on: that proves nothing", old)
	}
}

package operator

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/controllers/attachment"
	"regcred.dev/regcred/controllers/connection"
	"regcred.dev/regcred/controllers/credential"
	"regcred.dev/regcred/controllers/recovery"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/tracing"
	"regcred.dev/regcred/internal/watchdog"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/manager"
)

// These stand for what the program gives the controllers. Nobody calls them here.
type (
	reader   struct{ source.Reader }
	leases   struct{ source.Leases }
	asker    struct{ credential.Asker }
	images   struct{ credential.Images }
	running  struct{ credential.RunningPods }
	readings struct{ credential.Metrics }
	checker  struct{ connection.Checker }
	prober   struct{ recovery.Prober }
	cures    struct{ recovery.Metrics }
	pods     struct{ cache.Cache }
	lists    struct{ recovery.Lists }
	watches  struct{ attachment.Watches }
	indexes  struct{ attachment.Metrics }
)

// answered is a manager before an API server that takes each write as it is, and has nothing else.
type answered struct {
	ctrl.Manager
	cluster client.Client
	sent    *sent
}

// sent are the paths of writes.
type sent struct {
	mu    sync.Mutex
	paths []string
}

func (s *sent) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := s.paths
	s.paths = nil
	return paths
}

// GetClient has no cache where the manager does not run.
func (a answered) GetClient() client.Client { return a.cluster }

func (a answered) GetHTTPClient() *http.Client { return &http.Client{Transport: a} }

func (a answered) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: nothingOf(request)}, nil
	}
	a.sent.mu.Lock()
	defer a.sent.mu.Unlock()
	a.sent.paths = append(a.sent.paths, request.URL.Path)
	return &http.Response{StatusCode: http.StatusOK, Header: request.Header, Body: request.Body}, nil
}

// nothingOf is an empty list of Secrets or ServiceAccounts, or a watch of them that tells of nothing until its request ends.
func nothingOf(request *http.Request) io.ReadCloser {
	kind := "Secret"
	if strings.HasSuffix(request.URL.Path, "/serviceaccounts") {
		kind = "ServiceAccount"
	}
	if !request.URL.Query().Has("watch") {
		return io.NopCloser(strings.NewReader(`{"apiVersion":"v1","kind":"` + kind + `List","metadata":{"resourceVersion":"1"},"items":[]}`))
	}
	body, events := io.Pipe()
	context.AfterFunc(request.Context(), func() { _ = events.Close() })
	go func() {
		_, _ = io.WriteString(events, `{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"`+kind+
			`","metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n")
	}()
	return body
}

// then is the API server's time: no clock of the process shows it.
var then = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// all are an operator, and its controllers as the program makes them, by name.
func all(t *testing.T) (*Operator, map[string]any) {
	t.Helper()
	cluster := inmemory.Cluster().Build()
	mgr := answered{manager.New(t, cluster), cluster, &sent{}}
	p, err := New(t.Context(), mgr, Options{
		Namespace: "regcred-system", Protected: append(make([]string, 0, 8), "kube-system"), SecretNames: []string{"pull"}, ServiceAccountNames: []string{"builder"}, Now: func() time.Time { return then },
		Watchdog: &watchdog.Watchdog{}, Traces: &tracing.Rotations{},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.book = injection.NewBook(func(string, bool) {})
	if err := p.AddDelivery(); err != nil {
		t.Fatal(err)
	}
	return p, map[string]any{
		"attachment": p.attaching(watches{}, indexes{}),
		"connection": p.connecting(checker{}, func() string { return "" }),
		"credential": p.reading(Reading{
			Source: reader{}, Leases: leases{}, News: &credential.News{}, Asker: asker{}, Images: images{}, Running: running{}, Metrics: readings{},
		}),
		"delivery": p.delivering,
		"recovery": p.curing(Curing{
			Limits: recovery.DefaultLimits(), SuccessorFirst: true, OwnerKinds: diagnosis.OwnerKinds{{}}, Prober: prober{}, Metrics: cures{},
		}, pods{}, lists{}),
	}
}

// A controller works without most of what it is given, and does less: nobody would see it.
func TestEachControllerIsGivenAllThatItTakes(t *testing.T) {
	_, controllers := all(t)
	for name, one := range controllers {
		fields := reflect.ValueOf(one).Elem()
		for i := range fields.NumField() {
			if field := fields.Type().Field(i); field.IsExported() && fields.Field(i).IsZero() {
				t.Errorf("%s is not given %s", name, field.Name)
			}
		}
	}
}

// One that had a client, a cache or a memory of its own would not see what the others did.
func TestWhatControllersShareIsTheSameForAll(t *testing.T) {
	p, controllers := all(t)
	shared := map[string]any{
		"Client": p.Manager.GetClient(), "Cluster": p.Manager.GetClient(), "Live": p.Manager.GetAPIReader(), "Writer": p.Writer, "Book": p.book,
		"Secrets": p.Secrets, "ServiceAccounts": p.ServiceAccounts, "Store": p.Store, "Board": p.Board, "Watchdog": p.Watchdog, "Traces": p.Traces,
	}
	for name, one := range controllers {
		fields := reflect.ValueOf(one).Elem()
		for what, want := range shared {
			if field := fields.FieldByName(what); field.IsValid() && field.Interface() != want {
				t.Errorf("%s has other %s", name, what)
			}
		}
	}
	reading, curing := controllers["credential"].(*credential.Reconciler), controllers["recovery"].(*recovery.Reconciler)
	if reading.Pods != p.Pods || p.delivering.Pods != p.Pods || curing.Tally != p.Pods || p.delivering.Events.Client != client.Writer(p.Writer) {
		t.Error("pods are counted, or events written, apart")
	}
	if !slices.Equal(p.Secrets.Names(), []string{"pull"}) || !slices.Equal(p.ServiceAccounts.Names(), []string{"builder"}) {
		t.Errorf("Secrets are read by the names %q, ServiceAccounts by %q", p.Secrets.Names(), p.ServiceAccounts.Names())
	}
}

// By the clock of a node that is ahead, each new pod would be older than the change and be restarted again and again.
func TestWhatIsComparedWithTheAgeOfPodsIsDatedByTheAPIServer(t *testing.T) {
	p, controllers := all(t)
	reading, curing := controllers["credential"].(*credential.Reconciler), controllers["recovery"].(*recovery.Reconciler)
	for what, clock := range map[string]func() time.Time{
		"a change of a Secret": p.delivering.Now, "an event of a loss": p.delivering.Events.Now, "a cure": curing.Now, "a pod at risk": reading.ClusterNow,
	} {
		if now := clock(); !now.Equal(then) {
			t.Errorf("%s is dated %s", what, now)
		}
	}
	if now := reading.Now(); time.Since(now).Abs() > time.Hour {
		t.Errorf("the next read is dated %s: the API server's time waits for its answers", now)
	}
}

func TestTheOperatorsNamespaceIsProtectedBesideThoseThatAreListed(t *testing.T) {
	p, controllers := all(t)
	reading, curing := controllers["credential"].(*credential.Reconciler), controllers["recovery"].(*recovery.Reconciler)
	for what, got := range map[string][]string{
		"delivery": p.delivering.Protected, "credential": reading.Protected, "recovery": append(slices.Clone(curing.Protected), curing.OwnNamespace),
	} {
		if want := []string{"kube-system", "regcred-system"}; !slices.Equal(got, want) {
			t.Errorf("%s protects %q, want %q", what, got, want)
		}
	}
	if given := p.Protected[:cap(p.Protected)]; given[1] != "" {
		t.Errorf("what the caller listed is written over: %q", given)
	}
}

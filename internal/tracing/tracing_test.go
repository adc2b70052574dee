package tracing

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"regcred.dev/regcred/test/collector"
)

// rig is a tracer, the collector that it sends to, and a clock in the test's hand.
type rig struct {
	*Rotations
	to  *collector.Collector
	now time.Time
	log strings.Builder
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{to: collector.Start(t), now: time.Unix(1_800_000_000, 0)}
	var err error
	r.Rotations, err = New(t.Context(), Options{
		Endpoint: r.to.URL, Version: "v1.2.3", Namespace: "regcred-system", Pod: "regcred-0", Now: func() time.Time { return r.now },
		Log: funcr.New(func(prefix, arguments string) { fmt.Fprintln(&r.log, prefix, arguments) }, funcr.Options{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(context.WithoutCancel(t.Context())) })
	return r
}

func (r *rig) pass(d time.Duration) { r.now = r.now.Add(d) }

// sent sends what has ended and gives it by name.
func (r *rig) sent(t *testing.T) map[string]collector.Span {
	t.Helper()
	if err := r.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	byName := map[string]collector.Span{}
	for _, span := range r.to.Spans() {
		if _, twice := byName[span.Name]; twice {
			t.Errorf("two spans are named %s", span.Name)
		}
		byName[span.Name] = span
	}
	return byName
}

var value = Value{Revision: "v7", Digest: "digest-7"}

// rotate goes through the phases up to the publication.
func (r *rig) rotate(value Value) {
	read := r.Read("company")
	r.pass(10 * time.Millisecond)
	r.Found("company", value, read)
	read.End("Read", false)
	test := r.Test("company", value.Digest, "ghcr.io")
	r.pass(100 * time.Millisecond)
	test.End("Accepted", false)
	publish := r.Publish("company", value)
	r.pass(time.Millisecond)
	r.Published("company", value, publish)
	publish.End("PublishProven", false)
}

func TestTheFivePhasesOfARotationAreOneTrace(t *testing.T) {
	r := start(t)
	r.rotate(value)
	cure := r.Cure("company", Pod{"team-a", "web-0", "SecretChanged"})
	cure.End("Restart", false)
	for range 3 {
		r.pass(time.Second)
		r.Touched("company")
	}
	r.pass(200 * time.Millisecond) // until the counts were looked at
	r.Delivering("company", value.Digest, Counts{Selected: 3, Synced: 2})
	r.Delivering("company", value.Digest, Counts{Selected: 3, Synced: 2, Failed: 1, Failing: []string{"team-c: Foreign\x1bSecret"}})
	r.Delivering("company", value.Digest, Counts{Selected: 3, Synced: 3})
	spans := r.sent(t)
	if len(spans) != 5 {
		t.Fatalf("sent %v", spans)
	}
	for child, parent := range map[string]string{"test": "read", "publish": "read", "deliver": "publish", "cure": "deliver"} {
		if spans[child].Parent != spans[parent].ID || spans[child].Trace != spans["read"].Trace {
			t.Errorf("%s belongs to %s of trace %s, want %s", child, spans[child].Parent, spans[child].Trace, parent)
		}
		if spans[child].Attributes["regcred.credential"] != "company" {
			t.Errorf("%s is about %v", child, spans[child].Attributes)
		}
	}
	if spans["read"].Parent != "" {
		t.Errorf("the read is no root")
	}
	if lasted := time.Duration(spans["deliver"].End - spans["deliver"].Start); lasted != 3*time.Second {
		t.Errorf("the fan-out lasted %s, want until the last delivery changed", lasted)
	}
	want := map[string]string{
		"regcred.credential": "company", "regcred.revision": "v7", "regcred.outcome": PartlyDelivered,
		"regcred.namespaces.selected": "3", "regcred.namespaces.synced": "2", "regcred.namespaces.failed": "1",
		"regcred.namespaces.failing": "team-c: Foreign Secret",
		"service.name":               "regcred", "service.version": "v1.2.3", "k8s.namespace.name": "regcred-system", "k8s.pod.name": "regcred-0",
	}
	if diff := cmp.Diff(want, spans["deliver"].Attributes); diff != "" || !spans["deliver"].Failed {
		t.Errorf("the fan-out failed: %t, and says (-want +got):\n%s", spans["deliver"].Failed, diff)
	}
	if strings.Contains(r.to.Raw(), value.Digest) {
		t.Error("the digest was sent")
	}
}

func TestWhatBelongsToNoRotationIsATraceOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(*rig) (root string)
	}{
		{"a read that gave nothing new", func(r *rig) string {
			read := r.Read("company")
			read.End("Read", false)
			return "read"
		}},
		{"a test of the value in use", func(r *rig) string {
			r.Test("company", "", "ghcr.io").End("Accepted", false)
			return "test"
		}},
		{"a publication of a value that an earlier process read", func(r *rig) string {
			r.Publish("company", value).End("PublishProven", false)
			return "publish"
		}},
		{"a cure of a RegistryCredential whose rotation nobody saw", func(r *rig) string {
			r.Cure("company", Pod{}).End("Restart", false)
			return "cure"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t)
			name := test.do(r)
			if spans := r.sent(t); len(spans) != 1 || spans[name].Parent != "" {
				t.Errorf("sent %v", spans)
			}
		})
	}
}

func TestACureLongAfterARotationBeginsATrace(t *testing.T) {
	r := start(t)
	r.rotate(value)
	r.Delivering("company", value.Digest, Counts{Selected: 1, Synced: 1})
	r.pass(curesBelong)
	r.Cure("company", Pod{}).End("Restart", false)
	if spans := r.sent(t); spans["cure"].Parent != "" || spans["cure"].Trace == spans["read"].Trace {
		t.Errorf("the cure belongs to %v", spans["cure"])
	}
}

func TestTheFirstReadOfAValueIsItsRoot(t *testing.T) {
	r := start(t)
	first := r.Read("company")
	r.Found("company", value, first)
	first.End("Read", false)
	again := r.Read("company")
	r.Found("company", value, again)
	publish := r.Publish("company", value)
	publish.End("Publish", false)
	if spans := r.sent(t); spans["publish"].Parent != spans["read"].ID {
		t.Errorf("sent %v", spans)
	}
}

func TestWhatIsDoneWithAnotherValueThanWasFoundLastBeginsATrace(t *testing.T) {
	r, other := start(t), Value{Revision: "v6", Digest: "digest-6"}
	read := r.Read("company")
	r.Found("company", value, read)
	read.End("Read", false)
	r.Test("company", other.Digest, "ghcr.io").End("Accepted", false)
	r.Publish("company", other).End("BackToPrevious", false)
	spans := r.sent(t)
	for _, name := range []string{"test", "publish"} {
		if spans[name].Parent != "" || spans[name].Trace == spans["read"].Trace {
			t.Errorf("%s belongs to %v", name, spans[name])
		}
	}
}

func TestAFanOutEnds(t *testing.T) {
	const touched, seen = 2 * time.Second, 5 * time.Second // after the publication a delivery changes, and then it is looked at
	newer := Value{Revision: "v8", Digest: "digest-8"}
	for _, test := range []struct {
		name, outcome string
		failed        bool
		lasted        time.Duration
		do            func(t *testing.T, r *rig)
	}{
		{"when every namespace has the value", Delivered, false, touched, func(_ *testing.T, r *rig) {
			r.Delivering("company", value.Digest, Counts{Selected: 2, Synced: 2})
		}},
		{"when a newer value is found meanwhile and every namespace has this one", Delivered, false, touched, func(_ *testing.T, r *rig) {
			r.Found("company", newer, r.Read("company"))
			r.Delivering("company", value.Digest, Counts{Selected: 2, Synced: 2})
		}},
		{"when some cannot be served", PartlyDelivered, true, touched, func(_ *testing.T, r *rig) {
			r.Delivering("company", value.Digest, Counts{Selected: 2, Synced: 1, Failed: 1})
		}},
		{"when it goes on for too long", DeliveryGoesOn, true, seen + deliverAtMost, func(_ *testing.T, r *rig) {
			r.pass(deliverAtMost)
			r.Delivering("company", value.Digest, Counts{Selected: 2, Synced: 1})
		}},
		{"when the RegistryCredential is gone", DeliveryForgotten, false, seen, func(_ *testing.T, r *rig) { r.Forget("company") }},
		{"when the process ends", DeliveryForgotten, false, seen, func(t *testing.T, r *rig) {
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"when a newer value is published", DeliveryReplaced, false, seen, func(_ *testing.T, r *rig) {
			r.Published("company", newer, r.Publish("company", newer))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t)
			r.rotate(value)
			r.Delivering("company", value.Digest, Counts{Selected: 2})
			if _, ended := r.sent(t)["deliver"]; ended {
				t.Fatal("it ended before a namespace had the value")
			}
			r.pass(touched)
			r.Touched("company")
			r.pass(seen - touched)
			test.do(t, r)
			span, ended := r.sent(t)["deliver"]
			if lasted := time.Duration(span.End - span.Start); lasted != test.lasted {
				t.Errorf("it lasted %s, want %s", lasted, test.lasted)
			}
			if !ended || span.Attributes["regcred.outcome"] != test.outcome || span.Failed != test.failed {
				t.Errorf("it ended: %t, failed: %t, with %v", ended, span.Failed, span.Attributes)
			}
		})
	}
}

func TestWhatIsKnownDoesNotGrow(t *testing.T) {
	r := start(t)
	for range 1000 {
		r.rotate(value)
	}
	r.Test("gone", "digest", "ghcr.io").End("Accepted", false)
	r.Publish("gone", value).End("Publish", false)
	r.Touched("gone")
	r.Delivering("gone", value.Digest, Counts{})
	r.Cure("gone", Pod{}).End("Restart", false)
	if len(r.known) != 1 {
		t.Errorf("%d RegistryCredentials are known, want the one that is there", len(r.known))
	}
	r.Forget("company")
	if len(r.known) != 0 {
		t.Errorf("%d RegistryCredentials are known after the last is gone", len(r.known))
	}
}

func TestWithoutTracesNothingRunsAndNothingIsAllocated(t *testing.T) {
	var off *Rotations
	running := goleak.IgnoreCurrent()
	allocated := testing.AllocsPerRun(100, func() {
		read := off.Read("company")
		off.Found("company", value, read)
		read.End("Read", false)
		off.Test("company", value.Digest, "ghcr.io").End("Accepted", false)
		publish := off.Publish("company", value)
		off.Published("company", value, publish)
		publish.End("Publish", false)
		off.Touched("company")
		off.Delivering("company", value.Digest, Counts{Selected: 1})
		off.Cure("company", Pod{}).End("Restart", false)
		off.Forget("company")
	})
	if err := off.Close(t.Context()); err != nil || allocated != 0 {
		t.Errorf("%v allocations, %v", allocated, err)
	}
	goleak.VerifyNone(t, running)
}

func TestADeliveryCostsNoAllocation(t *testing.T) {
	r := start(t)
	r.rotate(value)
	if allocated := testing.AllocsPerRun(100, func() { r.Touched("company") }); allocated != 0 {
		t.Errorf("%v allocations for each namespace", allocated)
	}
}

func TestACollectorThatRefusesIsToldOfSeldomAndNotQuoted(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer canary")
	r := start(t)
	r.to.Refuse(400)
	for range 3 {
		r.Read("company").End("Read", false)
		if err := r.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	said := r.log.String()
	if strings.Count(said, "Traces are not sent") != 1 || !strings.Contains(said, "400") || strings.Contains(said, "canary") {
		t.Errorf("said %q", said)
	}
	r.pass(complainEvery)
	r.Read("company").End("Read", false)
	if err := r.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := r.log.String(); strings.Count(said, "Traces are not sent") != 2 {
		t.Errorf("after %s it said %q", complainEvery, said)
	}
}

func TestAnEndpointThatCannotBeUsedIsRefused(t *testing.T) {
	for _, test := range []struct{ name, endpoint, want string }{
		{"a host without a scheme", "collector:4318", "no URL"},
		{"another scheme", "grpc://collector:4317", "no URL"},
		{"no host", "http://", "no URL"},
		{"a login", "http://me:canary@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"a password alone", "http://:canary@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"a query", "http://collector:4318/?token=canary", "without a query"},
		{"a fragment", "http://collector:4318/#canary", "without a query"},
		{"no URL at all", "http://a b\x00canary", "no URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(t.Context(), Options{Endpoint: test.endpoint, Now: time.Now, Log: logr.Discard()})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestSpansGoBelowTheBaseURL(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://collector:4318": "http://collector:4318/v1/traces", "http://collector:4318/": "http://collector:4318/v1/traces",
		"https://otlp.company.io/tenant/": "https://otlp.company.io/tenant/v1/traces",
	} {
		if got, err := tracesURL(endpoint); err != nil || got != want {
			t.Errorf("%s: got %s, %v", endpoint, got, err)
		}
	}
}

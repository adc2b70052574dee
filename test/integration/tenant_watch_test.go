package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// longestMessage is the most bytes of anything that the operator says.
const longestMessage = 1 << 10

// watchedOperator is what was seen of the operator's process.
type watchedOperator struct {
	pid    int
	probes string
	mu     sync.Mutex
	memory int64
	faults []string
	stop   func()
}

// watchOperator asks the probes each second, as long as a kubelet would wait for an answer, and looks at the memory more often.
func watchOperator(t *testing.T, pid int, probes string) *watchedOperator {
	t.Helper()
	w := &watchedOperator{pid: pid, probes: probes}
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return w.probe(ctx, "/readyz") })
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { each(ctx, 100*time.Millisecond, func() { w.look() }) })
	done.Go(func() {
		each(ctx, time.Second, func() {
			for _, path := range []string{"/healthz", "/readyz"} {
				if err := w.probe(ctx, path); err != nil && ctx.Err() == nil {
					w.note(err.Error())
				}
			}
		})
	})
	w.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(w.stop)
	return w
}

func each(ctx context.Context, interval time.Duration, do func()) {
	for tick := time.NewTicker(interval); ; {
		do()
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

func (w *watchedOperator) probe(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.probes+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the probe %s: %w", path, err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(io.LimitReader(response.Body, 1000)); response.StatusCode != http.StatusOK {
		return fmt.Errorf("the probe %s: %s: %s", path, response.Status, body)
	}
	return nil
}

// look reads the resident memory of the process. One that ended has none.
func (w *watchedOperator) look() {
	memory, err := residentMemory(w.pid)
	if err != nil {
		w.note(err.Error())
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.memory = max(w.memory, memory)
}

// residentMemory is the highest resident memory of a process so far, in bytes: VmHWM in proc(5).
func residentMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no memory: it ended", pid)
}

func (w *watchedOperator) note(fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 10 {
		w.faults = append(w.faults, time.Now().Format(time.TimeOnly)+" "+fault)
	}
}

func (w *watchedOperator) most() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.memory
}

func (w *watchedOperator) check(t *testing.T) {
	t.Helper()
	w.stop()
	for _, fault := range w.faults {
		t.Error(fault)
	}
	if w.memory > tenantMemory {
		t.Errorf("the operator had %d MiB resident, want %d at most", w.memory>>20, tenantMemory>>20)
	}
}

// checkWords reads everything that the operator said: statuses, events and its log.
func (r *tenantRun) checkWords(t *testing.T) {
	t.Helper()
	var credentials v1alpha1.RegistryCredentialList
	vaultMust(t, r.admin.List(t.Context(), &credentials))
	for i := range credentials.Items {
		checkValue(t, "the status of "+credentials.Items[i].Name, jsonOf(t, credentials.Items[i].Status))
	}
	var events eventsv1.EventList
	vaultMust(t, r.admin.List(t.Context(), &events, client.InNamespace("")))
	if len(events.Items) == 0 {
		t.Error("there is no event at all: what was read proves nothing")
	}
	for i := range events.Items {
		checkValue(t, "an event about "+events.Items[i].Regarding.Name, events.Items[i].Note)
	}
	log, err := os.ReadFile(r.logs)
	vaultMust(t, err)
	for line := range box.WholeLines(log) {
		checkLine(t, line)
	}
}

// checkLine looks at the values of a line of the log.
func checkLine(t *testing.T, line []byte) {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal(line, &values); err != nil {
		t.Errorf("a line of the log is no JSON: %.300q", line)
		return
	}
	checkValue(t, "the log", values)
}

func jsonOf(t *testing.T, object any) any {
	t.Helper()
	encoded, err := json.Marshal(object)
	vaultMust(t, err)
	var value any
	vaultMust(t, json.Unmarshal(encoded, &value))
	return value
}

// checkValue looks at all strings in a value.
func checkValue(t *testing.T, where string, value any) {
	t.Helper()
	switch value := value.(type) {
	case string:
		if len(value) > longestMessage || strings.ContainsFunc(value, unicode.IsControl) {
			t.Errorf("%s says something of %d bytes that is too long or holds a control character: %.300q", where, len(value), value)
		}
	case map[string]any:
		if encoded, err := json.Marshal(value); where == "the log" && (err != nil || len(encoded) > 4*longestMessage) {
			t.Errorf("a line of the log has %d bytes: %.300q", len(encoded), encoded)
			return
		}
		for _, one := range value {
			checkValue(t, where, one)
		}
	case []any:
		for _, one := range value {
			checkValue(t, where, one)
		}
	}
}

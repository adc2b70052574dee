package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

// operator is the operator's own program.
type operator struct {
	binary, kubeconfig, log string
	probes, metrics         string
	process                 *exec.Cmd
	ended                   func() error // waits for its end
}

// buildOperator builds it as for its image.
func buildOperator(t *testing.T) string {
	t.Helper()
	program, err := box.Build("regcred", t.TempDir())
	must(t, err)
	return program
}

// startOperator returns when it is ready. It ends with the test.
func (c *cluster) startOperator(t *testing.T, binary string) *operator {
	t.Helper()
	o := &operator{
		binary: binary, kubeconfig: c.operator, log: filepath.Join(t.TempDir(), "log"), probes: freeAddress(t), metrics: freeAddress(t),
	}
	o.start(t)
	t.Cleanup(func() { o.end(t) })
	return o
}

func (o *operator) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer log.Close()
	o.process = exec.Command(o.binary, "--namespace", system, "--metrics-insecure", "--metrics-bind-address="+o.metrics, "--health-probe-bind-address="+o.probes)
	o.process.Env = append(os.Environ(), "KUBECONFIG="+o.kubeconfig)
	o.process.Stdout, o.process.Stderr = log, log
	o.ended, err = box.Start(o.process)
	must(t, err)
	await(t, time.Minute, func() error {
		_, err := get(t.Context(), "http://"+o.probes+"/readyz")
		return err
	})
}

// end ends it as a failing node does.
func (o *operator) end(t *testing.T) {
	t.Helper()
	if o.process == nil {
		return
	}
	if err := o.process.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = o.ended() // it was killed: its error says so
	o.process = nil
	if log, err := os.ReadFile(o.log); err == nil && t.Failed() {
		lines := strings.Split(string(log), "\n")
		t.Logf("the operator's log ends with:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
}

// usage is what the operator has used since its start.
type usage struct {
	// requests to the API server, by their method. A watch is a GET.
	requests map[string]int
	// allocations counts the objects that were made on the heap.
	allocations int
	vaultReads  int
	cpu         time.Duration
	// resident is the memory that is in use now, peak the most so far, own the part of resident that is no page of the program, and live what
	// the last garbage collection left, all in bytes.
	resident, peak, own, live int64
}

func (o *operator) usage(t *testing.T) usage {
	t.Helper()
	text, err := get(t.Context(), "http://"+o.metrics+"/metrics")
	must(t, err)
	u := usage{requests: map[string]int{}}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseFloat(value, 64)
		if !found || err != nil || strings.HasPrefix(name, "#") {
			continue
		}
		switch {
		case strings.HasPrefix(name, "rest_client_requests_total{"):
			_, rest, _ := strings.Cut(name, `method="`)
			method, _, _ := strings.Cut(rest, `"`)
			u.requests[method] += int(number)
		case strings.HasPrefix(name, "regcred_vault_reads_total{"):
			u.vaultReads += int(number)
		case name == "go_gc_heap_live_bytes":
			u.live = int64(number)
		case name == "go_gc_heap_allocs_objects_total":
			u.allocations = int(number)
		}
	}
	must(t, u.ofProcess(o.process.Process.Pid))
	return u
}

// since is what was used since an earlier look. Memory is as it is now.
func (u usage) since(before usage) usage {
	left := maps.Clone(u.requests)
	for method, count := range before.requests {
		if left[method] -= count; left[method] == 0 {
			delete(left, method)
		}
	}
	u.requests, u.vaultReads, u.cpu, u.allocations = left, u.vaultReads-before.vaultReads, u.cpu-before.cpu, u.allocations-before.allocations
	return u
}

// writes are all requests that change something.
func (u usage) writes() int {
	return u.requests["PUT"] + u.requests["PATCH"] + u.requests["POST"] + u.requests["DELETE"]
}

func (u usage) all() int { return u.writes() + u.requests["GET"] }

func (u usage) methods() string {
	var parts []string
	for _, method := range slices.Sorted(maps.Keys(u.requests)) {
		parts = append(parts, fmt.Sprintf("%s %d", method, u.requests[method]))
	}
	return strings.Join(parts, ", ")
}

// ofProcess reads what the kernel knows of a process: proc(5).
func (u *usage) ofProcess(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return fmt.Errorf("the operator ended: %w", err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const userTime, systemTime, tick = 11, 12, 10 * time.Millisecond // of fields after the name, in clock ticks of 1/100 s
	for _, at := range []int{userTime, systemTime} {
		ticks, err := strconv.Atoi(fields[at])
		if err != nil {
			return err
		}
		u.cpu += time.Duration(ticks) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, parsed := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		switch {
		case parsed != nil:
		case name == "VmRSS":
			u.resident = kib << 10
		case name == "RssAnon":
			u.own = kib << 10
		case name == "VmHWM":
			u.peak = kib << 10
		}
	}
	return err
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept-Encoding", "identity") // the operator would compress what it says, again and again while it is measured
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return "", errors.Join(fmt.Errorf("%s: %s", url, response.Status), err)
	}
	return string(body), err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

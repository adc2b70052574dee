package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	_ "sigs.k8s.io/controller-runtime/pkg/controller" // registers its metrics
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"regcred.dev/regcred/internal/fence"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/internal/watchdog"
)

// TestTheListOfMetricsIsTrue: hack/monitoring/metrics.tsv names every metric of the operator with its labels, those of controller-runtime
// and of the process included. Alerts and dashboard are checked with it. UPDATE_METRICS=1 writes it.
func TestTheListOfMetricsIsTrue(t *testing.T) {
	registry := prometheus.NewRegistry()
	telemetry.New(registry)
	telemetry.OfProcess(registry, fence.New(fence.Terms{}), &watchdog.Watchdog{})
	descriptions := make(chan *prometheus.Desc, 1000)
	registry.Describe(descriptions)
	metrics.Registry.(prometheus.Collector).Describe(descriptions)
	close(descriptions)
	form := regexp.MustCompile(`^Desc\{fqName: "([^"]+)".* constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	var lines []string
	for d := range descriptions {
		parts := form.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("a description has another form: %s", d)
		}
		names := regexp.MustCompile(`\w+`).FindAllString(regexp.MustCompile(`="[^"]*"`).ReplaceAllString(parts[2], "")+","+parts[3], -1)
		slices.Sort(names)
		if !strings.HasPrefix(parts[1], "go_") { // they differ between versions of Go
			lines = append(lines, parts[1]+"\t"+strings.Join(names, ","))
		}
	}
	slices.Sort(lines)
	got := strings.Join(slices.Compact(lines), "\n") + "\n"
	file := filepath.Join("..", "..", "hack", "monitoring", "metrics.tsv")
	if os.Getenv("UPDATE_METRICS") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the operator has; UPDATE_METRICS=1 writes it (-file +operator):\n%s", file, diff)
	}
}

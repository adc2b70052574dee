package bench

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

var (
	sizes  = flag.String("namespaces", "", "measure with these numbers of namespaces: 500,2000x50,5000+ (see sizeOf)")
	rounds = flag.Int("rounds", 3, "rotations of which the median is told")
	page   = flag.String("page", "", "write the results to this file")
)

// TestBenchmark measures. It takes minutes, and is skipped unless it is told how many namespaces there are.
func TestBenchmark(t *testing.T) {
	if *sizes == "" {
		t.Skip(`it measures times, and runs by "make bench" alone`)
	}
	binary := buildOperator(t)
	var results []result
	for _, text := range strings.Split(*sizes, ",") {
		size, err := sizeOf(text)
		must(t, err)
		t.Run(text, func(t *testing.T) { results = append(results, measure(t, binary, size)) })
	}
	text := render(t, results)
	t.Log("\n" + text)
	if *page != "" && !t.Failed() {
		must(t, os.WriteFile(*page, []byte(text), 0o644))
	}
}

// result is what was measured of one size.
type result struct {
	Size      size
	rotations []rotation
	floors    []time.Duration
	workers   int
	idle      []time.Duration // waits of new namespaces while nothing else happens
	rest      usage
	restFor   time.Duration
	restarted restarted
	// bystander is the slowest hundredth of another client's requests in a rotation, and before.
	bystander, bystanderBefore time.Duration
	atStart                    usage
}

func measure(t *testing.T, binary string, size size) result {
	t.Helper()
	f := startFleet(t, binary, size)
	r := result{Size: size, atStart: f.usage(t), restFor: 15 * time.Second}
	twins := f.makeFloor(t)
	for i := range *rounds {
		floor, workers := f.floorOf(t, twins, i)
		r.floors, r.workers = append(r.floors, floor), workers
		stop := f.bystander(t)
		r.rotations = append(r.rotations, f.rotate(t, 0))
		r.bystander = max(r.bystander, stop())
	}
	stop := f.bystander(t)
	r.rest = f.rest(t, r.restFor)
	r.bystanderBefore = stop()
	r.idle = f.makeNewcomers(t, 10)
	f.settle(t)
	last := f.rotate(t, 10)
	r.rotations[0].after = last.after
	r.restarted = f.restart(t)
	return r
}

// middle is the rotation whose ratio to its floor is the median.
func (r result) middle() int {
	order := make([]int, len(r.rotations))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return int(1e6 * (r.ratio(a) - r.ratio(b)))
	})
	return order[len(order)/2]
}

func (r result) ratio(i int) float64 { return float64(r.rotations[i].length()) / float64(r.floors[i]) }

// rows are what is told, in the order of the page.
var rows = []struct {
	what string
	cell func(r result) string
}{
	{"rotation: first Secret, after the request to read Vault", func(r result) string { return ms(r.rotations[r.middle()].first) }},
	{"half of the Secrets", func(r result) string { return ms(r.rotations[r.middle()].p50) }},
	{"99 % of the Secrets", func(r result) string { return ms(r.rotations[r.middle()].p99) }},
	{"last Secret", func(r result) string { return ms(r.rotations[r.middle()].last) }},
	{"from the first to the last Secret", func(r result) string { return ms(r.rotations[r.middle()].length()) }},
	{"floor: a plain client that writes as many Secrets", func(r result) string {
		return fmt.Sprintf("%s (%d workers)", ms(r.floors[r.middle()]), r.workers)
	}},
	{"**ratio to the floor**, median", func(r result) string { return fmt.Sprintf("**%.2f**", r.ratio(r.middle())) }},
	{"requests to the API server for a namespace", func(r result) string {
		return fmt.Sprintf("%.3f", float64(r.rotations[r.middle()].all())/float64(r.Size.namespaces))
	}},
	{"requests by method", func(r result) string { return r.rotations[r.middle()].methods() }},
	{"reads of Vault", func(r result) string { return fmt.Sprint(r.rotations[r.middle()].vaultReads) }},
	{"the operator's CPU for a namespace", func(r result) string {
		return fmt.Sprintf("%.2f ms", 1000*r.rotations[r.middle()].cpu.Seconds()/float64(r.Size.namespaces))
	}},
	{"allocations for a namespace", func(r result) string { return fmt.Sprint(r.rotations[r.middle()].allocations / r.Size.namespaces) }},
	{"resident memory, at most", func(r result) string { return mib(r.rotations[len(r.rotations)-1].peak) }},
	{"resident memory after a rotation, without pages of the program", func(r result) string { return mib(r.rotations[len(r.rotations)-1].own) }},
	{"live heap after a rotation", func(r result) string { return mib(r.rotations[r.middle()].live) }},
	{"another client's request, slowest of a hundred, in a rotation", func(r result) string {
		return fmt.Sprintf("%s (without: %s)", ms(r.bystander), ms(r.bystanderBefore))
	}},
	{"a new namespace has its Secret after, of ten", func(r result) string { return spreadOfWaits(r.idle) }},
	{"the same during a rotation", func(r result) string { return spreadOfWaits(r.rotations[0].after) }},
	{"where nothing happens: requests a second", func(r result) string {
		return fmt.Sprintf("%.2f, of which %d writes in all", float64(r.rest.all())/r.restFor.Seconds(), r.rest.writes())
	}},
	{"where nothing happens: CPU", func(r result) string {
		return fmt.Sprintf("%.1f %% of a core", 100*r.rest.cpu.Seconds()/r.restFor.Seconds())
	}},
	{"restart: ready after", func(r result) string { return ms(r.restarted.ready) }},
	{"restart: a new namespace has its Secret after", func(r result) string { return ms(r.restarted.served) }},
	{"restart: Secrets written without need", func(r result) string { return fmt.Sprint(r.restarted.changes) }},
	{"restart: CPU, resident memory at most", func(r result) string {
		return fmt.Sprintf("%.1f s, %s", r.restarted.cpu.Seconds(), mib(r.restarted.peak))
	}},
}

func ms(d time.Duration) string {
	if d >= 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func spreadOfWaits(waits []time.Duration) string {
	if len(waits) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s, slowest %s", ms(waits[len(waits)/2]), ms(waits[len(waits)-1]))
}

var pageOf = template.Must(template.New("page").Parse(`# Benchmarks

` + "`make bench`" + ` writes this page. It measures the operator's own program on a real kube-apiserver and etcd, without a node, which share the
processors with the operator and with the program that measures. So times say little about another machine, and ratios to the floor,
requests and CPU say more. The floor is a plain client that writes as many Secrets of the same size, measured just before each rotation,
with the best of 8, 16, 32 and 64 workers. [design/performance.md](design/performance.md) says where the time goes.
In a rotation, the dry runs by which the operator looks at its policies in the minutes after a start count as writes here.

Command: ` + "`{{.Command}}`" + `; {{.Machine}}; {{.Rounds}} rotations, of which the one with the median ratio is shown;
load of the machine at the end: {{.Load}}. With x50, 50 RegistryCredentials rotate at once, all in one Secret of each namespace. With +, there
are {{.Foreign}} besides that are none of the operator's business.

| namespaces |{{range .Results}} {{.Size}} |{{end}}
|---|{{range .Results}}---|{{end}}
{{range .Rows}}| {{.What}} |{{range .Cells}} {{.}} |{{end}}
{{end}}
## Targets

Of all sizes with one RegistryCredential and no background together, or of the one that is named. [design/performance.md](design/performance.md#what-is-left) says why one is not met.

| | at most | measured | |
|---|---|---|---|
{{range .Targets}}| {{.What}} |{{range .Cells}} {{.}} |{{end}}
{{end}}`))

// render writes the page.
func render(t *testing.T, results []result) string {
	t.Helper()
	type row struct {
		What  string
		Cells []string
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("not known")
	}
	var table []row
	for _, one := range rows {
		cells := row{What: one.what}
		for _, r := range results {
			cells.Cells = append(cells.Cells, one.cell(r))
		}
		table = append(table, cells)
	}
	var judged []row
	for _, one := range targets {
		measured, met := one.is(results)
		verdict := "not met"
		if met {
			verdict = "met"
		}
		if measured == "-" {
			verdict = "not measured"
		}
		judged = append(judged, row{What: one.what, Cells: []string{one.want, measured, verdict}})
	}
	var out strings.Builder
	must(t, pageOf.Execute(&out, map[string]any{
		"Command": fmt.Sprintf("make bench NAMESPACES=%s", *sizes),
		"Machine": fmt.Sprintf("%d processors, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		"Foreign": fmt.Sprintf("%d Secrets of 1 KB and %d running Pods", foreignSecrets, foreignPods),
		"Rounds":  *rounds, "Load": strings.TrimSpace(string(load)), "Results": results, "Rows": table, "Targets": judged,
	}))
	return out.String()
}

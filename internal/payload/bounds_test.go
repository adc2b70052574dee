package payload

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/racedetector"
)

// registriesOfASpec are as many as a spec can have.
func registriesOfASpec() []v1alpha1.Registry {
	var registries []v1alpha1.Registry
	for i := range 32 {
		registries = append(registries, v1alpha1.Registry(fmt.Sprintf("r%d.example/team/apps", i)))
	}
	return registries
}

func configOf(entries int) string {
	var text strings.Builder
	for i := range entries {
		fmt.Fprintf(&text, `"other%d.example":{},`, i)
	}
	return `{"auths":{` + text.String() + `"last.example":{"username":"u","password":"p"}}}`
}

// A look takes 580,000 allocations at most.
const mostAllocations = 640_000

// cpuTime is what this process has used: unlike the time that passes, it does not depend on how busy the machine is.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestAVaultCannotStopTheOperatorByADockerConfigWithManyEntries(t *testing.T) {
	racedetector.Skip(t)
	for _, test := range []struct {
		name    string
		entries int
		reason  error
		says    string
	}{
		{"as many as are compared", mostEntries - 1, ErrRegistryMissing, "has no entry for"},
		{"many more", 12_000, ErrMalformed, "12001 entries"},
		{"as many as fit into a megabyte", 40_000, ErrMalformed, "far more values than a registry credential has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields, wanted := Fields{"config": configOf(test.entries)}, wants(Keys{DockerConfig: "config"}, "", registriesOfASpec()...)
			const limit = 5 * time.Second
			began := cpuTime(t)
			_, err := Render(fields, wanted)
			if took := cpuTime(t) - began; took >= limit {
				t.Errorf("it took %s", took)
			}
			if !errors.Is(err, test.reason) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v", err)
			}
			// Allocations do not depend on how busy the machine is.
			if allocations := testing.AllocsPerRun(1, func() { _, _ = Render(fields, wanted) }); allocations > mostAllocations {
				t.Errorf("it takes %.0f allocations", allocations)
			} else {
				t.Logf("%.0f allocations", allocations)
			}
		})
	}
}

func TestAVaultCannotFillTheMemoryByWhatUnfolds(t *testing.T) {
	racedetector.Skip(t)
	const half = 12_000 // the text stands for 50 MB
	folded := "auths:\n  a: &a " + strings.Repeat("x", half) + "\nlist: [" + strings.Repeat("*a,", half/3) + "]\n"
	wide := "auths:\n  a: b\nlist: [" + strings.Repeat("a,", longestYAML) + "]\n"
	numbers := `{"auths":[` + strings.Repeat("1,", 300_000) + `1]}`
	for name, text := range map[string]string{
		"by aliases": folded, "by many small nodes": wide, "in base64": base64Of(folded), "JSON of many numbers": numbers, "a list of many numbers": "[" + strings.Repeat("1,", 900_000) + "1]", "such JSON in base64": base64Of(numbers),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Render(Fields{"config": text}, wants(Keys{DockerConfig: "config"}, ""))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v", err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 24 {
				t.Errorf("it took %d MiB", took)
			}
		})
	}
}

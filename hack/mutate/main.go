// Command mutate changes the code that decides, one small change at a time, and says which changes no test notices. CONTRIBUTING.md
// says how it is used.
//
// All mutants of a package are compiled into one test binary, which `go test -overlay` builds without a change of the tree, and the
// environment says which one is made. So a mutant costs the time of the tests that reach it, mostly below a second, where a tool that
// compiles each, such as gremlins, takes ten.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// options come from flags, and those from the environment in `make mutate`.
type options struct {
	root, cache string
	// sample is how many mutants are made, all where it is 0. seed chooses them.
	sample int
	seed   uint64
	// changed is a revision: only mutants of lines that were changed since are made.
	changed string
	// only is a regular expression that the names of the mutants match, empty for all.
	only    string
	workers int
	verbose bool
	// goals are percent of the mutants to be noticed.
	goal float64
}

func main() {
	var o options
	flag.IntVar(&o.sample, "sample", 0, "make so many mutants, chosen by -seed; 0 makes all")
	flag.Uint64Var(&o.seed, "seed", 1, "chooses the sample")
	flag.StringVar(&o.changed, "changed", "", "make only mutants of lines that were changed since this revision")
	flag.StringVar(&o.only, "only", "", "make only mutants whose names match this regular expression")
	flag.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "mutants that are made at the same time")
	flag.Float64Var(&o.goal, "goal", 0, "fail where less than so many percent are noticed")
	flag.BoolVar(&o.verbose, "v", false, "name each mutant with what noticed it")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: mutate [flags] [package, such as internal/rotation, or pure, controllers, wiring ...]; without one: all packages that decide")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(o options, names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	o.root, o.cache = root, filepath.Join(cache, "regcred", "mutate")
	if err := os.MkdirAll(o.cache, 0o700); err != nil {
		return err
	}
	reasons, err := readEquivalents(filepath.Join(root, "hack", "mutate", "equivalent.txt"))
	if err != nil {
		return fmt.Errorf("hack/mutate/equivalent.txt: %w", err)
	}
	subjects, err := choose(o, expand(names))
	if err != nil {
		return err
	}
	total := tally{}
	for _, one := range subjects {
		if len(one.chosen) == 0 {
			continue
		}
		t, err := one.examine(ctx, o, reasons)
		if err != nil {
			return fmt.Errorf("%s: %w", one.source.name, err)
		}
		fmt.Println(t.line(one.source.name))
		total = total.plus(t)
	}
	fmt.Println(total.line("all"))
	if total.percent() < o.goal {
		return fmt.Errorf("%.1f %% were noticed, the goal is %.0f %%: test what lived, or say in hack/mutate/equivalent.txt why nothing can notice it", total.percent(), o.goal)
	}
	return nil
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/policycheck"
	"regcred.dev/regcred/test/inmemory"
)

// adding is a manager that notes what is added to it.
type adding struct {
	ctrl.Manager
	cluster client.Client
	added   []manager.Runnable
}

func (a *adding) Add(one manager.Runnable) error {
	a.added = append(a.added, one)
	return nil
}

func (a *adding) GetClient() client.Client { return a.cluster }

// What the gate refused waits in a back-off of minutes, and nothing else would tell people that Secrets are written again.
func TestWhoIsToldWhetherThePoliciesStand(t *testing.T) {
	p := parted()
	mgr := &adding{cluster: inmemory.Cluster().WithObjects(
		&v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company"}}, &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
	).Build()}
	p.Manager = mgr
	if err := p.checkPolicies(); err != nil || len(mgr.added) != 1 {
		t.Fatalf("%d are added: %v", len(mgr.added), err)
	}
	runner, is := mgr.added[0].(*policycheck.Runner)
	if !is || runner.Gate != p.gate || runner.TooWide == nil || len(runner.Probes) != len(p.probes()) {
		t.Fatalf("%T has another gate, or does not look at the role", mgr.added[0])
	}
	var told []string
	p.News.Listen(func(name string) { told = append(told, "News "+name) })
	p.Changed.Listen(func(name string) { told = append(told, "Changed "+name) })
	p.Troubled.Listen(func(name string) { told = append(told, "Troubled "+name) })
	for _, test := range []struct {
		state policycheck.State
		want  []string
	}{
		{policycheck.State{Known: true}, []string{"Changed company", "News company", "Troubled default"}},
		{policycheck.State{Known: true, Missing: []string{"regcred-secrets"}}, []string{"Troubled default"}},
	} {
		told = nil
		runner.Changed(test.state)
		if slices.Sort(told); !slices.Equal(told, test.want) {
			t.Errorf("%+v: told is %q, want %q", test.state, told, test.want)
		}
	}
}

// A policy that is not asked for can be gone, and Secrets are written all the same.
func TestEachPolicyIsAskedFor(t *testing.T) {
	var asked, there []string
	for _, probe := range parted().probes() {
		asked = append(asked, probe.Policy)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "admission", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`(?m)^  name: (regcred-[a-z-]+)$`).FindAllSubmatch(text, -1) {
			there = append(there, string(name[1]))
		}
	}
	slices.Sort(asked)
	slices.Sort(there)
	if there = slices.Compact(there); !slices.Equal(asked, there) {
		t.Errorf("asked for are %q, and there are %q", asked, there)
	}
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/box"
	"regcred.dev/regcred/test/scenario"
)

// TestStuckPods makes pods get stuck in every way, on a real kubelet, and watches what becomes of each: first in mode Report, in which
// nothing happens, then with cures. What they wait for anyway is used to measure how fast cures are.
func TestStuckPods(t *testing.T) {
	must(t, s.Kubectl(t.Context(), "apply", "--server-side", "-k", filepath.Join("..", "..", "config", "repull")))
	z := openZoo(t)
	z.log(t, "namespaces and images are there")
	z.make(t, early)
	restarts := newTrack(t, "restarts", false)
	for range paceRounds {
		restarts.run(t)
	}
	restarts.measureFloor(t)
	z.awaitStuck(t, 90*time.Second, early) // a CronJob begins at a full minute

	z.log(t, "what lacks the reference is stuck")
	z.provide(t)
	z.make(t, running)
	z.awaitRunning(t)
	log, err := s.Box.Registry.Requests(t.Context(), 1<<62)
	must(t, err)
	z.setPassword(t, "second")
	must(t, s.Box.Registry.SetFaults(t.Context(), box.Fault{Repository: "steady/failing", Status: 503}))
	t.Cleanup(func() {
		if err := s.Box.Registry.ClearFaults(context.Background()); err != nil {
			t.Error(err)
		}
	})
	z.foreignSecrets(t)
	z.leaveAlone(t)
	z.make(t, refused)
	z.breakRunning(t)
	z.log(t, "the password is changed at the registry")
	repulls := newTrack(t, "repulls", true)
	for range paceRounds {
		repulls.run(t)
	}
	repulls.measureFloor(t)
	z.awaitLongBackOff(t, log.Last)
	z.awaitStuck(t, time.Minute, early, running, refused)
	z.log(t, "the kubelet has a long back-off")

	t.Run("a value that the registry refuses is no cure", func(t *testing.T) {
		z.plugin.explain(t, shop)["db-0"].agrees(t, caseNamed(t, shop, "db"), "Report CredentialRejected")
		z.documented(t, "explain", "pod", "db-0", "-n", shop)
	})
	z.setVault(t, "second")
	await(t, 30*time.Second, z.holds("second"))
	z.fresh = time.Now()
	z.log(t, "the Secrets are fresh")
	t.Run("in mode Report", z.inModeReport)

	stop := watchBudget(t)
	z.turnOn(t)
	t.Run("in mode Restart", z.inModeRestart)
	stop()
	t.Run("measured", func(t *testing.T) { z.measured(t, restarts, repulls) })
	t.Run("no Job failed", noJobFailed)
	t.Run("what people are told to do helps", z.adviceHelps)
}

func (z *zoo) log(t *testing.T, what string) {
	t.Logf("after %s: %s", time.Since(z.begun).Round(time.Second), what)
}

func caseNamed(t *testing.T, namespace, name string) stuckCase {
	t.Helper()
	for _, c := range stuckCases {
		if c.namespace == namespace && c.name == name {
			return c
		}
	}
	t.Fatalf("there is no case %s/%s", namespace, name)
	return stuckCase{}
}

// inModeReport sees that the plugin names the cause and the verdict of every case, and that nothing is done. It hurries: the
// kubelet goes on trying.
func (z *zoo) inModeReport(t *testing.T) {
	said := map[string]map[string]explanation{}
	for _, namespace := range []string{shop, batch, mixed, pins, alone} {
		said[namespace] = z.plugin.explain(t, namespace)
	}
	z.documented(t, "explain", "pods", "-n", batch)
	z.shownInDocs(t, func(c stuckCase) bool { return c.end != left })
	for _, c := range stuckCases {
		t.Run(c.String(), func(t *testing.T) {
			said[c.namespace][z.stuck[c.String()].Name].agrees(t, c, c.dry)
			must(t, z.sameHangs(t.Context(), c))
		})
	}
	if bear := said[alone]["bear-0"]; bear.Action+" "+bear.Reason != "None OptedOut" {
		t.Errorf("a pod in a namespace that opts out is explained as %s %s", bear.Action, bear.Reason)
	}
	z.shownInDocs(t, func(c stuckCase) bool { return c.end == left })
	z.allShown(t)
}

// shownInDocs compares the documentation with what the plugin says of some cases.
func (z *zoo) shownInDocs(t *testing.T, which func(stuckCase) bool) {
	t.Helper()
	for _, c := range stuckCases {
		if which(c) && c.String() != "shop/db" { // that one is shown in another state
			z.documented(t, "explain", "pod", z.stuck[c.String()].Name, "-n", c.namespace)
		}
	}
}

// inModeRestart sees what becomes of each case. Those that the kubelet heals come last.
func (z *zoo) inModeRestart(t *testing.T) {
	for _, end := range []ending{repulled, restarted, left, healed} {
		for _, c := range stuckCases {
			if c.end == end {
				t.Run(c.String()+" is "+string(end), func(t *testing.T) { z.check(t, c) })
			}
		}
	}
	for _, c := range stuckCases { // a minute later than at first
		if c.end == left {
			if err := z.sameHangs(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	}
}

// measured reports how long cures take, and the kubelet alone.
func (z *zoo) measured(t *testing.T, restarts, repulls *track) {
	bears, err := s.Pods(t.Context(), alone, "bear")
	must(t, err)
	if len(bears) != loneBears {
		t.Fatalf("%d of %d pods are left", len(bears), loneBears)
	}
	var waits []time.Duration
	for i := range bears {
		await(t, time.Until(z.fresh.Add(scenario.NodeWait)), s.Running("bear", bears[i].Spec.Containers[0].Image, alone))
		waits = append(waits, startOf(t, alone, bears[i].Name).Sub(z.fresh))
	}
	for _, c := range stuckCases {
		if c.end == healed && c.made == refused {
			waits = append(waits, startOf(t, c.namespace, z.stuck[c.String()].Name).Sub(z.fresh))
		}
	}
	kubelet := quantile(waits, 1)
	cure, pin := restarts.report(t, "by a restart", restartWithin), repulls.report(t, "by a repull", repullWithin)
	t.Logf("measured: kubectl regcred explain: p50 %s, at most %s of %d calls", quantile(z.plugin.took, 0.5), quantile(z.plugin.took, 1), len(z.plugin.took))
	t.Logf("measured: from Secret fresh to pod running, by the kubelet alone: up to %s in this run, up to %s at worst", kubelet, scenario.NodeWait)
	if kubelet <= cure || kubelet <= pin {
		t.Errorf("the kubelet alone takes %s, a restart %s, a repull %s: no cure is needed", kubelet, cure, pin)
	}
}

// startOf waits until the container of a pod runs that hung, its first, and returns since when.
func startOf(t *testing.T, namespace, name string) time.Time {
	t.Helper()
	var began time.Time
	await(t, scenario.NodeWait, func(ctx context.Context) error {
		var pod corev1.Pod
		if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &pod); err != nil {
			return err
		}
		if running := pod.Status.ContainerStatuses[0].State.Running; running != nil {
			began = running.StartedAt.Time
			return nil
		}
		return fmt.Errorf("pod %s does not run: %s", name, describe([]corev1.Pod{pod}))
	})
	return began
}

// adviceHelps does what the plugin tells people to do about a pod of a Job and a bare pod.
func (z *zoo) adviceHelps(t *testing.T) {
	assets, err := box.Assets()
	must(t, err)
	for name, commands := range map[string]string{
		"early-job":  `kubectl patch job early-job -n batch -p '{"spec":{"suspend":true}}' && kubectl patch job early-job -n batch -p '{"spec":{"suspend":false}}'`,
		"early-bare": `kubectl get pod early-bare -n batch -o yaml > pod.yaml && kubectl replace --force -f pod.yaml`,
	} {
		command := exec.CommandContext(t.Context(), "sh", "-ec", commands)
		command.Dir = t.TempDir()
		command.Env = append(os.Environ(), "PATH="+assets+string(os.PathListSeparator)+os.Getenv("PATH"))
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", commands, err, output)
		}
		c := caseNamed(t, batch, name)
		await(t, time.Minute, func(ctx context.Context) error { return allRun(ctx, c, z.stuck[c.String()].UID) })
	}
	noJobFailed(t)
}

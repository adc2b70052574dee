package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// version is one state of this repository: its manifests and its program. The chart is empty in a state that had none yet.
type version struct{ name, chart, config, binary string }

// previousVersion is that of the last tag, or of the commit before; REGCRED_PREVIOUS names another one, such as 895d7e6, the last before there was a
// chart. A clone without history has none.
func previousVersion(t *testing.T) version {
	t.Helper()
	root := filepath.Join("..", "..")
	git := func(arguments ...string) (string, error) {
		output, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", root}, arguments...)...).Output()
		return strings.TrimSpace(string(output)), err
	}
	commit := os.Getenv("REGCRED_PREVIOUS")
	for _, arguments := range [][]string{{"describe", "--tags", "--abbrev=0"}, {"rev-parse", "HEAD~1"}} {
		if found, err := git(arguments...); commit == "" && err == nil {
			commit = found
		}
	}
	if commit == "" {
		t.Skip("there is no earlier version in this clone: fetch its history, or name a commit by REGCRED_PREVIOUS")
	}
	folder := t.TempDir()
	if _, err := git("archive", "--format=tar", "--output="+filepath.Join(folder, "source.tar"), commit); err != nil {
		t.Fatalf("read the version %s from git: %v", commit, err)
	}
	vaultMust(t, exec.CommandContext(t.Context(), "tar", "-C", folder, "-xf", filepath.Join(folder, "source.tar")).Run())
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(folder, "regcred"), "./cmd/regcred")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the version %s: %v: %s", commit, err, output)
	}
	v := version{commit, filepath.Join(folder, "charts", "regcred"), filepath.Join(folder, "config", "default"), filepath.Join(folder, "regcred")}
	if _, err := os.Stat(v.chart); err != nil {
		v.chart = ""
	}
	return v
}

// upgradeStep installs a version: by Helm with these arguments, or by kustomize where there are none.
type upgradeStep struct {
	to   version
	helm []string
}

// TestUpgradeAndRollbackLoseNothing installs the version before by Helm, upgrades to this one and goes back, with the programs of both. At
// each step passwords are rotated, and no Secret, record or status is lost. At the end the release is uninstalled. A version that had no chart
// is upgraded by kustomize, and not gone back to.
func TestUpgradeAndRollbackLoseNothing(t *testing.T) {
	t.Parallel()
	before := previousVersion(t)
	c := &chartRun{installation: startAPIServer(t), release: "regcred"}
	first := upgradeStep{before, []string{"install", c.release, before.chart, "--create-namespace"}}
	if before.chart == "" {
		first.helm = nil
	}
	c.installs(t, first)
	r := newOperatorRun(t, c.installation, box.VaultOptions{})
	now := version{"this one", filepath.Join("..", "..", "charts", "regcred"), configFolder("default"), r.binary}
	r.createConnection(t)
	namespaces := r.makeNamespaces(t, 3)
	r.rotate(t, "password-0")
	r.applyCredential(t)
	u := &upgrade{operatorRun: r, c: c, namespaces: namespaces}
	u.run(t, before)
	u.delivers(t, "password-0")
	u.rotates(t, "password-1")
	steps := []upgradeStep{
		{now, []string{"upgrade", c.release, now.chart}}, {before, []string{"rollback", c.release, "1"}}, {now, []string{"upgrade", c.release, now.chart}},
	}
	if before.chart == "" {
		steps = []upgradeStep{{now, nil}}
	}
	for i, step := range steps {
		kept := u.state(t)
		r.kill(t)
		c.installs(t, step)
		u.run(t, step.to)
		u.delivers(t, fmt.Sprintf("password-%d", i+1))
		u.keeps(t, "the step to "+step.to.name, kept)
		u.rotates(t, fmt.Sprintf("password-%d", i+2))
	}
	if before.chart != "" {
		u.uninstall(t, fmt.Sprintf("password-%d", len(steps)+1))
	}
}

// installs carries out a step.
func (c *chartRun) installs(t *testing.T, step upgradeStep) {
	t.Helper()
	if len(step.helm) == 0 {
		c.kubectl(t, "apply", "--server-side", "--force-conflicts", "-k", step.to.config)
		return
	}
	values := "image: {repository: registry.company.io/regcred, tag: v1}\n"
	if step.helm[0] == "rollback" {
		values = ""
	}
	vaultMust(t, c.helm(t, values, step.helm...))
}

type upgrade struct {
	*operatorRun
	c          *chartRun
	namespaces []string
}

// run starts the program of a version with the arguments that its chart gave it.
func (u *upgrade) run(t *testing.T, v version) {
	t.Helper()
	u.binary, u.flags = v.binary, u.c.operatorArguments(t)
	u.start(t)
}

func (u *upgrade) delivers(t *testing.T, password string) {
	t.Helper()
	awaitWithin(t, time.Minute, func(ctx context.Context) error { return u.allHold(ctx, u.namespaces, password) })
	awaitWithin(t, time.Minute, u.condition(v1alpha1.ConditionReady, "True", v1alpha1.ReasonSucceeded))
}

func (u *upgrade) rotates(t *testing.T, password string) {
	t.Helper()
	u.rotate(t, password)
	u.delivers(t, password)
}

// upgradeState is what must survive.
type upgradeState struct {
	secrets    map[string]types.UID
	record     types.UID
	credential v1alpha1.CredentialStatus
	previous   string
}

func (u *upgrade) state(t *testing.T) upgradeState {
	t.Helper()
	var record corev1.Secret
	vaultMust(t, u.admin.Get(t.Context(), client.ObjectKey{Namespace: u.home, Name: "regcred-published-company"}, &record))
	object := u.operatorRun.credential(t)
	if object.Status.Credential == nil || object.Status.Previous == nil || len(record.Data) == 0 {
		t.Fatalf("nothing is there that could be lost: %+v", object.Status)
	}
	return upgradeState{u.secretUIDs(t, u.namespaces), record.UID, *object.Status.Credential, object.Status.Previous.Revision}
}

// keeps compares what is there with what was there before the step.
func (u *upgrade) keeps(t *testing.T, step string, before upgradeState) {
	t.Helper()
	after := u.state(t)
	for namespace, uid := range before.secrets {
		if after.secrets[namespace] != uid {
			t.Errorf("%s: the Secret of %s was made again", step, namespace)
		}
	}
	if after.record != before.record {
		t.Errorf("%s: the record was made again", step)
	}
	if after.credential.Revision != before.credential.Revision || !after.credential.ChangeTime.Equal(before.credential.ChangeTime) || after.previous != before.previous {
		t.Errorf("%s: the status said %+v after %s, and now says %+v after %s", step, before.credential, before.previous, after.credential, after.previous)
	}
}

// uninstall takes the release first and the definitions then, with the object still there: nothing is held, and the Secrets stay.
func (u *upgrade) uninstall(t *testing.T, password string) {
	t.Helper()
	u.kill(t)
	vaultMust(t, u.c.helm(t, "", "uninstall", u.c.release))
	u.deleteDefinitions(t)
	u.awaitDefinitionsGone(t)
	vaultMust(t, u.allHold(t.Context(), u.namespaces, password))
	for _, namespace := range u.namespaces {
		var secret corev1.Secret
		vaultMust(t, u.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "regcred"}, &secret))
		if len(secret.Finalizers) > 0 || len(secret.OwnerReferences) > 0 {
			t.Errorf("the Secret of %s is held or owned: %v %v", namespace, secret.Finalizers, secret.OwnerReferences)
		}
	}
}

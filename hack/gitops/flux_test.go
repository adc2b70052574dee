package gitops

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// judgements are what kstatus and Flux's evaluator say of each state. They differ where Flux is told more than the convention knows.
// Flux goes on asking while a state is Unknown or InProgress.
var judgements = map[string]map[string]struct{ kstatus, flux status.Status }{
	"RegistryCredential": {
		"unseen.yaml":               {status.CurrentStatus, status.UnknownStatus},
		"nothing-in-vault.yaml":     {status.FailedStatus, status.FailedStatus},
		"ready.yaml":                {status.CurrentStatus, status.CurrentStatus},
		"new-value-refused.yaml":    {status.FailedStatus, status.FailedStatus},
		"namespace-not-served.yaml": {status.CurrentStatus, status.CurrentStatus},
		"suspended.yaml":            {status.InProgressStatus, status.CurrentStatus},
		"vault-sealed.yaml":         {status.InProgressStatus, status.InProgressStatus},
		"login-refused.yaml":        {status.FailedStatus, status.FailedStatus},
		"removal-waits.yaml":        {status.FailedStatus, status.FailedStatus},
		"deletion-waits.yaml":       {status.TerminatingStatus, status.FailedStatus},
	},
	"VaultConnection": {
		"unseen.yaml":        {status.CurrentStatus, status.UnknownStatus},
		"connected.yaml":     {status.CurrentStatus, status.CurrentStatus},
		"vault-sealed.yaml":  {status.InProgressStatus, status.InProgressStatus},
		"login-refused.yaml": {status.FailedStatus, status.FailedStatus},
		"unfenced.yaml":      {status.CurrentStatus, status.FailedStatus},
	},
}

func TestEachStateInKstatusAndFlux(t *testing.T) {
	evaluators := fluxEvaluators(t)
	for _, kind := range kinds {
		for _, state := range states(t, kind) {
			t.Run(kind+"/"+state, func(t *testing.T) {
				want, known := judgements[kind][state]
				if !known {
					t.Fatal("nothing is written down for this state")
				}
				u := &unstructured.Unstructured{Object: object(t, filepath.Join(customizations, kind, "testdata", state))}
				computed, err := status.Compute(u)
				if err != nil {
					t.Fatal(err)
				}
				if computed.Status != want.kstatus {
					t.Errorf("kstatus says %s (%s), want %s", computed.Status, computed.Message, want.kstatus)
				}
				if got := evaluate(t, evaluators[kind], u); got != want.flux {
					t.Errorf("Flux says %s, want %s", got, want.flux)
				}
			})
		}
	}
}

// TestFluxWaitsForASpecThatTheOperatorHasNotSeen: the status is that of the spec before.
func TestFluxWaitsForASpecThatTheOperatorHasNotSeen(t *testing.T) {
	evaluators := fluxEvaluators(t)
	for kind, state := range map[string]string{"RegistryCredential": "ready.yaml", "VaultConnection": "connected.yaml"} {
		u := &unstructured.Unstructured{Object: object(t, filepath.Join(customizations, kind, "testdata", state))}
		u.SetGeneration(u.GetGeneration() + 1)
		if got := evaluate(t, evaluators[kind], u); got != status.InProgressStatus {
			t.Errorf("%s: Flux says %s, want InProgress", kind, got)
		}
		health, err := runLua(t.Context(), read(t, filepath.Join(customizations, kind, "health.lua")), u.Object)
		if err != nil || health["status"] != "Progressing" {
			t.Errorf("%s: Argo CD says %v (%v), want Progressing", kind, health, err)
		}
	}
}

// TestThePageSaysWhatTheFileSays: people copy from the page.
func TestThePageSaysWhatTheFileSays(t *testing.T) {
	_, expressions, found := strings.Cut(read(t, "../../gitops/flux/healthchecks.yaml"), "  healthCheckExprs:\n")
	if !found || !strings.Contains(read(t, "../../docs/gitops.md"), expressions) {
		t.Error("docs/gitops.md has other healthCheckExprs than gitops/flux/healthchecks.yaml")
	}
}

// evaluate is Unknown where an expression reads what is not there yet, which Flux asks for again.
func evaluate(t *testing.T, evaluator *cel.StatusEvaluator, object *unstructured.Unstructured) status.Status {
	t.Helper()
	result, err := evaluator.Evaluate(t.Context(), object)
	if err != nil && strings.Contains(err.Error(), "no such attribute(s): status") {
		return status.UnknownStatus
	}
	if err != nil {
		t.Fatal(err)
	}
	return status.Status(result.Status)
}

// fluxEvaluators are made of spec.healthCheckExprs of the Kustomization in gitops/flux.
func fluxEvaluators(t *testing.T) map[string]*cel.StatusEvaluator {
	t.Helper()
	var kustomization struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	unmarshal(t, "../../gitops/flux/healthchecks.yaml", &kustomization)
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			t.Fatal(err)
		}
		if check.APIVersion != "regcred.dev/v1alpha1" {
			t.Errorf("%s is checked in %s", check.Kind, check.APIVersion)
		}
		evaluators[check.Kind] = evaluator
	}
	if len(evaluators) != len(kinds) {
		t.Fatalf("%d kinds are checked, want %d", len(evaluators), len(kinds))
	}
	return evaluators
}

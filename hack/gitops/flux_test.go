package gitops

import (
	"os"
	"regexp"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"sigs.k8s.io/yaml"
)

// TestKstatusReadsEveryState as Flux does where it waits without expressions.
func TestKstatusReadsEveryState(t *testing.T) {
	for _, s := range states {
		t.Run(s.kind+" "+s.fixture, func(t *testing.T) {
			result, err := status.Compute(s.object(t))
			if err != nil {
				t.Fatal(err)
			}
			if result.Status.String() != s.kstatus {
				t.Errorf("%s: %s, want %s", result.Status, result.Message, s.kstatus)
			}
		})
	}
}

// expressions are the healthCheckExprs of the Kustomization in docs/gitops.md.
func expressions(t *testing.T) []kustomize.CustomHealthCheck {
	t.Helper()
	page, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(page, -1) {
		var object struct {
			Kind string `json:"kind"`
			Spec struct {
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if yaml.Unmarshal(block[1], &object) == nil && object.Kind == "Kustomization" && len(object.Spec.HealthCheckExprs) > 0 {
			return object.Spec.HealthCheckExprs
		}
	}
	t.Fatal("docs/gitops.md holds no Kustomization with healthCheckExprs")
	return nil
}

// TestTheExpressionsForFluxReadEveryState by Flux' own evaluator. One that is suspended counts as done, which kstatus cannot know.
func TestTheExpressionsForFluxReadEveryState(t *testing.T) {
	checked := 0
	for _, expression := range expressions(t) {
		evaluator, err := cel.NewStatusEvaluator(&expression.HealthCheckExpressions)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s.kind != expression.Kind {
				continue
			}
			checked++
			want := s.kstatus
			switch s.fixture {
			case "suspended":
				want = "Current"
			case "deleting":
				want = "InProgress"
			}
			t.Run(s.kind+" "+s.fixture, func(t *testing.T) {
				result, err := evaluator.Evaluate(t.Context(), s.object(t))
				if s.fixture == "new" && err != nil {
					return // without a status nothing can be evaluated, and Flux goes on waiting
				}
				if err != nil {
					t.Fatal(err)
				}
				if result.Status.String() != want {
					t.Errorf("%s: %s, want %s", result.Status, result.Message, want)
				}
			})
		}
	}
	if checked != len(states) {
		t.Errorf("%d of %d states are read by an expression", checked, len(states))
	}
}

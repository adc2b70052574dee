package manifests

import (
	"fmt"
	"testing"

	gocel "github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// mutatingMinors are the minor versions that serve MutatingAdmissionPolicy of admissionregistration.k8s.io/v1.
var mutatingMinors = []uint{36, 37}

func TestEveryExpressionOfTheInjectionPolicyCompiles(t *testing.T) {
	found := documents(t, "injection", "MutatingAdmissionPolicy")
	if len(found) != 1 {
		t.Fatalf("config/injection has %d policies", len(found))
	}
	var policy admissionv1.MutatingAdmissionPolicy
	if err := yaml.UnmarshalStrict(found[0], &policy); err != nil {
		t.Fatal(err)
	}
	for _, minor := range mutatingMinors {
		t.Run(fmt.Sprintf("in Kubernetes 1.%d", minor), func(t *testing.T) {
			compiler, err := plugincel.NewCompositedCompiler(environmentOf(minor))
			if err != nil {
				t.Fatal(err)
			}
			compileMutation(t, compiler, policy.Spec)
		})
	}
}

// compileMutation compiles as the API server does: variables, then conditions, then mutations.
func compileMutation(t *testing.T, compiler *plugincel.CompositedCompiler, spec admissionv1.MutatingAdmissionPolicySpec) {
	options := plugincel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	for _, variable := range spec.Variables {
		if result := compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, gocel.AnyType}, options, environment.NewExpressions); result.Error != nil {
			t.Errorf("variable %s: %v", variable.Name, result.Error)
		}
	}
	for _, condition := range spec.MatchConditions {
		if result := compiler.CompileCELExpression(expression{text: condition.Expression, of: gocel.BoolType}, options, environment.NewExpressions); result.Error != nil {
			t.Errorf("condition %s: %v", condition.Name, result.Error)
		}
	}
	options.HasPatchTypes = true
	for i, mutation := range spec.Mutations {
		compiled := compiler.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}, options, environment.NewExpressions)
		for _, err := range compiled.CompilationErrors() {
			t.Errorf("mutation %d: %v", i, err)
		}
	}
	if len(spec.Variables) == 0 || len(spec.Mutations) == 0 {
		t.Error("no expression was found")
	}
}

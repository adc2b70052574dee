package manifests

import (
	"fmt"
	"testing"

	gocel "github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apimachinery/pkg/util/version"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// minors are the minor versions that are tried: the oldest that regcred supports, up to that of this module.
var minors = []uint{30, 31, 32, 33, 34, 35, 36, 37}

// environmentOf is what an API server of Kubernetes 1.minor compiles a new object's expressions in: it takes no more than the
// minor before it knew, so that it can be rolled back to that (environment.DefaultCompatibilityVersion).
func environmentOf(minor uint) *environment.EnvSet {
	return environment.MustBaseEnvSet(version.MajorMinor(1, minor-1))
}

func TestEveryRuleOfTheCRDsCompilesWithinTheCostLimits(t *testing.T) {
	for _, minor := range minors {
		for kind, schema := range schemas(t) {
			t.Run(fmt.Sprintf("%s in Kubernetes 1.%d", kind, minor), func(t *testing.T) {
				rules := &rules{in: environmentOf(minor)}
				rules.compile(t, kind, schema, validation.RootCELContext(schema))
				if rules.cost > validation.StaticEstimatedCRDCostLimit/2 {
					t.Errorf("all rules cost %d; more than half of the limit, %d, leaves too little for another Kubernetes", rules.cost, validation.StaticEstimatedCRDCostLimit)
				}
				if rules.count == 0 {
					t.Error("no rule was found")
				}
			})
		}
	}
}

// rules are the rules of one schema, compiled in one environment.
type rules struct {
	in    *environment.EnvSet
	count int
	cost  uint64
}

// compile does what the API server does when a CRD is created, see validation.ValidateCustomResourceDefinitionOpenAPISchema: that
// function cannot be given another environment than its own.
func (r *rules) compile(t *testing.T, path string, schema *apiextensions.JSONSchemaProps, context *validation.CELSchemaContext) {
	if len(schema.XValidations) > 0 {
		r.compileAt(t, path, schema, context)
	}
	for name, property := range schema.Properties {
		r.compile(t, path+"."+name, &property, context.ChildPropertyContext(&property, name))
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		r.compile(t, path+"[]", schema.Items.Schema, context.ChildItemsContext(schema.Items.Schema))
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		r.compile(t, path+"{}", schema.AdditionalProperties.Schema, context.ChildAdditionalPropertiesContext(schema.AdditionalProperties.Schema))
	}
}

func (r *rules) compileAt(t *testing.T, path string, schema *apiextensions.JSONSchemaProps, context *validation.CELSchemaContext) {
	info, err := context.TypeInfo()
	if err != nil || info == nil {
		t.Fatalf("%s: no type for its rules: %v", path, err)
	}
	results, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit, r.in, cel.NewExpressionsEnvLoader())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i, result := range results {
		rule := schema.XValidations[i].Rule
		if result.Error != nil {
			t.Errorf("%s: %s\n%v", path, rule, result.Error)
			continue
		}
		times := result.MaxCardinality
		if context.MaxCardinality != nil {
			times = *context.MaxCardinality
		}
		cost := result.MaxCost * times
		if cost > validation.StaticEstimatedCostLimit/2 {
			t.Errorf("%s costs %d; more than half of the limit, %d, leaves too little for another Kubernetes: %s", path, cost, validation.StaticEstimatedCostLimit, rule)
		}
		r.cost += cost
		r.count++
	}
}

func TestEveryExpressionOfTheAdmissionPoliciesCompiles(t *testing.T) {
	for _, minor := range minors {
		for _, policy := range policies(t) {
			t.Run(fmt.Sprintf("%s in Kubernetes 1.%d", policy.Name, minor), func(t *testing.T) {
				compiler, err := plugincel.NewCompositedCompiler(environmentOf(minor))
				if err != nil {
					t.Fatal(err)
				}
				compilePolicy(t, compiler, policy.Spec)
			})
		}
	}
}

// compilePolicy compiles in the order of the API server: conditions see no variables, each variable sees those before it.
func compilePolicy(t *testing.T, compiler *plugincel.CompositedCompiler, spec admissionv1.ValidatingAdmissionPolicySpec) {
	options := plugincel.OptionalVariableDeclarations{HasParams: spec.ParamKind != nil, HasAuthorizer: true}
	check := func(name string, result plugincel.CompilationResult) {
		if result.Error != nil {
			t.Errorf("%s: %v", name, result.Error)
		}
	}
	expect := func(name, text string, of *gocel.Type) {
		check(name, compiler.CompileCELExpression(expression{text: text, of: of}, options, environment.NewExpressions))
	}
	for _, condition := range spec.MatchConditions {
		expect("condition "+condition.Name, condition.Expression, gocel.BoolType)
	}
	for _, variable := range spec.Variables {
		check("variable "+variable.Name, compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, gocel.AnyType}, options, environment.NewExpressions))
	}
	for i, rule := range spec.Validations {
		expect(fmt.Sprintf("validation %d", i), rule.Expression, gocel.BoolType)
		if rule.MessageExpression != "" {
			expect(fmt.Sprintf("message of validation %d", i), rule.MessageExpression, gocel.StringType)
		}
	}
	for _, annotation := range spec.AuditAnnotations {
		expect("annotation "+annotation.Key, annotation.ValueExpression, gocel.AnyType)
	}
	if len(spec.Validations) == 0 {
		t.Error("no validation was found")
	}
}

// expression is a plugincel.NamedExpressionAccessor.
type expression struct {
	name, text string
	of         *gocel.Type
}

func (e expression) GetName() string            { return e.name }
func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*gocel.Type { return []*gocel.Type{e.of} }

// TestAnOlderKubernetesIsTold shows that the tests above can fail: this function came with 1.31, for objects of 1.32.
func TestAnOlderKubernetesIsTold(t *testing.T) {
	for minor, known := range map[uint]bool{30: false, 31: false, 32: true} {
		compiler, err := plugincel.NewCompositedCompiler(environmentOf(minor))
		if err != nil {
			t.Fatal(err)
		}
		result := compiler.CompileCELExpression(expression{text: "!format.dns1123Subdomain().validate('a').hasValue()", of: gocel.BoolType},
			plugincel.OptionalVariableDeclarations{}, environment.NewExpressions)
		if (result.Error == nil) != known {
			t.Errorf("Kubernetes 1.%d knows format: %v", minor, result.Error)
		}
	}
}

package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/internal/target"
)

const randomCredentials, randomNamespaces = 90, 40

const anyNameOverlay = `
resources: [DEFAULT, INJECTION]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "*"}
transformers: [REPLACEMENTS]`

// randomTargets makes targets that the API server takes: also those whose selector holds keys and values that no label can have.
type randomTargets struct {
	*rand.Rand
	namespaces []string
}

var (
	labelKeys   = []string{"team", "env", "company.io/tier", "kubernetes.io/metadata.name", "absent"}
	labelValues = []string{"shop", "web", "a.b_c-D", ""}
	oddKeys     = []string{"-team", "a b", "x/y/z", "", "Company.io/tier", "/tier", strings.Repeat("k", 64), strings.Repeat("d", 254) + "/tier"}
	oddValues   = []string{"-shop", "shop-", "a b", "ä", strings.Repeat("v", 64)}
)

func (r randomTargets) key() string { return r.one(labelKeys, oddKeys) }

func (r randomTargets) value() string { return r.one(labelValues, oddValues) }

// one is mostly of the usual ones.
func (r randomTargets) one(usual, odd []string) string {
	if r.IntN(30) == 0 {
		return odd[r.IntN(len(odd))]
	}
	return usual[r.IntN(len(usual))]
}

func (r randomTargets) some() (some []v1alpha1.NamespaceName) {
	for range r.IntN(4) {
		some = append(some, v1alpha1.NamespaceName(r.namespaces[r.IntN(len(r.namespaces))]))
	}
	slices.Sort(some)
	return slices.Compact(some)
}

func (r randomTargets) selector() *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	for range r.IntN(3) {
		metav1.AddLabelToSelector(s, r.key(), r.value())
	}
	for range r.IntN(3) {
		e := metav1.LabelSelectorRequirement{Key: r.key(), Operator: []metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"}[r.IntN(4)]}
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
			for range 1 + r.IntN(3) {
				e.Values = append(e.Values, r.value())
			}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return nil // the API server refuses it
	}
	return s
}

func (r randomTargets) next() v1alpha1.Target {
	t := v1alpha1.Target{Attach: v1alpha1.AttachPods, Namespaces: r.some(), ExcludedNamespaces: r.some()}
	if r.IntN(4) > 0 {
		t.NamespaceSelector = r.selector()
	}
	t.ExcludedNamespaces = slices.DeleteFunc(t.ExcludedNamespaces, func(name v1alpha1.NamespaceName) bool { return slices.Contains(t.Namespaces, name) })
	if len(t.Namespaces) == 0 && t.NamespaceSelector == nil {
		return r.next()
	}
	return t
}

// TestThePolicySelectsAsTheOperatorDoes compares the CEL of config/injection with internal/target, for random targets and namespaces.
func TestThePolicySelectsAsTheOperatorDoes(t *testing.T) {
	t.Parallel()
	rig := &injectionRig{startAPIServer(t)}
	rig.kubectl(t, "apply", "-k", writeOverlay(t, anyNameOverlay))
	rig.awaitKinds(t)
	t.Run("a full index", func(t *testing.T) { fullIndex(t, rig) })
	rig.keepIndex(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	spaces := rig.randomNamespaces(t, random)
	protected := []string{"kube-system", "kube-public", "kube-node-lease", operatorNamespace}
	targets := randomTargets{Rand: random}
	for i := range spaces {
		targets.namespaces = append(targets.namespaces, spaces[i].Name)
	}
	selectors, unreadable := map[string]target.Selector{}, 0
	for i := range randomCredentials {
		name := fmt.Sprintf("secret-%03d", i)
		rig.injecting(t, name, func(c *v1alpha1.RegistryCredential) {
			c.Spec.Target = targets.next()
			c.Spec.Target.SecretName = name
			selector, err := target.New(&c.Spec.Target, protected)
			if err != nil {
				unreadable++
			}
			selectors[name] = selector
		})
	}
	selected := 0
	for i := range spaces {
		want := []string{"own"}
		for name, selector := range selectors {
			if selector.Selects(spaces[i].Name, spaces[i].Labels) {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		selected += len(want) - 1
		awaitAPI(t, fmt.Sprintf("in namespace %s with labels %v", spaces[i].Name, spaces[i].Labels), func() error {
			got, err := admitted(t.Context(), rig.admin, spaces[i].Name, plainPod("own"))
			slices.Sort(got)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("the operator selects %v, and the policy %v", want, got)
			}
			return err
		})
	}
	if pairs := len(spaces) * randomCredentials; selected < pairs/20 || selected > pairs*19/20 || unreadable == 0 {
		t.Errorf("%d of %d pairs are selected, %d selectors cannot be read: that proves little", selected, pairs, unreadable)
	}
}

// randomNamespaces are some with random labels, and those that are protected.
func (rig *injectionRig) randomNamespaces(t *testing.T, random *rand.Rand) []corev1.Namespace {
	t.Helper()
	for range randomNamespaces {
		labels := map[string]string{}
		for _, key := range labelKeys[:3] {
			if random.IntN(2) == 0 {
				labels[key] = labelValues[random.IntN(len(labelValues))]
			}
		}
		vaultMust(t, rig.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-", Labels: labels}}))
	}
	for _, name := range []string{"kube-system", "kube-public", operatorNamespace} {
		awaitAPI(t, "namespace "+name+" is there", func() error {
			object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			return rig.admin.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"team":"shop","env":"web"}}}`)))
		})
	}
	var list corev1.NamespaceList
	vaultMust(t, rig.admin.List(t.Context(), &list))
	return list.Items
}

// fullIndex: the API server evaluates an index of the greatest size that the operator writes, in the forms that cost it the most steps.
func fullIndex(t *testing.T, rig *injectionRig) {
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "full-", Labels: map[string]string{"team": "shop"}}}
	vaultMust(t, rig.admin.Create(t.Context(), space))
	operator := newAPIClient(t, rig.impersonated())
	last := v1alpha1.InjectedSecret{Name: "zz", Selectors: []v1alpha1.InjectionSelector{{Labels: map[string]string{"team": "shop"}}}}
	for _, test := range []struct {
		name string
		grow func(i int, secrets []v1alpha1.InjectedSecret) []v1alpha1.InjectedSecret
	}{
		{"many selectors of one Secret", func(_ int, secrets []v1alpha1.InjectedSecret) []v1alpha1.InjectedSecret {
			if len(secrets) == 0 {
				secrets = []v1alpha1.InjectedSecret{{Name: "a"}}
			}
			secrets[0].Selectors = append(secrets[0].Selectors, v1alpha1.InjectionSelector{Labels: map[string]string{"team": "b"}})
			return secrets
		}},
		{"many Secrets", func(i int, secrets []v1alpha1.InjectedSecret) []v1alpha1.InjectedSecret {
			return append(secrets, v1alpha1.InjectedSecret{Name: strconv.Itoa(i), Selectors: []v1alpha1.InjectionSelector{{Labels: map[string]string{"team": "b"}}}})
		}},
		{"many expressions", func(_ int, secrets []v1alpha1.InjectedSecret) []v1alpha1.InjectedSecret {
			if len(secrets) == 0 {
				secrets = []v1alpha1.InjectedSecret{{Name: "a"}}
			}
			expressions := slices.Repeat([]metav1.LabelSelectorRequirement{{Key: "b", Operator: metav1.LabelSelectorOpDoesNotExist}}, 31)
			expressions = append(expressions, metav1.LabelSelectorRequirement{Key: "b", Operator: metav1.LabelSelectorOpExists})
			secrets[0].Selectors = append(secrets[0].Selectors, v1alpha1.InjectionSelector{Expressions: expressions})
			return secrets
		}},
		{"many namespaces", func(_ int, secrets []v1alpha1.InjectedSecret) []v1alpha1.InjectedSecret {
			if len(secrets) == 0 {
				secrets = []v1alpha1.InjectedSecret{{Name: "a"}}
			}
			secrets[0].Namespaces = append(secrets[0].Namespaces, slices.Repeat([]string{"n"}, 100)...)
			return secrets
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var spec v1alpha1.InjectionIndexSpec
			for i := 0; ; i++ {
				if i%100 == 0 {
					if text, err := json.Marshal(spec); err != nil || len(text) > injection.MaxIndex {
						vaultMust(t, err)
						break
					}
				}
				spec.Secrets = test.grow(i, spec.Secrets)
			}
			spec.Secrets = append(spec.Secrets, last)
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
			vaultMust(t, err)
			index := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
			index.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("InjectionIndex"))
			index.SetName(v1alpha1.InjectionIndexName)
			vaultMust(t, operator.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(index), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership))
			rig.gets(t, space.Name, plainPod(test.name), test.name, "zz")
		})
	}
}

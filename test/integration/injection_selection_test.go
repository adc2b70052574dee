package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
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
	rig.kubectl(t, "wait", "--for=condition=Established", "crd/registrycredentials.regcred.dev")
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

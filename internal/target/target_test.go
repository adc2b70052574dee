package target

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestSelects(t *testing.T) {
	shop := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	everything := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpExists}}}
	tests := []struct {
		name      string
		target    v1alpha1.Target
		namespace string
		labels    map[string]string
		want      bool
	}{
		{"a namespace that is named", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}}, "prod", nil, true},
		{"a namespace that nobody names", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}}, "test", nil, false},
		{"a label that matches", v1alpha1.Target{NamespaceSelector: shop}, "prod", map[string]string{"team": "shop"}, true},
		{"a label that does not match", v1alpha1.Target{NamespaceSelector: shop}, "prod", map[string]string{"team": "web"}, false},
		{"names and labels are a union: by name", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}, NamespaceSelector: shop}, "prod", nil, true},
		{"names and labels are a union: by label", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}, NamespaceSelector: shop}, "test", map[string]string{"team": "shop"}, true},
		{"an exclusion wins over a label", v1alpha1.Target{NamespaceSelector: shop, ExcludedNamespaces: []v1alpha1.NamespaceName{"prod"}}, "prod", map[string]string{"team": "shop"}, false},
		{"an exclusion wins over a name", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}, ExcludedNamespaces: []v1alpha1.NamespaceName{"prod"}}, "prod", nil, false},
		{"a protected namespace is not selected by label", v1alpha1.Target{NamespaceSelector: everything}, "kube-system", map[string]string{"kubernetes.io/metadata.name": "kube-system"}, false},
		{"a protected namespace is selected by name", v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"kube-system"}}, "kube-system", nil, true},
		{"an empty selector that got past the API server selects nothing", v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{}}, "prod", nil, false},
		{"no names and no selector select nothing", v1alpha1.Target{}, "prod", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			selector, err := New(&test.target, []string{"kube-system", "regcred-system"})
			if err != nil {
				t.Fatal(err)
			}
			if got := selector.Selects(test.namespace, test.labels); got != test.want {
				t.Errorf("selected is %t, want %t", got, test.want)
			}
		})
	}
}

func TestAnErrorQuotesNoMoreThanAStatusCanHold(t *testing.T) {
	for name, selector := range map[string]*metav1.LabelSelector{
		"a long value": {MatchLabels: map[string]string{"team": strings.Repeat("a", 1<<20)}},
		"a long key":   {MatchLabels: map[string]string{strings.Repeat("a", 1<<20): "shop"}},
	} {
		_, err := New(&v1alpha1.Target{NamespaceSelector: selector}, nil)
		if err == nil || len(err.Error()) > 2048 {
			t.Errorf("%s: an error of at most 2 KiB is wanted, got %d bytes", name, len(fmt.Sprint(err)))
		}
	}
}

func TestASelectorThatDoesNotParseIsAnError(t *testing.T) {
	broken := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like", Values: []string{"shop"}}}}
	selector, err := New(&v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"prod"}, NamespaceSelector: broken}, nil)
	if err == nil {
		t.Fatal("an operator that does not exist must be an error")
	}
	if selector.Selects("prod", nil) {
		t.Error("a selector that is not built selects nothing")
	}
}

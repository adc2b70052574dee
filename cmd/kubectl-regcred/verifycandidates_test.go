package main

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// Whoever may write Secrets in a namespace can write one that looks as if regcred had.
func TestThePeopleOfANamespaceDoNotChooseWhatIsAskedWith(t *testing.T) {
	const host = "registry.example.com"
	for _, test := range []struct {
		name    string
		forged  map[string]string // namespaces and what a person wrote there
		lacking []string          // namespaces in which the registry is somebody else's
		forbids []string
		want    string // the namespace whose value is taken
		note    string
	}{
		{"nobody wrote anything else", nil, nil, nil, "shop-0", ""},
		{"in a namespace that is not selected", map[string]string{"a-other": "canary-forged"}, nil, nil, "shop-0", ""},
		{"in a selected one that comes first", map[string]string{"shop-0": "canary-forged"}, nil, nil, "shop-1", "in 1 Secret, the first in namespace shop-0"},
		{"in two of them", map[string]string{"shop-0": "canary-forged", "shop-3": "canary-other"}, nil, nil, "shop-1", "in 2 Secrets, the first in namespace shop-0"},
		{"where namespaces may not be listed", map[string]string{"a-other": "canary-forged"}, nil, []string{"NamespaceList"}, "shop-0", "the first in namespace a-other"},
		{"one registry is served by another RegistryCredential", nil, []string{"shop-2"}, nil, "shop-0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			object, _ := writtenSecret(t, host, "canary")
			object.Spec.Registries = append(object.Spec.Registries, "elsewhere.example.com")
			object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "yes"}}
			var objects []client.Object
			for _, namespace := range []string{"a-other", "shop-0", "shop-1", "shop-2", "shop-3"} {
				labels := map[string]string{"team": "yes"}
				password := "canary"
				if namespace == "a-other" {
					labels = nil
				}
				if forged := test.forged[namespace]; forged != "" {
					password = forged
				}
				objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}})
				if namespace == "a-other" && password == "canary" {
					continue
				}
				_, secret := writtenSecret(t, host, password)
				secret.Namespace = namespace
				for _, lacking := range test.lacking {
					if namespace == lacking {
						secret.Annotations[v1alpha1.SourcesAnnotation] = strings.Replace(secret.Annotations[v1alpha1.SourcesAnnotation], `,"elsewhere.example.com"`, "", 1)
					}
				}
				objects = append(objects, secret)
			}
			r := recorded{forbids: test.forbids}
			v := &verifying{access: (&apiServer{}).start(t), operator: "regcred-system"}
			value, err := v.valueOf(t.Context(), r.client(objects...), object)
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(value.notes, " ")
			if value.namespace != test.want || value.config[host].Password() != "canary" || !strings.Contains(notes, test.note) || (notes == "") != (test.note == "") || strings.Contains(notes, "canary") {
				t.Errorf("it asks with that of %s and notes %q", value.namespace, notes)
			}
		})
	}
}

func TestTheRevisionInUseComesBeforeOneThatMoreHave(t *testing.T) {
	var all candidates
	for i, revision := range []string{"6", "6", "7"} {
		object, secret := writtenSecret(t, "registry.example.com", "canary-"+revision)
		secret.Namespace = fmt.Sprint("shop-", i)
		secret.Annotations[v1alpha1.SourcesAnnotation] = strings.Replace(secret.Annotations[v1alpha1.SourcesAnnotation], `"revision":"7"`, `"revision":"`+revision+`"`, 1)
		all.add(valueIn(secret, object))
	}
	for revision, want := range map[string]string{"7": "shop-2", "6": "shop-0", "8": "shop-0"} {
		if value := all.most(revision); value.namespace != want || len(value.notes) > 0 {
			t.Errorf("with revision %s in use it asks with that of %s and notes %q", revision, value.namespace, value.notes)
		}
	}
	if (&candidates{}).most("7") != nil {
		t.Error("of nothing there is a value")
	}
}

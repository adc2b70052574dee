package main

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/injection"
	"regcred.dev/regcred/test/inmemory"
)

// installedPolicy are policy and binding as config/injection has them, as far as they are looked at.
func installedPolicy() []client.Object {
	name := metav1.ObjectMeta{Name: v1alpha1.InjectionPolicy}
	policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: name}
	policy.Spec.FailurePolicy = new(admissionv1.Ignore)
	policy.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "InjectionIndex"}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: name}
	binding.Spec.PolicyName, binding.Spec.ParamRef = v1alpha1.InjectionPolicy, &admissionv1.ParamRef{Name: v1alpha1.InjectionIndexName}
	return []client.Object{policy, binding}
}

func TestADoctorComparesTheIndexWithWhatIsAskedFor(t *testing.T) {
	asking := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "1"}}
	asking.Spec.Target = v1alpha1.Target{Namespaces: []v1alpha1.NamespaceName{"shop"}, Attach: v1alpha1.AttachPods}
	meant := &v1alpha1.InjectionIndex{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectionIndexName}, Spec: injection.Build([]v1alpha1.RegistryCredential{*asking}).Spec}
	other := &v1alpha1.InjectionIndex{ObjectMeta: meant.ObjectMeta, Spec: v1alpha1.InjectionIndexSpec{Secrets: []v1alpha1.InjectedSecret{{Name: "other"}}}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "some"}, "", errors.New("no"))
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		objects []client.Object
		// denies is a kind that may not be read.
		denies client.Object
		level  checkup.Level
		says   string
	}{
		{"nobody asks, and there is none", nil, nil, checkup.OK, "no RegistryCredential has"},
		{"nobody asks, and it names Secrets", []client.Object{meant}, nil, checkup.Warning, "still names Secrets"},
		{"all is well", append(installedPolicy(), asking, meant), nil, checkup.OK, "is what 1 RegistryCredentials"},
		{"it is missing", append(installedPolicy(), asking), nil, checkup.Problem, "is not there"},
		{"it holds something else", append(installedPolicy(), asking, other), nil, checkup.Warning, "is not what this version would write"},
		{"the policy is missing", []client.Object{asking, meant}, nil, checkup.Problem, "MutatingAdmissionPolicy regcred-injection is not there"},
		{"the policy may not be read", []client.Object{asking, meant}, &admissionv1.MutatingAdmissionPolicy{}, checkup.Unknown, "you may not read MutatingAdmissionPolicies"},
		{"the index may not be read", append(installedPolicy(), asking, meant), &v1alpha1.InjectionIndex{}, checkup.Unknown, "you may not read the InjectionIndex"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := inmemory.ClusterOf(scheme).WithObjects(test.objects...).WithInterceptorFuncs(interceptor.Funcs{
					Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
						if test.denies != nil && reflect.TypeOf(test.denies) == reflect.TypeOf(into) {
							return forbidden
						}
						return c.Get(ctx, key, into, options...)
					}}).Build()
				g := &gathering{client: c}
				findings := checkup.Findings(checkup.Facts{Kinds: []string{"RegistryCredential", "VaultConnection"}, Injection: g.injection(t.Context(), 0)})
				for _, f := range findings {
					if f.Check == "Injection" && f.Level == test.level && strings.Contains(f.Message, test.says) {
						return
					}
				}
				t.Errorf("found %+v", findings)
			})
		})
	}
}

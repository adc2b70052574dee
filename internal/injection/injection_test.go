package injection

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	registrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/api/v1alpha1"
)

func asShipped() (*admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding) {
	policy, binding := &admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{}
	policy.Spec.FailurePolicy = new(admissionv1.Ignore)
	policy.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: "regcred.dev/v1alpha1", Kind: "InjectionIndex"}
	binding.Spec.PolicyName = v1alpha1.InjectionPolicy
	binding.Spec.ParamRef = &admissionv1.ParamRef{Selector: &metav1.LabelSelector{}}
	return policy, binding
}

func TestJudge(t *testing.T) {
	resource := schema.GroupResource{Group: "admissionregistration.k8s.io", Resource: "mutatingadmissionpolicies"}
	gone, forbidden, away := apierrors.NewNotFound(resource, "x"), apierrors.NewForbidden(resource, "x", errors.New("no")), errors.New("connection refused")
	stands := State{Known: true}
	for _, test := range []struct {
		name                  string
		before                State
		policyErr, bindingErr error
		change                func(*admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding)
		known                 bool
		fault                 string
	}{
		{name: "policy and binding as shipped stand", known: true},
		{name: "a policy that is not there", policyErr: gone, known: true, fault: "MutatingAdmissionPolicy regcred-injection is not there"},
		{name: "a binding that is not there", bindingErr: gone, known: true, fault: "Binding regcred-injection is not there"},
		{name: "a role that is not there", policyErr: forbidden, known: true, fault: "the role regcred-injection"},
		{name: "an API server that is away leaves a policy standing", before: stands, policyErr: away, known: true},
		{name: "an API server that never answered says nothing", bindingErr: away},
		{name: "a policy for something else", known: true, fault: "does not read the InjectionIndex",
			change: func(p *admissionv1.MutatingAdmissionPolicy, _ *admissionv1.MutatingAdmissionPolicyBinding) {
				p.Spec.ParamKind.Kind = "Other"
			}},
		{name: "a policy that refuses pods", known: true, fault: "failurePolicy of MutatingAdmissionPolicy regcred-injection is not Ignore",
			change: func(p *admissionv1.MutatingAdmissionPolicy, _ *admissionv1.MutatingAdmissionPolicyBinding) {
				p.Spec.FailurePolicy = nil // Fail
			}},
		{name: "a policy without parameters", known: true, fault: "does not read the InjectionIndex",
			change: func(p *admissionv1.MutatingAdmissionPolicy, _ *admissionv1.MutatingAdmissionPolicyBinding) {
				p.Spec.ParamKind = nil
			}},
		{name: "a binding of another policy", known: true, fault: "binds another policy",
			change: func(_ *admissionv1.MutatingAdmissionPolicy, b *admissionv1.MutatingAdmissionPolicyBinding) {
				b.Spec.PolicyName = "other"
			}},
		{name: "a binding to another object", known: true, fault: "does not refer to the InjectionIndex",
			change: func(_ *admissionv1.MutatingAdmissionPolicy, b *admissionv1.MutatingAdmissionPolicyBinding) {
				b.Spec.ParamRef.Selector, b.Spec.ParamRef.Name = nil, "other"
			}},
		{name: "a binding by name", known: true,
			change: func(_ *admissionv1.MutatingAdmissionPolicy, b *admissionv1.MutatingAdmissionPolicyBinding) {
				b.Spec.ParamRef.Selector, b.Spec.ParamRef.Name = nil, v1alpha1.InjectionIndexName
			}},
		{name: "a policy that goes", known: true, fault: "being deleted",
			change: func(p *admissionv1.MutatingAdmissionPolicy, _ *admissionv1.MutatingAdmissionPolicyBinding) {
				p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, binding := asShipped()
			if test.change != nil {
				test.change(policy, binding)
			}
			got := Judge(test.before, policy, test.policyErr, binding, test.bindingErr)
			if got.Known != test.known || !strings.Contains(got.Fault, test.fault) || (got.Fault == "") != (test.fault == "") {
				t.Errorf("%+v", got)
			}
			if got.Unseen != apierrors.IsForbidden(test.policyErr) {
				t.Errorf("that the operator may not look is told from what is not there: %+v", got)
			}
			if got.Fault != "" && (!strings.Contains(got.Message(), "kubectl apply -k config/injection") || len(got.Message()) > 400) {
				t.Errorf("the message is %q", got.Message())
			}
		})
	}
}

func TestAnAPIServerWithoutSuchPoliciesIsToldFromOneWithoutThisPolicy(t *testing.T) {
	notFound := apierrors.NewNotFound(admissionv1.Resource("mutatingadmissionpolicies"), v1alpha1.InjectionPolicy)
	forbidden := apierrors.NewForbidden(admissionv1.Resource("mutatingadmissionpolicies"), v1alpha1.InjectionPolicy, errors.New("no role"))
	for _, test := range []struct {
		name     string
		refusal  *apierrors.StatusError // nil: there is no such path
		kinds    string                 // what the API server serves of the group, empty: it does not say
		unserved bool
	}{
		{"Kubernetes 1.35 and older have no such path", nil, "", true},
		{"Kubernetes 1.36 has no such object", notFound, "", false},
		{"the role is not there, and the kind neither", forbidden, "validatingadmissionpolicies", true},
		{"the role is not there, and the kind is", forbidden, "mutatingadmissionpolicies", false},
		{"the role is not there, and the kinds are not told", forbidden, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/apis/admissionregistration.k8s.io/v1" && test.kinds != "":
					answer(t, w, http.StatusOK, metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: test.kinds}}})
				case test.refusal == nil || r.URL.Path == "/apis/admissionregistration.k8s.io/v1":
					http.NotFound(w, r)
				default:
					status := test.refusal.ErrStatus
					status.Kind, status.APIVersion = "Status", "v1"
					answer(t, w, int(status.Code), status)
				}
			}))
			defer server.Close()
			registration, err := registrationv1.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			got := Look(registration)(t.Context(), State{})
			if !got.Known || got.Standing() || got.Unserved != test.unserved || strings.Contains(got.Message(), Install) == test.unserved || strings.Contains(got.Message(), Instead) != test.unserved {
				t.Errorf("%+v: %s", got, got.Message())
			}
		})
	}
}

func answer(t *testing.T, w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(object); err != nil {
		t.Error(err)
	}
}

func TestNobodyLooksBeforeSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looked []time.Duration
		var told []State
		began := time.Now()
		var stands atomic.Bool
		w := New(func(context.Context, State) State {
			looked = append(looked, time.Since(began))
			if stands.Load() {
				return State{Known: true}
			}
			return State{Known: true, Fault: "it is not there"}
		}, func(s State) { told = append(told, s) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Start(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(looked) != 0 {
			t.Fatalf("looked after %v", looked)
		}
		if w.State().Known {
			t.Error("known before the first look")
		}
		synctest.Wait()
		if !w.State().Known || w.State().Standing() {
			t.Errorf("%+v", w.State())
		}
		stands.Store(true)
		time.Sleep(whileMissing)
		synctest.Wait()
		time.Sleep(whileStanding)
		synctest.Wait()
		if len(looked) != 3 || len(told) != 2 || !told[1].Standing() {
			t.Errorf("looked %d times, told %+v", len(looked), told)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAPolicyThatWasReplacedBetweenTwoLooksServesSinceThen(t *testing.T) {
	at := func(second int64) metav1.Time { return metav1.NewTime(time.Unix(second, 0)) }
	for _, test := range []struct {
		name                  string
		policy, binding, want metav1.Time
	}{
		{"the policy is the younger one", at(7), at(3), at(7)},
		{"the binding is", at(3), at(9), at(9)},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, binding := asShipped()
			policy.CreationTimestamp, binding.CreationTimestamp = test.policy, test.binding
			before := State{Known: true, Since: at(3).UTC()}
			if got := Judge(before, policy, nil, binding, nil); !got.Standing() || !got.Since.Equal(test.want.Time) || got == before {
				t.Errorf("%+v", got)
			}
		})
	}
}

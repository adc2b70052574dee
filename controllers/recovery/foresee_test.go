package recovery

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/test/inmemory"
)

func TestASuccessorIsAskedForByADryRunAlone(t *testing.T) {
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New("violates PodSecurity"))
	for _, test := range []struct {
		name   string
		first  bool
		action diagnosis.Action
		answer error
		asked  int
		want   diagnosis.Action
	}{
		{name: "nobody asks where it is not wanted", action: diagnosis.Restart, answer: refused, want: diagnosis.Restart},
		{name: "nobody asks before a repull, which has no successor", first: true, action: diagnosis.Repull, answer: refused, want: diagnosis.Repull},
		{name: "it is taken", first: true, action: diagnosis.Restart, asked: 1, want: diagnosis.Restart},
		{name: "it is refused", first: true, action: diagnosis.Restart, answer: refused, asked: 1, want: diagnosis.Report},
		{name: "the API server does not answer", first: true, action: diagnosis.Restart, answer: context.DeadlineExceeded, asked: 1, want: diagnosis.Wait},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web", UID: "set"}}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "web-1", OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "set", Controller: ptr.To(true)}}}}
			asked := 0
			c := inmemory.Cluster().WithObjects(set, pod).WithInterceptorFuncs(interceptor.Funcs{
				Create: func(_ context.Context, _ client.WithWatch, object client.Object, options ...client.CreateOption) error {
					var applied client.CreateOptions
					applied.ApplyOptions(options)
					if len(applied.DryRun) != 1 || applied.DryRun[0] != metav1.DryRunAll {
						t.Errorf("%T is created for good: %+v", object, applied)
					}
					asked++
					return test.answer
				}}).Build()
			r := &Reconciler{Writer: c, SuccessorFirst: test.first, Now: time.Now}
			got, err := r.foresee(t.Context(), gathered{Facts: diagnosis.Facts{Pod: pod}}, diagnosis.Verdict{Action: test.action, Reason: diagnosis.StaleCredential})
			if err != nil || got.Action != test.want || asked != test.asked {
				t.Errorf("%s (%s) after %d questions: %v", got.Action, got.Message, asked, err)
			}
		})
	}
}

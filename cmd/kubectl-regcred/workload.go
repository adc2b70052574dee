package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// subject is what a command explains: one pod, the pods of a workload, or, without a name, all pods of a namespace.
type subject struct {
	kind *workloadKind // nil for pods
	name string
}

// workloadKind is a kind of workloads, by the names that kubectl knows.
type workloadKind struct {
	names    []string
	object   func() client.Object
	selector func(client.Object) *metav1.LabelSelector
}

var workloadKinds = []workloadKind{
	{[]string{"deployment", "deployments", "deploy"}, func() client.Object { return &appsv1.Deployment{} },
		func(o client.Object) *metav1.LabelSelector { return o.(*appsv1.Deployment).Spec.Selector }},
	{[]string{"statefulset", "statefulsets", "sts"}, func() client.Object { return &appsv1.StatefulSet{} },
		func(o client.Object) *metav1.LabelSelector { return o.(*appsv1.StatefulSet).Spec.Selector }},
	{[]string{"daemonset", "daemonsets", "ds"}, func() client.Object { return &appsv1.DaemonSet{} },
		func(o client.Object) *metav1.LabelSelector { return o.(*appsv1.DaemonSet).Spec.Selector }},
	{[]string{"replicaset", "replicasets", "rs"}, func() client.Object { return &appsv1.ReplicaSet{} },
		func(o client.Object) *metav1.LabelSelector { return o.(*appsv1.ReplicaSet).Spec.Selector }},
	{[]string{"job", "jobs"}, func() client.Object { return &batchv1.Job{} },
		func(o client.Object) *metav1.LabelSelector { return o.(*batchv1.Job).Spec.Selector }},
}

// subjectOf reads the arguments: KIND NAME, KIND/NAME, "pods" or nothing.
func subjectOf(args []string) (subject, error) {
	pods := []string{"pod", "pods", "po"}
	if len(args) == 1 {
		if slices.Contains(pods, args[0]) {
			return subject{}, nil
		}
		kind, name, _ := strings.Cut(args[0], "/")
		args = []string{kind, name}
	}
	switch {
	case len(args) == 0:
		return subject{}, nil
	case args[1] == "":
	case slices.Contains(pods, args[0]):
		return subject{name: args[1]}, nil
	default:
		for i := range workloadKinds {
			if slices.Contains(workloadKinds[i].names, args[0]) {
				return subject{&workloadKinds[i], args[1]}, nil
			}
		}
	}
	return subject{}, fmt.Errorf("explain takes a pod or a workload: kubectl regcred explain pod NAME, explain deployment NAME, or explain pods")
}

// workload looks at the pods that a workload selects and that cannot pull.
func (l *look) workload(ctx context.Context, namespace string, s subject) (report, error) {
	object, kind := s.kind.object(), s.kind.names[0]
	r := report{namespace: namespace, of: kind + " " + s.name}
	switch err := l.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.name}, object); {
	case apierrors.IsForbidden(err):
		return r, fmt.Errorf("you may not read %s in namespace %s: ask for the ClusterRole view there, or name a pod", s.kind.names[1], namespace)
	case err != nil:
		return r, fmt.Errorf("read %s %s in namespace %s: %w", kind, s.name, namespace, err)
	}
	selector, err := metav1.LabelSelectorAsSelector(s.kind.selector(object))
	if err != nil {
		return r, fmt.Errorf("%s %s in namespace %s: %w", kind, s.name, namespace, err)
	}
	stuck, err := l.stuckPods(ctx, namespace, client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return r, err
	}
	explained, err := l.explain(ctx, stuck, len(stuck) == 1)
	explained.namespace, explained.of = r.namespace, r.of
	return explained, err
}

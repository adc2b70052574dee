package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/test/inmemory"
)

// recorded is a client that counts requests, and forbids lists of some kinds.
type recorded struct {
	mu       sync.Mutex
	requests int
	forbids  []string
}

func (r *recorded) client(objects ...client.Object) client.WithWatch {
	return inmemory.ClusterOf(scheme).WithObjects(objects...).
		WithIndex(&corev1.Secret{}, "type", func(o client.Object) []string { return []string{string(o.(*corev1.Secret).Type)} }).
		WithIndex(&corev1.Secret{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
		WithIndex(&corev1.ServiceAccount{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
		WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string { return []string{string(o.(*corev1.Event).InvolvedObject.UID)} }).
		WithIndex(&corev1.Event{}, "reportingComponent", func(o client.Object) []string { return []string{o.(*corev1.Event).ReportingController} }).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				kind := strings.TrimPrefix(fmt.Sprintf("%T", list), "*v1.")
				r.mu.Lock()
				r.requests++
				r.mu.Unlock()
				if slices.Contains(r.forbids, kind) {
					return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "", nil)
				}
				return c.List(ctx, list, options...)
			},
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				r.mu.Lock()
				r.requests++
				r.mu.Unlock()
				if kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1."); slices.Contains(r.forbids, kind) {
					return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, key.Name, nil)
				}
				return c.Get(ctx, key, object, options...)
			},
		}).Build()
}

// podServer answers lists of pods page by page, and counts them.
func (r *recorded) podServer(t *testing.T, pods []corev1.Pod) *podlist.Lister {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.requests++
		r.mu.Unlock()
		from, limit := 0, 0
		fmt.Sscan(q.URL.Query().Get("continue"), &from)
		fmt.Sscan(q.URL.Query().Get("limit"), &limit)
		list := corev1.PodList{Items: pods[from:min(len(pods), from+limit)]}
		if from+limit < len(pods) {
			list.Continue = fmt.Sprint(from + limit)
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	lister, err := podlist.New(&rest.Config{Host: server.URL, QPS: -1}, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return lister
}

// crowd is a RegistryCredential in many namespaces, each with a Deployment that has some pods.
func crowd(namespaces, podsEach int) (objects []client.Object, pods []corev1.Pod) {
	keys := []string{"registry.example.com"}
	sources := pullsecret.Sources{"shop": {Revision: "7", Keys: keys}}
	objects = append(objects, &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Spec: v1alpha1.RegistryCredentialSpec{Registries: []v1alpha1.Registry{"registry.example.com"},
			Target: v1alpha1.Target{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "yes"}}}},
		Status: v1alpha1.RegistryCredentialStatus{Credential: &v1alpha1.CredentialStatus{Revision: "7", ProvenBy: "Pull"}}})
	for i := range namespaces {
		name := fmt.Sprintf("team-%03d", i)
		spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}}
		objects = append(objects,
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "yes"}}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "regcred", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
				Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()}}, Type: corev1.SecretTypeDockerConfigJson,
				Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"registry.example.com":{"auth":"dTpjYW5hcnk="}}}`)}},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "default"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}}},
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "web"}, Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: spec}}})
		for j := range podsEach {
			pods = append(pods, corev1.Pod{Spec: spec, ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: fmt.Sprintf("web-5d4-%d", j),
				Labels:          map[string]string{"pod-template-hash": "5d4"},
				OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5d4"}}}})
		}
	}
	return objects, pods
}

func auditOf(t *testing.T, r *recorded, objects []client.Object, pods []corev1.Pod) (audited, *audit.Facts) {
	t.Helper()
	s := &survey{reader: r.client(objects...), pods: r.podServer(t, pods), operator: "regcred-system", now: atNoon}
	facts, err := s.facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := audit.Rows(facts)
	return audited{Sum: audit.Sum(rows), Groups: audit.Groups(rows), Images: rows, Notes: s.sorted(), place: "all namespaces"}, facts
}

func TestAnAuditOfManyNamespacesAsksAsOftenAsOneOfFew(t *testing.T) {
	var few, many recorded
	auditOf(t, &few, first(crowd(2, 1)), second(crowd(2, 1)))
	objects, pods := crowd(200, 10)
	begun := time.Now()
	a, _ := auditOf(t, &many, objects, pods)
	t.Logf("an audit of 200 namespaces with 2,000 pods takes %s and %d requests", time.Since(begun).Round(time.Millisecond), many.requests)
	if time.Since(begun) > 30*time.Second {
		t.Errorf("it takes %s", time.Since(begun))
	}
	if pages := len(pods)/100 - 1; many.requests > few.requests+pages {
		t.Errorf("%d requests for 200 namespaces, %d for 2 and %d more pages of pods", many.requests, few.requests, pages)
	}
	if a.Sum != "200 Accepted" || len(a.Groups) != 1 || a.Groups[0].Pods != 2000 || a.Groups[0].From != "ServiceAccount default" || len(a.Notes) > 0 {
		t.Errorf("%s: %+v, %v", a.Sum, a.Groups, a.Notes)
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

func TestAnAuditSaysWhatMayNotBeRead(t *testing.T) {
	objects, pods := crowd(2, 1)
	for _, test := range []struct {
		forbids, sum, note string
	}{
		{"SecretList", "2 Accepted", "may not list Secrets"},
		{"ServiceAccountList", "2 Unknown", "may not list ServiceAccounts"},
		{"NamespaceList", "2 Accepted", "may not list namespaces"},
		{"DeploymentList", "2 Accepted", "may not list Deployments"},
		{"*v1alpha1.RegistryCredentialList", "2 Unproven", "ClusterRole regcred-viewer"},
	} {
		t.Run(test.forbids, func(t *testing.T) {
			a, _ := auditOf(t, &recorded{forbids: []string{test.forbids}}, objects, pods)
			if a.Sum != test.sum || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], test.note) {
				t.Errorf("%s, notes %v", a.Sum, a.Notes)
			}
		})
	}
}

func TestAnAuditIsPrinted(t *testing.T) {
	objects, pods := crowd(2, 1)
	pods = append(pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team-001", Name: "bare"},
		Spec: corev1.PodSpec{ServiceAccountName: "other", Containers: []corev1.Container{{Image: image}}}})
	a, _ := auditOf(t, &recorded{}, objects, pods)
	for _, wide := range []bool{false, true} {
		var out bytes.Buffer
		if err := printAudit(&out, a, wide); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"3 pulls of 1 image in all namespaces: 1 Fails, 2 Accepted", "team-001", "Pod/bare", "ServiceAccount default", "NotReferenced", "ServiceAccount other"} {
			if !strings.Contains(out.String(), words) {
				t.Errorf("wide %t: %q is missing:\n%s", wide, words, out.String())
			}
		}
	}
	var out bytes.Buffer
	if err := printObject(&out, "json", a); err != nil || strings.Contains(out.String(), "canary") || strings.Contains(out.String(), "Y2FuYXJ5") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	if err := printAudit(&out, audited{place: "namespace shop"}, false); err != nil || !strings.Contains(out.String(), "There is no workload that you may list in namespace shop.") {
		t.Error(out.String())
	}
}

// In a pipeline somebody looks at what would fail. To everybody else the command has told what he asked for.
func TestAPullThatWouldFailEndsAnAuditWithAnErrorOnlyForWhoAskedForThat(t *testing.T) {
	accepted, fails := audit.Row{Result: audit.Accepted}, audit.Row{Result: audit.Fails}
	for _, test := range []struct {
		name  string
		asked bool
		rows  []audit.Row
		code  int
	}{
		{"one would fail", true, []audit.Row{accepted, fails}, exitProblem},
		{"one would fail, and nobody asked", false, []audit.Row{accepted, fails}, 0},
		{"none would fail", true, []audit.Row{accepted, {Result: audit.Unknown}, {Result: audit.Unproven}, {Result: audit.Anonymous}}, 0},
		{"there is none", true, nil, 0},
	} {
		err := (&auditing{exitCode: test.asked}).failure(test.rows, "1 Fails, 1 Accepted")
		if (err != nil) != (test.code != 0) || err != nil && (exitCode(err) != test.code || err.Error() != "some pulls would fail, those with the result Fails: 1 Fails, 1 Accepted") {
			t.Errorf("%s: it ends with %v", test.name, err)
		}
	}
}

// stuckIn are pods that cannot pull, one in each namespace of a crowd.
func stuckIn(pods []corev1.Pod) []corev1.Pod {
	var stuck []corev1.Pod
	for _, pod := range pods {
		pod.OwnerReferences = nil
		pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "regcred"}}
		pod.Status.Phase = corev1.PodPending
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "ErrImagePull", Message: "unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized"}}}}
		stuck = append(stuck, pod)
	}
	return stuck
}

func TestExplainAsksAsOftenForManyNamespacesAsForFew(t *testing.T) {
	ask := func(namespaces int, forbids ...string) (report, int) {
		objects, pods := crowd(namespaces, 1)
		r := recorded{forbids: forbids}
		l := &look{reader: r.client(objects...), operator: "regcred-system", now: atNoon}
		begun := time.Now()
		said, err := l.explain(t.Context(), stuckIn(pods), false)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("explain in %d namespaces takes %s and %d requests", namespaces, time.Since(begun).Round(time.Millisecond), r.requests)
		return said, r.requests
	}
	one, _ := ask(1)
	_, few := ask(fewNamespaces + 1)
	many, requests := ask(200)
	if requests > few {
		t.Errorf("%d requests for 200 namespaces, %d for %d", requests, few, fewNamespaces+1)
	}
	for _, pod := range many.Pods {
		if pod.Reason != one.Pods[0].Reason || pod.Action != one.Pods[0].Action || len(many.Notes) > 0 {
			t.Fatalf("many are explained otherwise than one: %+v, %v; %+v", pod, many.Notes, one.Pods[0])
		}
	}
	if said, _ := ask(fewNamespaces+1, "SecretList", "ServiceAccountList", "NamespaceList"); said.Pods[0].Reason != one.Pods[0].Reason {
		t.Errorf("where lists are forbidden, it is explained otherwise: %+v", said.Pods[0])
	}
}

func TestWhoMayNotReadRegistryCredentialsIsToldWhatTheOperatorSaid(t *testing.T) {
	objects, pods := crowd(1, 1)
	pod := stuckIn(pods)[0]
	pod.UID = "u1"
	event := func(name, by string, about types.UID) client.Object {
		return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: name}, ReportingController: by, Reason: "JobPod", Message: "left to you by " + by,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name, UID: about}}
	}
	objects = append(objects, &pod, event("ours", reporter, "u1"), event("theirs", "kubelet", "u1"), event("other", reporter, "u2"))
	for _, test := range []struct {
		name    string
		forbids []string
		events  int
		notes   string
	}{
		{"who may read all needs no event", nil, 0, ""},
		{"who may not read RegistryCredentials", []string{"*v1alpha1.RegistryCredentialList"}, 1, "You may not read RegistryCredentials"},
		{"who may not read events either", []string{"*v1alpha1.RegistryCredentialList", "EventList"}, 0, "You may not read events in namespace team-000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recorded{forbids: test.forbids}
			l := &look{reader: r.client(objects...), operator: "regcred-system", now: atNoon}
			said, err := l.pod(t.Context(), pod.Namespace, pod.Name)
			if err != nil {
				t.Fatal(err)
			}
			if len(said.Pods[0].Events) != test.events || !strings.Contains(strings.Join(said.Notes, " "), test.notes) {
				t.Errorf("events %+v, notes %v", said.Pods[0].Events, said.Notes)
			}
			var out bytes.Buffer
			if err := printText(&out, said); err != nil || strings.Contains(out.String(), "left to you by regcred") != (test.events == 1) {
				t.Errorf("%v:\n%s", err, out.String())
			}
		})
	}
}

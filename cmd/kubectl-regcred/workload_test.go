package main

import (
	"bytes"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatIsToBeExplained(t *testing.T) {
	for _, test := range []struct {
		args       []string
		kind, name string
		ok         bool
	}{
		{nil, "", "", true},
		{[]string{"pods"}, "", "", true},
		{[]string{"pod", "web-1"}, "", "web-1", true},
		{[]string{"pod/web-1"}, "", "web-1", true},
		{[]string{"deployment", "web"}, "deployment", "web", true},
		{[]string{"deploy/web"}, "deployment", "web", true},
		{[]string{"sts", "db"}, "statefulset", "db", true},
		{[]string{"ds/agent"}, "daemonset", "agent", true},
		{[]string{"rs/web-5d4"}, "replicaset", "web-5d4", true},
		{[]string{"jobs", "migrate"}, "job", "migrate", true},
		{[]string{"web-1"}, "", "", false},
		{[]string{"pod/"}, "", "", false},
		{[]string{"deployments"}, "", "", false},
		{[]string{"cronjob", "nightly"}, "", "", false},
	} {
		got, err := subjectOf(test.args)
		kind := ""
		if got.kind != nil {
			kind = got.kind.names[0]
		}
		if kind != test.kind || got.name != test.name || (err == nil) != test.ok {
			t.Errorf("%v gives %q %q, %v", test.args, kind, got.name, err)
		}
	}
}

func TestThePodsOfAWorkloadAreExplained(t *testing.T) {
	objects, pods := crowd(1, 3)
	stuck := stuckIn(pods[:2])
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: pods[0].Namespace, Name: "shop"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}}}
	stuck[0].Labels, pods[2].Labels = map[string]string{"app": "shop"}, map[string]string{"app": "shop"} // the other stuck pod is of no concern
	stuck[1].Labels = nil
	objects = append(objects, deployment, &stuck[0], &stuck[1], &pods[2])
	for _, test := range []struct {
		name    string
		of      string
		forbids []string
		says    string
		fails   string
	}{
		{name: "one is stuck", of: "shop", says: "Pod " + stuck[0].Name + " in namespace"},
		{name: "it does not exist", of: "other", fails: "read deployment other"},
		{name: "it may not be read", of: "shop", forbids: []string{"Deployment"}, fails: "may not read deployments"},
		{name: "its pods may not be listed", of: "shop", forbids: []string{"PodList"}, fails: "may not list pods"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := recorded{forbids: test.forbids}
			l := &look{reader: r.client(objects...), operator: "regcred-system", now: atNoon}
			s, err := subjectOf([]string{"deployment", test.of})
			if err != nil {
				t.Fatal(err)
			}
			said, err := l.workload(t.Context(), pods[0].Namespace, s)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			var out bytes.Buffer
			if err != nil || len(said.Pods) != 1 || printText(&out, said) != nil || !strings.Contains(out.String(), test.says) {
				t.Errorf("%v: %+v\n%s", err, said.Pods, out.String())
			}
		})
	}
	var out bytes.Buffer
	if err := printText(&out, report{namespace: "prod", of: "deployment web"}); err != nil || !strings.HasPrefix(out.String(), "No pod of deployment web waits for an image in namespace prod.") {
		t.Error(out.String())
	}
}

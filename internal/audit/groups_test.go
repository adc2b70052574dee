package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatCanPullAnImageIsNamed(t *testing.T) {
	for _, test := range []struct {
		row  Row
		want string
	}{
		{Row{}, ""},
		{Row{Credential: "company"}, "company"},
		{Row{Credential: "company", Secret: "regcred", Owner: "regcred"}, "company"},
		{Row{Secret: "pull", Owner: "Helm release web"}, "Secret pull of Helm release web"},
		{Row{Secret: "pull"}, "Secret pull"},
		{Row{Owner: "nobody's"}, ""},
	} {
		if got := test.row.ProvidedBy(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.row, got, test.want)
		}
	}
}

func TestRowsThatSayTheSameAreOneGroup(t *testing.T) {
	soon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := soon.Add(time.Hour)
	row := func(workload, image string, reason Reason, until *time.Time, pods int) Row {
		return Row{Namespace: "shop", Kind: "Deployment", Workload: workload, Image: image, Registry: "r.example", Result: Fails, Reason: reason, Until: until, Pods: pods, Message: "said of " + workload}
	}
	groups := Groups([]Row{
		row("one", "r.example/a", "Missing", nil, 2), row("one", "r.example/b", "Missing", nil, 2), row("many", "r.example/a", "Expired", &soon, 1),
		row("more", "r.example/a", "Expired", &soon, 3), row("two", "r.example/a", "Expired", &later, 1), row("two", "r.example/a", "Refused", &later, 1),
	})
	var got []string
	for _, g := range groups {
		until := "never"
		if g.Until != nil {
			until = g.Until.Format("15:04")
		}
		got = append(got, fmt.Sprintf("%s until %s: %d images, %d workloads, %d pods, first %s, %s", g.Reason, until, g.Images, g.Workloads, g.Pods, g.First, g.Message))
	}
	want := []string{
		"Expired until 12:00: 1 images, 2 workloads, 4 pods, first shop/Deployment/many, said of many",
		"Missing until never: 2 images, 1 workloads, 2 pods, first shop/Deployment/one, said of one",
		"Expired until 13:00: 1 images, 1 workloads, 1 pods, first shop/Deployment/two, said of two",
		"Refused until 13:00: 1 images, 1 workloads, 1 pods, first shop/Deployment/two, said of two",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want, +got):\n%s", diff)
	}
}

// A Deployment's ReplicaSet and a CronJob's Job have its name and a suffix: a person wrote the one without.
func TestWhoWroteAPod(t *testing.T) {
	var w Workloads
	w.at(place{"shop", "CronJob", "nightly"})
	for _, test := range []struct {
		name string
		pod  Pod
		want place
	}{
		{"a person", Pod{Name: "web"}, place{"shop", "Pod", "web"}},
		{"a Deployment", Pod{OwnerKind: "ReplicaSet", OwnerName: "web-5d4f", Hash: "5d4f"}, place{"shop", "Deployment", "web"}},
		{"a ReplicaSet of a person", Pod{OwnerKind: "ReplicaSet", OwnerName: "web"}, place{"shop", "ReplicaSet", "web"}},
		{"a ReplicaSet whose name is not that of a Deployment", Pod{OwnerKind: "ReplicaSet", OwnerName: "web", Hash: "5d4f"}, place{"shop", "ReplicaSet", "web"}},
		{"another kind with such a name", Pod{OwnerKind: "Rollout", OwnerName: "web-5d4f", Hash: "5d4f"}, place{"shop", "Rollout", "web-5d4f"}},
		{"a CronJob", Pod{OwnerKind: "Job", OwnerName: "nightly-123"}, place{"shop", "CronJob", "nightly"}},
		{"a Job of a person", Pod{OwnerKind: "Job", OwnerName: "once-123"}, place{"shop", "Job", "once-123"}},
		{"a Job without a dash", Pod{OwnerKind: "Job", OwnerName: "once"}, place{"shop", "Job", "once"}},
		{"a DaemonSet", Pod{OwnerKind: "DaemonSet", OwnerName: "agent"}, place{"shop", "DaemonSet", "agent"}},
	} {
		test.pod.Namespace = "shop"
		if got := w.creatorOf(test.pod); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestOfAWorkloadWithoutATemplateTheFirstPodTells(t *testing.T) {
	var w Workloads
	for n, account := range []string{"first", "second"} {
		w.AddPod(Pod{Namespace: "shop", Name: fmt.Sprint(n), OwnerKind: "DaemonSet", OwnerName: "agent", Account: account, PullSecrets: []string{account}, Images: []string{"a", fmt.Sprint(n), ""}})
	}
	w.AddPod(Pod{Namespace: "shop", Name: "bare"})
	all := w.All()
	if len(all) != 1 || all[0].Account != "first" || all[0].PullSecrets[0] != "first" || all[0].Pods != 2 || len(all[0].Images) != 3 {
		t.Errorf("%+v", all)
	}
}

func TestRowsOfDifferentRegistriesOrProvidersAreDifferentGroups(t *testing.T) {
	row := Row{Namespace: "shop", Kind: "Deployment", Workload: "web", Registry: "a.example", Credential: "one"}
	other, provider := row, row
	other.Registry, provider.Credential = "b.example", "two"
	groups := Groups([]Row{row, other, provider})
	if len(groups) != 3 || groups[0].Registry != "a.example" || groups[0].ProvidedBy != "one" || groups[1].Registry != "b.example" || groups[2].ProvidedBy != "two" {
		t.Errorf("%+v", groups)
	}
}

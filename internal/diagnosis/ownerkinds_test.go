package diagnosis

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestParseOwnerKind(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       schema.GroupKind
		wrong      string
	}{
		{name: "StrimziPodSet", text: "core.strimzi.io/StrimziPodSet", want: schema.GroupKind{Group: "core.strimzi.io", Kind: "StrimziPodSet"}},
		{name: "Cluster of CloudNativePG", text: "postgresql.cnpg.io/Cluster", want: schema.GroupKind{Group: "postgresql.cnpg.io", Kind: "Cluster"}},
		{name: "a kind that is called like one of Kubernetes", text: "apps.kruise.io/StatefulSet", want: schema.GroupKind{Group: "apps.kruise.io", Kind: "StatefulSet"}},
		{name: "a group that ends like another of Kubernetes", text: "notk8s.io/Thing", want: schema.GroupKind{Group: "notk8s.io", Kind: "Thing"}},
		{name: "a kind without a group", text: "StrimziPodSet", wrong: "group/Kind"},
		{name: "a group without a kind", text: "core.strimzi.io/", wrong: "group/Kind"},
		{name: "a version", text: "core.strimzi.io/v1beta2/StrimziPodSet", wrong: "without its version"},
		{name: "a version alone", text: "v1/Node", wrong: "a kind of Kubernetes"},
		{name: "a resource in the place of a kind", text: "core.strimzi.io/strimzipodsets", wrong: "as it stands in a manifest"},
		{name: "the form of kubectl", text: "StrimziPodSet.core.strimzi.io", wrong: "group/Kind"},
		{name: "nothing", text: "", wrong: "group/Kind"},
		{name: "a quote, which would end the text in a policy", text: "core.strimzi.io/A'", wrong: "group/Kind"},
		{name: "every kind", text: "*", wrong: "group/Kind"},
		{name: "every kind of a group", text: "core.strimzi.io/*", wrong: "group/Kind"},
		{name: "a space", text: " core.strimzi.io/StrimziPodSet", wrong: "group/Kind"},
		{name: "capitals in the group", text: "Core.strimzi.io/StrimziPodSet", wrong: "group/Kind"},
		{name: "a Job, whose failure a deletion is", text: "batch/Job", wrong: "a kind of Kubernetes"},
		{name: "another kind of Kubernetes", text: "networking.k8s.io/Ingress", wrong: "a kind of Kubernetes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseOwnerKind(test.text)
			if test.wrong == "" {
				if err != nil || got != test.want {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wrong) || !strings.Contains(err.Error(), OwnerKindExample) || len(err.Error()) > 300 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if _, err := ParseOwnerKinds([]string{OwnerKindExample, "batch/Job"}); err == nil {
		t.Error("one wrong kind among good ones was taken")
	}
}

func FuzzParseOwnerKind(f *testing.F) {
	for _, seed := range []string{OwnerKindExample, "v1/Node", "a.b/c/D", "'/A", "a.b/A,B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		kind, err := ParseOwnerKind(text)
		if err == nil && (kind.Group+"/"+kind.Kind != text || strings.ContainsAny(text, "',\"\\ \n") || !strings.Contains(kind.Group, ".")) {
			t.Errorf("%q was taken for %v", text, kind)
		}
	})
}

func TestOwnersOfChosenKinds(t *testing.T) {
	const version = "core.strimzi.io/v1beta2"
	chosen := func(changes ...func(*Owner)) change {
		return func(f *Facts) {
			ownedBy(version, "StrimziPodSet")(f)
			f.Owners[0].Chosen = true
			for _, c := range changes {
				c(&f.Owners[0])
			}
		}
	}
	for _, test := range []struct {
		name    string
		changes []change
		action  Action
		reason  Reason
		advice  string
	}{
		{name: "rule 21: a pod of a kind that people chose is restarted", changes: []change{chosen()}, action: Restart, reason: StaleCredential},
		{name: "and so is one that was created before the reference", changes: []change{chosen(), withoutReference}, action: Restart, reason: MissingReference},
		{name: "an owner that may not be read", changes: []change{chosen(func(o *Owner) { o.Unread = true }), withoutReference}, action: Report, reason: OwnerUnknown,
			advice: "give the operator's role the right to get core.strimzi.io/StrimziPodSet"},
		{name: "an owner that is gone recreates nothing", changes: []change{chosen(func(o *Owner) { o.Gone = true })}, action: None, reason: OwnerGone},
		{name: "a kind that nobody chose", changes: []change{ownedBy(version, "StrimziPodSet"), withoutReference}, action: Report, reason: OwnerUnknown,
			advice: "add core.strimzi.io/StrimziPodSet to podRecovery.ownerKinds of the chart, or to --recovery-owner-kinds"},
		{name: "a kind of Kubernetes cannot be chosen", changes: []change{ownedBy("batch/v1", "CronJob"), withoutReference}, action: Report, reason: OwnerUnknown,
			advice: "if it does, run: kubectl delete pod"},
		{name: "a Job stays a Job", changes: []change{ofJob, func(f *Facts) { f.Owners[0].Chosen = true }, withoutReference}, action: Report, reason: JobPod},
		{name: "a pod of which a container runs stays", changes: []change{chosen(), withoutReference, func(f *Facts) {
			f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, running("other"))
			f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, f.Pod.Spec.Containers[0])
			f.Pod.Spec.Containers[1].Name = "other"
		}}, action: Report, reason: ContainerRuns},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Diagnose(stuck(test.changes...))
			if v.Action != test.action || v.Reason != test.reason || !strings.Contains(v.Advice, test.advice) {
				t.Errorf("%s/%s: %s (%s)", v.Action, v.Reason, v.Message, v.Advice)
			}
		})
	}
}

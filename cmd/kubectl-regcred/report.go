package main

import (
	"cmp"
	"slices"
	"time"

	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/internal/registry"
)

// report is what the command says. Its JSON form is stable.
type report struct {
	Pods []podReport `json:"pods"`
	// Notes say what could not be read.
	Notes  []string `json:"notes,omitempty"`
	single bool
	// namespace is the one that was looked at, empty for all.
	namespace string
	// of names the workload whose pods were looked at, empty for all pods.
	of string
}

// podReport is the diagnosis of one pod.
type podReport struct {
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	Action    diagnosis.Action `json:"action"`
	Reason    diagnosis.Reason `json:"reason"`
	Message   string           `json:"message"`
	// Advice is what a person can do.
	Advice string `json:"advice,omitempty"`
	// LooksAgainSeconds is when the operator looks at the pod again at the latest.
	LooksAgainSeconds int               `json:"looksAgainSeconds,omitempty"`
	Containers        []containerReport `json:"containers"`
	// Events are those that the operator wrote about the pod, the latest first.
	Events []eventReport `json:"events,omitempty"`
}

// containerReport is one failing pull.
type containerReport struct {
	Name   string `json:"name"`
	Image  string `json:"image"`
	Volume string `json:"volume,omitempty"`
	// Cause is one of the classes of failed pulls.
	Cause pullerror.Class `json:"cause"`
	// State and Message are the kubelet's.
	State   string `json:"state"`
	Message string `json:"message,omitempty"`
	// Reason and Finding say what is behind it, Advice what a person can do.
	Reason     diagnosis.Reason `json:"reason"`
	Finding    string           `json:"finding"`
	Advice     string           `json:"advice,omitempty"`
	Credential string           `json:"registryCredential,omitempty"`
	// Secrets are those that the kubelet uses for this image, and the one that it should.
	Secrets []secretReport `json:"secrets"`
}

// secretReport is one pull secret in the light of one image.
type secretReport struct {
	Name string `json:"name"`
	// Referenced says that the pod refers to it.
	Referenced bool `json:"referenced"`
	// State is Present, Missing or Unreadable: the caller may not read it.
	State string `json:"state"`
	// Owner is whose it is: regcred, or somebody in words.
	Owner string `json:"owner,omitempty"`
	// Key is the entry that matches the image, empty where none does.
	Key string `json:"key,omitempty"`
	// Changed is when regcred last changed the value.
	Changed *time.Time `json:"changed,omitempty"`
	// Breaks says why a kubelet cannot read it.
	Breaks string `json:"breaks,omitempty"`
	// Ignored is its type, where a kubelet passes over Secrets of that type.
	Ignored string `json:"ignored,omitempty"`
}

func newPodReport(f diagnosis.Facts, verdict diagnosis.Verdict) podReport {
	r := podReport{
		Namespace: f.Pod.Namespace, Name: f.Pod.Name,
		Action: verdict.Action, Reason: verdict.Reason, Message: verdict.Message, Advice: verdict.Advice,
		LooksAgainSeconds: int(verdict.RecheckAfter.Seconds()), Containers: []containerReport{},
	}
	for _, finding := range verdict.Findings {
		r.Containers = append(r.Containers, containerReport{
			Name: finding.Container, Image: finding.Image, Volume: finding.Volume,
			Cause: finding.Class, State: finding.Waiting, Message: finding.Message,
			Reason: finding.Reason, Finding: finding.Explain, Advice: finding.Advice, Credential: finding.Credential,
			Secrets: secretsFor(f, finding),
		})
	}
	return r
}

// secretsFor are the pull secrets of the pod, and the one that it lacks.
func secretsFor(f diagnosis.Facts, finding diagnosis.Finding) []secretReport {
	var names []string
	for _, ref := range f.Pod.Spec.ImagePullSecrets {
		names = append(names, ref.Name)
	}
	referenced := len(names)
	if finding.Secret != "" && !slices.Contains(names, finding.Secret) {
		names = append(names, finding.Secret)
	}
	reports := []secretReport{}
	for i, name := range names {
		reports = append(reports, newSecretReport(name, f.Secrets[name], i < referenced, finding))
	}
	return reports
}

func newSecretReport(name string, secret diagnosis.Secret, referenced bool, finding diagnosis.Finding) secretReport {
	r := secretReport{Name: name, Referenced: referenced, State: "Present"}
	switch {
	case secret.Missing:
		r.State = "Missing"
		return r
	case secret.Unread:
		r.State = "Unreadable"
		return r
	}
	r.Owner, r.Breaks, r.Ignored = secret.Owner.Manager, secret.Breaks, secret.Ignored
	if secret.Owner.Ours {
		r.Owner = "regcred"
	}
	if used := registry.MostSpecific(secret.Keys, finding.Image); len(used) > 0 {
		r.Key = registry.Shown(used[0])
	}
	if source, ok := secret.Sources[finding.Credential]; ok {
		r.Changed = &source.Changed.Time
	}
	return r
}

// group are pods with the same cause.
type group struct {
	first podReport
	pods  []podReport
}

// groups puts pods with the same cause together, those that need a person first, then the largest.
func (r report) groups() []group {
	type cause struct {
		action     diagnosis.Action
		reason     diagnosis.Reason
		credential string
	}
	byCause := map[cause]*group{}
	var order []*group
	for _, pod := range r.Pods {
		c := cause{action: pod.Action, reason: pod.Reason}
		if len(pod.Containers) > 0 {
			c.credential = pod.Containers[0].Credential
		}
		if byCause[c] == nil {
			byCause[c] = &group{first: pod}
			order = append(order, byCause[c])
		}
		byCause[c].pods = append(byCause[c].pods, pod)
	}
	var groups []group
	for _, g := range order {
		groups = append(groups, *g)
	}
	urgency := []diagnosis.Action{diagnosis.Report, diagnosis.Restart, diagnosis.Repull, diagnosis.Wait, diagnosis.None}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(slices.Index(urgency, a.first.Action), slices.Index(urgency, b.first.Action)), cmp.Compare(len(b.pods), len(a.pods)))
	})
	return groups
}

package audit

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Pod is what matters of a pod.
type Pod struct {
	Namespace, Name string
	// OwnerKind and OwnerName are what created it, empty where nothing did. Hash is what a Deployment added to that name.
	OwnerKind, OwnerName, Hash string
	Account                    string
	PullSecrets, Images        []string
	// NeverPulled are the images that none of its containers pulls.
	NeverPulled []string
}

// place names a workload.
type place struct{ namespace, kind, name string }

// Workloads puts templates and pods together. Templates come first.
type Workloads struct {
	found map[place]*Workload
	// uses are what is known of each image of a workload.
	uses map[used]*use
}

type used struct {
	place
	image string
}

// use says whether an image is pulled by a container, and whether the template tells that. What the template tells holds for new pods.
type use struct{ pulled, template bool }

// MaxListed are the images and the pull Secrets of a template that are looked at, as they are of a pod. An object of the API has room for a hundred
// thousand, and each image is matched with each Secret.
const MaxListed = 100

// AddTemplate adds what creates pods, such as a Deployment. It reports whether that has more images or pull Secrets than are looked at.
func (w *Workloads) AddTemplate(namespace, kind, name string, spec *corev1.PodSpec) (cut bool) {
	at := place{namespace, kind, name}
	workload := w.at(at)
	workload.Template, workload.Account = true, spec.ServiceAccountName
	for _, secret := range spec.ImagePullSecrets[:min(len(spec.ImagePullSecrets), MaxListed)] {
		workload.PullSecrets = append(workload.PullSecrets, secret.Name)
	}
	images := 0
	add := func(image string, policy corev1.PullPolicy) {
		if images++; images <= MaxListed {
			w.add(at, image, policy != corev1.PullNever, true)
		}
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			add(containers[i].Image, containers[i].ImagePullPolicy)
		}
	}
	for i := range spec.Volumes {
		if volume := spec.Volumes[i].Image; volume != nil {
			add(volume.Reference, volume.PullPolicy)
		}
	}
	return images > MaxListed || len(spec.ImagePullSecrets) > MaxListed
}

// AddPod adds a pod to what created it. It can have images that its template does not have: a webhook may add containers.
func (w *Workloads) AddPod(pod Pod) {
	at := w.creatorOf(pod)
	workload := w.at(at)
	if workload.Pods++; workload.Pods == 1 && !workload.Template {
		workload.Account, workload.PullSecrets = pod.Account, pod.PullSecrets
	}
	for _, image := range pod.Images {
		w.add(at, image, !slices.Contains(pod.NeverPulled, image), false)
	}
}

// creatorOf goes from what created a pod to what a person wrote: a Deployment's ReplicaSet and a CronJob's Job have its name and a suffix.
func (w *Workloads) creatorOf(pod Pod) place {
	switch {
	case pod.OwnerName == "":
		return place{pod.Namespace, "Pod", pod.Name}
	case pod.OwnerKind == "ReplicaSet" && pod.Hash != "":
		if name, cut := strings.CutSuffix(pod.OwnerName, "-"+pod.Hash); cut {
			return place{pod.Namespace, "Deployment", name}
		}
	case pod.OwnerKind == "Job":
		if at := strings.LastIndexByte(pod.OwnerName, '-'); at > 0 {
			scheduled := place{pod.Namespace, "CronJob", pod.OwnerName[:at]}
			if w.found[scheduled] != nil {
				return scheduled
			}
		}
	}
	return place{pod.Namespace, pod.OwnerKind, pod.OwnerName}
}

func (w *Workloads) at(p place) *Workload {
	if w.found == nil {
		w.found = map[place]*Workload{}
	}
	if w.found[p] == nil {
		w.found[p] = &Workload{Namespace: p.namespace, Kind: p.kind, Name: p.name}
	}
	return w.found[p]
}

// All are the workloads that have images.
func (w *Workloads) All() []Workload {
	var all []Workload
	for at, found := range w.found {
		workload := *found
		for _, image := range workload.Images {
			if !w.uses[used{at, image}].pulled {
				workload.Never = append(workload.Never, image)
			}
		}
		if len(workload.Images) > 0 {
			all = append(all, workload)
		}
	}
	return all
}

// add notes that a container has an image. One that pulls it decides.
func (w *Workloads) add(at place, image string, pulled, template bool) {
	if image == "" {
		return
	}
	if w.uses == nil {
		w.uses = map[used]*use{}
	}
	known := w.uses[used{at, image}]
	if known == nil {
		known = &use{template: template}
		w.uses[used{at, image}] = known
		w.found[at].Images = append(w.found[at].Images, image)
	}
	if template || !known.template {
		known.pulled = known.pulled || pulled
	}
}

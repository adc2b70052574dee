package audit

import (
	"maps"
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
}

// place names a workload.
type place struct{ namespace, kind, name string }

// Workloads puts templates and pods together. Templates come first.
type Workloads struct{ found map[place]*Workload }

// AddTemplate adds what creates pods, such as a Deployment.
func (w *Workloads) AddTemplate(namespace, kind, name string, spec *corev1.PodSpec) {
	workload := w.at(place{namespace, kind, name})
	workload.Template, workload.Account = true, spec.ServiceAccountName
	for _, secret := range spec.ImagePullSecrets {
		workload.PullSecrets = append(workload.PullSecrets, secret.Name)
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		workload.add(container.Image)
		if container.ImagePullPolicy == corev1.PullNever {
			workload.Never = append(workload.Never, container.Image)
		}
	}
	for i := range spec.Volumes {
		if volume := spec.Volumes[i].Image; volume != nil {
			workload.add(volume.Reference)
		}
	}
}

// AddPod adds a pod to what created it. It can have images that its template does not have: a webhook may add containers.
func (w *Workloads) AddPod(pod Pod) {
	workload := w.at(w.creatorOf(pod))
	if workload.Pods++; workload.Pods == 1 && !workload.Template {
		workload.Account, workload.PullSecrets = pod.Account, pod.PullSecrets
	}
	for _, image := range pod.Images {
		workload.add(image)
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
	for workload := range maps.Values(w.found) {
		if len(workload.Images) > 0 {
			all = append(all, *workload)
		}
	}
	return all
}

func (w *Workload) add(image string) {
	if image != "" && !slices.Contains(w.Images, image) {
		w.Images = append(w.Images, image)
	}
}

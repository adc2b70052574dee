package podlist

import (
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What is kept of a pod at most. The rest is dropped, as if the pod did not have it.
const (
	// MaxListed are the images, the pull Secrets, and the waiting reasons of one pod.
	MaxListed = 100
	// MaxImageLength are the bytes of one reference: a longer one cannot be pulled. MaxReasonLength are those of one waiting reason.
	MaxImageLength  = 512
	MaxReasonLength = 1024

	maxName   = 253
	maxPolicy = 32
)

// Pod is what is kept of a pod.
type Pod struct {
	Namespace, Name string
	UID             types.UID
	Phase           corev1.PodPhase
	// Owner is the first of its owners, which nearly always is its controller and the only one. Hash is what a Deployment adds to the name
	// of that owner, by the label pod-template-hash.
	Owner          Owner
	Hash           string
	ServiceAccount string
	// PullSecrets are the names in spec.imagePullSecrets.
	PullSecrets []string
	// Images are those of init containers, containers and image volumes, without what ephemeral containers have.
	Images []string
	// NeverPulled are those of them that no container pulls, by its imagePullPolicy.
	NeverPulled []string
	// Waiting are the reasons why containers wait, of all kinds of containers.
	Waiting []string
}

// Owner is what created a pod. It is empty where nothing did.
type Owner struct{ Kind, Name string }

// Object is a pod with what is kept, for code that reads a status: each waiting reason is that of a container without a name.
func (p Pod) Object() *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Spec:       corev1.PodSpec{ServiceAccountName: p.ServiceAccount},
		Status:     corev1.PodStatus{Phase: p.Phase},
	}
	for _, secret := range p.PullSecrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	for _, reason := range p.Waiting {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		})
	}
	return pod
}

// page is what is read of one list besides its pods.
type page struct {
	next string // the continue token
}

// maxToken is the most bytes of a continue token: it holds a key of etcd, in base64.
const maxToken = 4096

// readList reads a PodList and calls visit for each pod, until that returns false.
func (s *scanner) readList(visit func(Pod) bool) (read page, stopped bool, err error) {
	errStopped := new(stop)
	err = s.object(func(key string) error {
		switch key {
		case "metadata":
			return s.object(s.fields(map[string]func() error{"continue": s.into(&read.next, maxToken)}))
		case "items":
			return s.array(func() error {
				pod, err := s.readPod()
				if err == nil && !visit(pod) {
					err = errStopped
				}
				return err
			})
		default:
			return s.skip()
		}
	})
	if errors.Is(err, errStopped) {
		return read, true, nil
	}
	return read, false, err
}

// stop ends a walk early.
type stop struct{ _ byte }

func (*stop) Error() string { return "stopped" }

func (s *scanner) readPod() (Pod, error) {
	var pod Pod
	var uid, phase string
	var policies []string // of each image
	err := s.object(s.fields(map[string]func() error{
		"metadata": s.nested(map[string]func() error{
			"namespace": s.into(&pod.Namespace, maxName), "name": s.into(&pod.Name, maxName), "uid": s.into(&uid, maxName),
			"labels":          s.nested(map[string]func() error{appsv1.DefaultDeploymentUniqueLabelKey: s.into(&pod.Hash, maxName)}),
			"ownerReferences": s.firstOwner(&pod.Owner),
		}),
		"spec": s.nested(map[string]func() error{
			"serviceAccountName": s.into(&pod.ServiceAccount, maxName),
			"imagePullSecrets":   s.each(map[string]func() error{"name": s.append(&pod.PullSecrets, maxName)}),
			"initContainers":     func() error { return s.array(s.image(&pod, &policies, "image", "imagePullPolicy")) },
			"containers":         func() error { return s.array(s.image(&pod, &policies, "image", "imagePullPolicy")) },
			"volumes":            s.each(map[string]func() error{"image": s.image(&pod, &policies, "reference", "pullPolicy")}),
		}),
		"status": s.nested(map[string]func() error{
			"phase":                      s.into(&phase, maxName),
			"initContainerStatuses":      s.waiting(&pod.Waiting),
			"containerStatuses":          s.waiting(&pod.Waiting),
			"ephemeralContainerStatuses": s.waiting(&pod.Waiting),
		}),
	}))
	pod.UID, pod.Phase, pod.NeverPulled = types.UID(uid), corev1.PodPhase(phase), neverPulled(pod.Images, policies)
	return pod, err
}

// image takes what names an image, and by which policy it is pulled, by the names of these members.
func (s *scanner) image(pod *Pod, policies *[]string, reference, policy string) func() error {
	return func() error {
		if len(pod.Images) >= MaxListed {
			return s.skip()
		}
		var image, pulled string
		err := s.nested(map[string]func() error{reference: s.into(&image, MaxImageLength), policy: s.into(&pulled, maxPolicy)})()
		if image != "" {
			pod.Images, *policies = append(pod.Images, image), append(*policies, pulled)
		}
		return err
	}
}

// neverPulled are the images that have the policy Never each time.
func neverPulled(images, policies []string) []string {
	var never []string
	for i, image := range images {
		if policies[i] == string(corev1.PullNever) && !slices.Contains(never, image) {
			never = append(never, image)
		}
	}
	return slices.DeleteFunc(never, func(image string) bool {
		for i, other := range images {
			if other == image && policies[i] != string(corev1.PullNever) {
				return true
			}
		}
		return false
	})
}

// firstOwner takes the first of the owners.
func (s *scanner) firstOwner(owner *Owner) func() error {
	return func() error {
		return s.array(func() error {
			var found Owner
			err := s.nested(map[string]func() error{"kind": s.into(&found.Kind, maxName), "name": s.into(&found.Name, maxName)})()
			if *owner == (Owner{}) {
				*owner = found
			}
			return err
		})
	}
}

func (s *scanner) waiting(reasons *[]string) func() error {
	return s.each(map[string]func() error{"state": s.nested(map[string]func() error{
		"waiting": s.nested(map[string]func() error{"reason": s.append(reasons, MaxReasonLength)}),
	})})
}

// fields takes the members that are known and skips all others.
func (s *scanner) fields(known map[string]func() error) func(string) error {
	return func(key string) error {
		if take, ok := known[key]; ok {
			return take()
		}
		return s.skip()
	}
}

// nested takes an object with some known members.
func (s *scanner) nested(known map[string]func() error) func() error {
	return func() error { return s.object(s.fields(known)) }
}

// each takes an array of such objects.
func (s *scanner) each(known map[string]func() error) func() error {
	return func() error { return s.array(s.nested(known)) }
}

// into takes a string of at most limit bytes.
func (s *scanner) into(target *string, limit int) func() error {
	return func() error {
		text, ok, err := s.text(limit)
		if ok {
			*target = text
		}
		return err
	}
}

// append takes a string of at most limit bytes, unless there are MaxListed already.
func (s *scanner) append(target *[]string, limit int) func() error {
	return func() error {
		if len(*target) >= MaxListed {
			return s.skip()
		}
		text, _, err := s.text(limit)
		if text != "" {
			*target = append(*target, text)
		}
		return err
	}
}

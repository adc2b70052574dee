package scenario

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/dockerconfig"
)

// CreateNamespace makes a namespace with labels and waits for its default ServiceAccount.
func (s *Scenario) CreateNamespace(ctx context.Context, name string, labels map[string]string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	return client.IgnoreAlreadyExists(s.Client.Create(ctx, namespace))
}

// PullSecret is a docker-registry Secret as kubectl makes it.
func (s *Scenario) PullSecret(namespace, password string) (*corev1.Secret, error) {
	credential, err := dockerconfig.NewCredential(RobotUser, password)
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: OldSecret},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: dockerconfig.Config{s.Registry: credential}.Render()},
	}, nil
}

// AttachByHand adds the hand-made Secret to the default ServiceAccount of a namespace, which the controller manager makes.
func (s *Scenario) AttachByHand(ctx context.Context, namespace string) error {
	var account corev1.ServiceAccount
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
		return err
	}
	account.ImagePullSecrets = []corev1.LocalObjectReference{{Name: OldSecret}}
	return s.Client.Update(ctx, &account, client.FieldOwner("kubectl-edit"))
}

// Template is a pod template. Secrets are the pull secrets that the pod names itself.
func Template(app, image string, secrets ...string) corev1.PodTemplateSpec {
	var references []corev1.LocalObjectReference
	for _, name := range secrets {
		references = append(references, corev1.LocalObjectReference{Name: name})
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			DNSPolicy: corev1.DNSDefault, TerminationGracePeriodSeconds: ptr.To(int64(0)), AutomountServiceAccountToken: ptr.To(false),
			ImagePullSecrets: references,
			Containers:       []corev1.Container{{Name: "app", Image: image}},
		},
	}
}

// Deployment of one replica.
func Deployment(namespace, name string, template corev1.PodTemplateSpec) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}
}

// StatefulSet of some replicas, one after the other.
func StatefulSet(namespace, name string, replicas int32, template corev1.PodTemplateSpec) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}
}

// SetImage gives a Deployment another image, as a release does.
func (s *Scenario) SetImage(ctx context.Context, namespace, name, image string) error {
	var deployment appsv1.Deployment
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &deployment); err != nil {
		return err
	}
	before := deployment.DeepCopy()
	deployment.Spec.Template.Spec.Containers[0].Image = image
	return s.Client.Patch(ctx, &deployment, client.MergeFrom(before))
}

// Running reports, as an error that counts what is missing, whether pods of an app with an image run in all namespaces.
func (s *Scenario) Running(app, image string, namespaces ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		var waiting []string
		for _, namespace := range namespaces {
			pods, err := s.Pods(ctx, namespace, app)
			if err != nil {
				return err
			}
			if !anyPod(pods, func(pod *corev1.Pod) bool {
				return pod.Spec.Containers[0].Image == image && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
			}) {
				waiting = append(waiting, namespace+": "+describe(pods))
			}
		}
		if len(waiting) > 0 {
			return fmt.Errorf("no %s of %s runs in %d of %d namespaces (%s)", app, image, len(waiting), len(namespaces), strings.Join(waiting, "; "))
		}
		return nil
	}
}

// Stuck reports whether a pod of the app is stuck in every namespace with a message that contains a text.
func (s *Scenario) Stuck(app, text string, namespaces ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, namespace := range namespaces {
			pods, err := s.Pods(ctx, namespace, app)
			if err != nil {
				return err
			}
			if !anyPod(pods, func(pod *corev1.Pod) bool { return strings.Contains(WaitingMessage(pod), text) }) {
				return fmt.Errorf("no pod of %s is stuck in %s (%s)", app, namespace, describe(pods))
			}
		}
		return nil
	}
}

// Pods of an app in a namespace.
func (s *Scenario) Pods(ctx context.Context, namespace, app string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := s.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app": app})
	return list.Items, err
}

// WaitingMessage is what the first waiting container of a pod says.
func WaitingMessage(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting != nil {
			return status.State.Waiting.Reason + ": " + status.State.Waiting.Message
		}
	}
	return ""
}

// Fresh reports whether the Secrets of all namespaces hold a password.
func (s *Scenario) Fresh(secret, password string, namespaces ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		stale := 0
		for _, namespace := range namespaces {
			var object corev1.Secret
			err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secret}, &object)
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			if apierrors.IsNotFound(err) || !holds(&object, s.Registry, password) {
				stale++
			}
		}
		if stale > 0 {
			return fmt.Errorf("%d of %d Secrets are stale", stale, len(namespaces))
		}
		return nil
	}
}

func holds(secret *corev1.Secret, key, password string) bool {
	config, err := dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return false
	}
	credential, ok := config[key]
	return ok && credential.Password() == password
}

func anyPod(pods []corev1.Pod, matches func(*corev1.Pod) bool) bool {
	for i := range pods {
		if matches(&pods[i]) {
			return true
		}
	}
	return false
}

func describe(pods []corev1.Pod) string {
	if len(pods) == 0 {
		return "no pod"
	}
	var states []string
	for i := range pods {
		states = append(states, strings.TrimSpace(string(pods[i].Status.Phase)+" "+WaitingMessage(&pods[i])))
	}
	return strings.Join(states, ", ")
}

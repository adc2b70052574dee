package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/pullerror"
	"regcred.dev/regcred/test/scenario"
)

// Namespaces of the cases. Pods of pins may be repulled, those of alone are left to the kubelet.
const (
	shop, batch, mixed, pins, alone = "shop", "batch", "mixed", "pins", "alone"
)

// moment is when a workload is made.
type moment string

const (
	early   moment = "early"   // before the namespace has a Secret: the pod lacks the reference
	running moment = "running" // while the credential is good: it runs, and hangs later
	refused moment = "refused" // after the password was changed at the registry alone
)

// ending is what becomes of a stuck pod once the Secret is fresh.
type ending string

const (
	restarted ending = "restarted" // another pod of the same owner runs
	repulled  ending = "repulled"  // the same pod runs, its image pinned
	healed    ending = "healed"    // the same pod runs, because the kubelet tried again
	left      ending = "left"      // the same pod still hangs, for a person
)

// stuckCase is one way to be stuck, and what regcred makes of it.
type stuckCase struct {
	namespace, name string
	made            moment
	workload        func(*testing.T, stuckCase) client.Object
	// cause is what the kubelet's message means, dry the verdict while podRecovery.mode is Report.
	cause pullerror.Class
	dry   string
	end   ending
}

const (
	curable = "Report ReportOnly"
	retries = "Wait KubeletRetries"
)

var stuckCases = []stuckCase{
	// Owners that recreate a deleted pod.
	{shop, "web", refused, deployment(), pullerror.AuthFailed, curable, restarted},
	{shop, "early-web", early, deployment(), pullerror.NoCredentials, curable, restarted},
	{shop, "db", refused, statefulSet, pullerror.AuthFailed, curable, restarted},
	{shop, "agent", refused, daemonSet, pullerror.AuthFailed, curable, restarted},
	{shop, "init", refused, deployment(withInitContainer), pullerror.AuthFailed, curable, restarted},
	{shop, "volume", refused, deployment(withImageVolume), pullerror.AuthFailed, curable, restarted},
	{shop, "guarded", running, guarded, pullerror.AuthFailed, curable, restarted},
	{shop, "runner", running, deployment(alwaysPulls), pullerror.AuthFailed, curable, restarted},

	// Pods that nobody makes anew, or not for nothing.
	{batch, "job", refused, job(0), pullerror.AuthFailed, retries, healed},
	{batch, "retried", refused, job(6), pullerror.AuthFailed, retries, healed},
	{batch, "bare", refused, bare, pullerror.AuthFailed, retries, healed},
	{batch, "early-job", early, job(0), pullerror.NoCredentials, "Report JobPod", left},
	{batch, "early-retried", early, job(6), pullerror.NoCredentials, "Report JobPod", left},
	{batch, "early-cron", early, cronJob, pullerror.NoCredentials, "Report JobPod", left},
	{batch, "early-bare", early, bare, pullerror.NoCredentials, "Report BarePod", left},

	// Pods in which something runs, and causes that a new pod would share.
	{mixed, "sidecar", refused, deployment(withSidecar), pullerror.AuthFailed, retries, healed},
	{mixed, "early-sidecar", early, deployment(withSidecar), pullerror.NoCredentials, "Report ContainerRuns", left},
	{mixed, "partner", running, deployment(alwaysPulls, withSidecar), pullerror.AuthFailed, retries, healed},
	{mixed, "debugged", running, deployment(public), pullerror.AuthFailed, retries, healed},
	{mixed, "own", refused, deployment(lists("mine")), pullerror.AuthFailed, "Report OwnPullSecrets", left},
	{mixed, "broken", refused, deployment(lists("regcred", "broken")), pullerror.MalformedSecret, "Report MalformedSecret", left},
	{mixed, "typo", refused, deployment(ofImage("steady/typo:v99")), pullerror.NotFound, "Report ImageNotFound", left},
	{mixed, "denied", refused, deployment(ofImage("steady/closed:1")), pullerror.NotFoundOrDenied, "Report CredentialDidNotHelp", left},
	{mixed, "stranger", refused, deployment(ofImage("elsewhere/app:1")), pullerror.NoCredentials, "Report NoCredential", left},
	{mixed, "failing", refused, deployment(ofImage("steady/failing:1")), pullerror.Registry5xx, "Wait RegistryFailing", left},
	{mixed, "down", refused, deployment(unreachable), pullerror.Network, "Wait RegistryUnreachable", left},

	// The same with podRecovery.repull: every pod that has the reference is healed in place.
	{pins, "web", refused, deployment(), pullerror.AuthFailed, curable, repulled},
	{pins, "db", refused, statefulSet, pullerror.AuthFailed, curable, repulled},
	{pins, "agent", refused, daemonSet, pullerror.AuthFailed, curable, repulled},
	{pins, "init", refused, deployment(withInitContainer), pullerror.AuthFailed, curable, repulled},
	{pins, "sidecar", refused, deployment(withSidecar), pullerror.AuthFailed, curable, repulled},
	{pins, "job", refused, job(0), pullerror.AuthFailed, curable, repulled},
	{pins, "retried", refused, job(6), pullerror.AuthFailed, curable, repulled},
	{pins, "bare", refused, bare, pullerror.AuthFailed, curable, repulled},
	{pins, "early-web", early, deployment(), pullerror.NoCredentials, curable, restarted},
	{pins, "early-job", early, job(0), pullerror.NoCredentials, "Report JobPod", left},
}

func (c stuckCase) String() string { return c.namespace + "/" + c.name }

// image is the case's own, in a repository named after it.
func (c stuckCase) image(tag string) string {
	return s.Registry + "/" + c.namespace + "/" + c.name + ":" + tag
}

// publicImage may be pulled by anybody, and by nobody who shows a credential that fails.
func publicImage() string { return s.Registry + "/regcred/public:1" }

type change func(*corev1.PodSpec)

func (c stuckCase) template(changes ...change) corev1.PodTemplateSpec {
	template := scenario.Template(c.name, c.image("1"))
	for _, change := range changes {
		change(&template.Spec)
	}
	return template
}

func deployment(changes ...change) func(*testing.T, stuckCase) client.Object {
	return func(_ *testing.T, c stuckCase) client.Object {
		return scenario.Deployment(c.namespace, c.name, c.template(changes...))
	}
}

func statefulSet(_ *testing.T, c stuckCase) client.Object {
	return scenario.StatefulSet(c.namespace, c.name, 3, c.template())
}

func daemonSet(_ *testing.T, c stuckCase) client.Object {
	template := c.template()
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
	}
}

func job(backoffLimit int32) func(*testing.T, stuckCase) client.Object {
	return func(_ *testing.T, c stuckCase) client.Object {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name}, Spec: c.jobSpec(backoffLimit)}
	}
}

func (c stuckCase) jobSpec(backoffLimit int32) batchv1.JobSpec {
	template := c.template()
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return batchv1.JobSpec{BackoffLimit: &backoffLimit, Template: template}
}

// cronJob starts one Job at the next full minute.
func cronJob(_ *testing.T, c stuckCase) client.Object {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name},
		Spec: batchv1.CronJobSpec{
			Schedule: "* * * * *", ConcurrencyPolicy: batchv1.ForbidConcurrent,
			JobTemplate: batchv1.JobTemplateSpec{Spec: c.jobSpec(0)},
		},
	}
}

func bare(_ *testing.T, c stuckCase) client.Object {
	template := c.template()
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name, Labels: template.Labels}, Spec: template.Spec}
}

// guarded is a Deployment of two replicas that a PodDisruptionBudget protects.
func guarded(t *testing.T, c stuckCase) client.Object {
	must(t, s.Client.Create(t.Context(), disruptionBudget(c)))
	object := deployment()(t, c).(*appsv1.Deployment)
	two := int32(2)
	object.Spec.Replicas = &two
	return object
}

// withInitContainer has the case's image, whose program ends, in an init container.
func withInitContainer(spec *corev1.PodSpec) {
	spec.InitContainers = []corev1.Container{{Name: "prepare", Image: spec.Containers[0].Image}}
	public(spec)
}

func withImageVolume(spec *corev1.PodSpec) {
	spec.Volumes = []corev1.Volume{{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: spec.Containers[0].Image}}}}
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "model", MountPath: "/model"}}
	public(spec)
}

func withSidecar(spec *corev1.PodSpec) {
	spec.Containers = append(spec.Containers, corev1.Container{Name: "proxy", Image: publicImage()})
}

func public(spec *corev1.PodSpec) { spec.Containers[0].Image = publicImage() }

func alwaysPulls(spec *corev1.PodSpec) { spec.Containers[0].ImagePullPolicy = corev1.PullAlways }

func lists(secrets ...string) change {
	return func(spec *corev1.PodSpec) {
		for _, name := range secrets {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
		}
	}
}

func ofImage(reference string) change {
	return func(spec *corev1.PodSpec) { spec.Containers[0].Image = s.Registry + "/" + reference }
}

// unreachable is a registry of which nothing is there but the address.
func unreachable(spec *corev1.PodSpec) { spec.Containers[0].Image = "10.88.0.1:5999/any/app:1" }

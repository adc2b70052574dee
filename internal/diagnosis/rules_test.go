package diagnosis

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// rule is one sentence of the rule book with the verdict that it asks for.
type rule struct {
	name    string
	changes []change
	action  Action
	reason  Reason
}

func check(t *testing.T, rules []rule) {
	t.Helper()
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			verdict := Diagnose(stuck(rule.changes...))
			if verdict.Action != rule.action || verdict.Reason != rule.reason {
				t.Errorf("verdict is %s (%s), want %s (%s): %s", verdict.Action, verdict.Reason, rule.action, rule.reason, verdict.Message)
			}
			if verdict.Message == "" {
				t.Error("the verdict says nothing to people")
			}
		})
	}
}

func TestPulling(t *testing.T) {
	check(t, []rule{
		{"rule 1: a Secret update triggers no attempt: a pod that refers to it is restarted", nil, Restart, StaleCredential},
		{"rule 1: a pod that lacks the reference never recovers automatically and is restarted", []change{withoutReference, because(anonymous)}, Restart, MissingReference},
		{"rule 4: a malformed foreign Secret breaks every pull and is named", []change{
			waits("illegal base64 data at input byte 0", ""), foreignBreaks}, Report, MalformedSecret},
		{"rule 4: a malformed Secret is found by a reason that is the raw error", []change{
			waits("unable to parse auth field, must be formatted as base64(username:password)", ""), foreignBreaks}, Report, MalformedSecret},
		{"rule 4: a malformed Secret that may not be read is still reported", []change{
			waits("json: cannot unmarshal number into Go struct field DockerConfigJSON.auths.auth of type string", ""),
			ownList("regcred", "old")}, Report, MalformedSecret},
		{"rule 4: our own Secret is written again when somebody broke it", []change{
			waits("illegal base64 data at input byte 0", ""), secret("regcred", func(s *Secret) { s.Breaks = "broken" })}, Wait, OwnSecretBeingRewritten},
		{"rule 4: a malformed Secret that is in order again needs no more than the kubelet's next attempt", []change{
			waits("illegal base64 data at input byte 0", "")}, Wait, KubeletRetries},
		{"rule 8: a kubelet that limits its own pulls is no failure of the credential", []change{because(throttled)}, Wait, KubeletThrottled},
	})
}

func foreignBreaks(f *Facts) {
	f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "theirs"})
	s := Secret{Breaks: "the docker config is not valid JSON"}
	s.Owner.Manager = "Helm release shop/web"
	f.Secrets["theirs"] = s
}

func TestMatching(t *testing.T) {
	hub := func(key string) change {
		return func(f *Facts) {
			f.Pod.Spec.Containers[0].Image = "nginx"
			f.Credentials[0].Entries = []Entry{{Key: key}}
			source := f.Secrets["regcred"].Sources["shop"]
			source.Keys = []string{key}
			f.Secrets["regcred"].Sources["shop"] = source
			s := f.Secrets["regcred"]
			s.Keys = []string{key}
			f.Secrets["regcred"] = s
		}
	}
	check(t, []rule{
		{"rule 11: an image without a registry is one of Docker Hub", []change{hub("https://index.docker.io/v1/")}, Restart, StaleCredential},
		{"rule 13: a key that no kubelet matches is no credential for the image", []change{hub("https://index.docker.io/v1")}, Report, NoCredential},
		{"rule 13: an entry for docker.io in another Secret shadows the one for index.docker.io", []change{
			hub("https://index.docker.io/v1/"), ownList("regcred", "theirs"),
			secret("regcred", func(s *Secret) { *s = stuck(hub("https://index.docker.io/v1/")).Secrets["regcred"] }),
			secret("theirs", func(s *Secret) { *s = Secret{Keys: []string{"docker.io"}} })}, Report, Shadowed},
		{"rule 12: a port that the key lacks is another registry", []change{func(f *Facts) { f.Pod.Spec.Containers[0].Image = host + ":5000/shop/web:1" }}, Report, NoCredential},
		{"a namespace that a RegistryCredential excludes by name is reported", []change{func(f *Facts) {
			f.Credentials, f.Excluding = nil, []Excluding{{Name: "other", Keys: []string{"other.example"}}, {Name: "company", Keys: []string{host}}}
		}}, Report, NoCredential},
		{"a registry that no RegistryCredential provides is reported", []change{func(f *Facts) { f.Credentials = nil }}, Report, NoCredential},
	})
}

func TestServiceAccounts(t *testing.T) {
	check(t, []rule{
		{"rule 15: a pod with a list of its own inherits none", []change{ownList("old")}, Report, OwnPullSecrets},
		{"rule 15: a list that came from the ServiceAccount is not the pod's own", []change{ownList("old"), func(f *Facts) {
			f.Owners[0].Template = &Template{}
			f.Account.PullSecrets = []string{"old", "regcred"}
		}}, Restart, MissingReference},
		{"rule 15: without a known template a list that the ServiceAccount would not give is the pod's own", []change{ownList("old"), bare}, Report, OwnPullSecrets},
		{"rule 15: a pod created just before the attachment is restarted", []change{withoutReference, created(-time.Second)}, Restart, MissingReference},
		{"rule 16: a pod created in the second of the attachment is restarted", []change{withoutReference, created(0)}, Restart, MissingReference},
		{"rule 16: a pod created in the second of the attachment waits for the next second", []change{withoutReference, created(0), now(time.Second)}, Wait, AdmissionLag},
		{"rule 16: a pod created in the second after the attachment waits for the one after", []change{withoutReference, created(time.Second), now(1900 * time.Millisecond)}, Wait, AdmissionLag},
		{"rule 16: and is restarted then", []change{withoutReference, created(time.Second), now(2 * time.Second)}, Restart, MissingReference},
		{"rule 16: its successor that missed it, too, waits until all lag is over", []change{withoutReference, created(2 * time.Second), now(10 * time.Second)}, Wait, AdmissionLag},
		{"rule 16: a pod created just after the attachment missed it in admission's cache, and is restarted when that is over",
			[]change{withoutReference, created(2 * time.Second), now(12 * time.Second)}, Restart, MissingReference},
		{"rule 16: until admission's cache has caught up a pod created after the attachment waits", []change{withoutReference, created(2 * time.Second)}, Wait, AdmissionLag},
		{"rule 16: the last second that counts as the lag of admission's cache", []change{withoutReference, created(10 * time.Second), now(time.Minute)}, Restart, MissingReference},
		{"rule 16: a pod created later without the reference is not restarted again", []change{withoutReference, created(11 * time.Second), now(time.Minute)}, Report, ReferenceNotAdded},
		{"an attachment that regcred did not make has no time, and is no reason to restart", []change{withoutReference,
			account(func(a *Account) { a.Attached = nil })}, Report, ReferenceNotAdded},
		{"rule 18: a ServiceAccount that does not exist yet is waited for", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "default", Missing: true} })}, Wait, NotAttached},
		{"rule 20: a ServiceAccount that is not attached yet is waited for", []change{withoutReference, account(func(a *Account) { a.PullSecrets = nil })}, Wait, NotAttached},
		{"rule 19: a ServiceAccount that a GitOps tool reverts is reported", []change{withoutReference, account(func(a *Account) { a.PullSecrets = nil }),
			credential(func(c *Credential) { c.Problem = "ServiceAccount default is changed back by Argo CD" })}, Report, AttachmentFails},
		{"a ServiceAccount that nobody serves is reported", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "builder", Unread: true} })}, Report, AccountNotServed},
		{"a reference that the pod carries counts, whatever its ServiceAccount says", []change{account(func(a *Account) { *a = Account{Name: "builder", Unread: true} })}, Restart, StaleCredential},
	})
}

func TestOwners(t *testing.T) {
	check(t, []rule{
		{"rule 21: a ReplicaSet recreates its pods", nil, Restart, StaleCredential},
		{"rule 21: a StatefulSet recreates its pods", []change{ownedBy("apps/v1", "StatefulSet")}, Restart, StaleCredential},
		{"rule 21: a DaemonSet recreates its pods", []change{ownedBy("apps/v1", "DaemonSet")}, Restart, StaleCredential},
		{"rule 21: a ReplicationController recreates its pods", []change{ownedBy("v1", "ReplicationController")}, Restart, StaleCredential},
		{"rule 21: a ReplicaSet of another group is somebody else's", []change{ownedBy("example.com/v1", "ReplicaSet")}, Wait, KubeletRetries},
		{"rule 21: an owner that is gone recreates nothing", []change{func(f *Facts) { f.Owners[0].Gone = true }}, None, OwnerGone},
		{"rule 22: deleting a pod of a Job is a failure of the Job: with the reference the kubelet retries", []change{ofJob}, Wait, KubeletRetries},
		{"rule 22: a pod of a Job without the reference is for a person", []change{ofJob, withoutReference}, Report, JobPod},
		{"rule 23: a bare pod is gone when deleted: with the reference the kubelet retries", []change{bare}, Wait, KubeletRetries},
		{"rule 23: a bare pod without the reference is for a person", []change{bare, withoutReference}, Report, BarePod},
		{"an unknown owner's pod without the reference is for a person", []change{ownedBy("example.com/v1", "Game"), withoutReference}, Report, OwnerUnknown},
		{"rule 23: a static pod cannot be fixed through the API", []change{func(f *Facts) {
			f.Pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		}}, Report, StaticPod},
		{"when the kubelet has tried again and failed the credential did not help", []change{ofJob, now(6 * time.Minute)}, Report, CredentialDidNotHelp},
	})
}

func TestContainers(t *testing.T) {
	sidecar := func(status corev1.ContainerStatus) change {
		return func(f *Facts) {
			f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: status.Name, Image: "quay.io/sidecar:1"})
			f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, status)
		}
	}
	check(t, []rule{
		{"rule 24: Pending does not mean that nothing runs: a running sidecar is never stopped", []change{sidecar(running("proxy"))}, Wait, KubeletRetries},
		{"rule 24: a running sidecar of a pod without the reference leaves it to a person", []change{sidecar(running("proxy")), withoutReference}, Report, ContainerRuns},
		{"rule 24: a native sidecar of a pod that never started and lacks the reference loses nothing", []change{nativeSidecar, withoutReference}, Restart, MissingReference},
		{"rule 24: nor does a proxy that a mesh injects", []change{sidecar(running("istio-proxy")), withoutReference}, Restart, MissingReference},
		{"rule 24: nor both while an init container is stuck", []change{initHangs, nativeSidecar, withoutReference}, Restart, MissingReference},
		{"rule 24: with the reference the kubelet heals the pod, and no sidecar is stopped", []change{nativeSidecar}, Wait, KubeletRetries},
		{"rule 24: a sidecar of a pod that ran before is never stopped", []change{nativeSidecar, ranBefore, withoutReference}, Report, ContainerRuns},
		{"rule 24: nor one of a pod in whose container anything ever ended", []change{nativeSidecar, endedBefore, withoutReference}, Report, ContainerRuns},
		{"rule 24: a sidecar beside another container that runs is not stopped", []change{nativeSidecar, sidecar(running("proxy")), withoutReference}, Report, ContainerRuns},
		{"rule 24: a sidecar that is debugged is not stopped", []change{nativeSidecar, debugged, withoutReference}, Report, ContainerRuns},
		{"rule 24: a sidecar alone that is stuck proves nothing of the others", []change{sidecar(waiting("istio-proxy", "ErrImagePull", "Back-off: "+anonymous)), mainRuns, withoutReference}, Report, NoCredential},
		{"rule 24: a running init container is never stopped", []change{func(f *Facts) {
			f.Pod.Spec.InitContainers = []corev1.Container{{Name: "mesh", Image: "quay.io/mesh:1"}}
			f.Pod.Status.InitContainerStatuses = []corev1.ContainerStatus{running("mesh")}
		}, withoutReference}, Report, ContainerRuns},
		{"rule 26: an init container that is stuck while the main one says PodInitializing", []change{initHangs}, Restart, StaleCredential},
		{"rule 25: a pod that ran before is stuck in phase Running", []change{func(f *Facts) { f.Pod.Status.Phase = corev1.PodRunning }}, Restart, StaleCredential},
		{"rule 29: an image volume pulls by the same rules", []change{volumeHangs}, Restart, StaleCredential},
		{"rule 29: an ephemeral container pulls by the same rules, beside one that runs", []change{func(f *Facts) {
			f.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{running("web")}
			f.Pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: image}}}
			f.Pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{waiting("debug", "ErrImagePull", refused)}
		}}, Wait, KubeletRetries},
		{"one container that no credential cures leaves the pod alone", []change{sidecar(waiting("proxy", "ErrImagePull", missing))}, Report, ImageNotFound},
		{"rule 26: a container that is being created is not stuck", []change{waits("ContainerCreating", "")}, None, NotStuck},
		{"a container that crashes is not stuck on its image", []change{waits("CrashLoopBackOff", "back-off 5m0s restarting failed container")}, None, NotStuck},
		{"a container whose configuration is wrong is not stuck on its image", []change{waits("CreateContainerConfigError", `secret "x" not found`)}, None, NotStuck},
		{"a pod that is being deleted is left alone", []change{func(f *Facts) { f.Pod.DeletionTimestamp = &f.Pod.CreationTimestamp }}, None, PodGone},
		{"a pod that has ended is left alone", []change{func(f *Facts) { f.Pod.Status.Phase = corev1.PodFailed }}, None, PodGone},
	})
}

// nativeSidecar runs beside the others: an init container that goes on.
func nativeSidecar(f *Facts) {
	always := corev1.ContainerRestartPolicyAlways
	f.Pod.Spec.InitContainers = append(f.Pod.Spec.InitContainers, corev1.Container{Name: "mesh", Image: "quay.io/mesh:1", RestartPolicy: &always})
	f.Pod.Status.InitContainerStatuses = append(f.Pod.Status.InitContainerStatuses, running("mesh"))
}

func ranBefore(f *Facts) { f.Pod.Status.ContainerStatuses[0].RestartCount = 1 }

func endedBefore(f *Facts) {
	f.Pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
}

func debugged(f *Facts) {
	f.Pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "quay.io/debug:1"}}}
	f.Pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{running("debug")}
}

func mainRuns(f *Facts) { f.Pod.Status.ContainerStatuses[0] = running("web") }

func initHangs(f *Facts) {
	f.Pod.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: image}}
	f.Pod.Status.InitContainerStatuses = []corev1.ContainerStatus{waiting("migrate", "ImagePullBackOff", f.Pod.Status.ContainerStatuses[0].State.Waiting.Message)}
	f.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("web", "PodInitializing", "")}
}

func volumeHangs(f *Facts) {
	f.Pod.Spec.Containers[0].Image = "quay.io/public:1"
	f.Pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "model", MountPath: "/model"}}
	f.Pod.Spec.Volumes = []corev1.Volume{{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: image}}}}
}

func TestCausesInEvents(t *testing.T) {
	silent := waits("ImagePullBackOff", `Back-off pulling image "`+image+`"`)
	check(t, []rule{
		{"rule 27: a kubelet before 1.32 gives no cause: the events are asked for", []change{silent}, Wait, ReadingEvents},
		{"rule 27: the cause stands in the event", []change{silent, events(`Error: ErrImagePull`, `Failed to pull image "`+image+`": rpc error: code = Unknown desc = `+refused)}, Restart, StaleCredential},
		{"rule 27: the API server's clients join events of which there are many", []change{silent, events(`(combined from similar events): Failed to pull image "` + image + `": rpc error: code = Unknown desc = ` + refused)}, Restart, StaleCredential},
		{"rule 27: an event of another image is no cause", []change{silent, events(`Failed to pull image "quay.io/x:1": ` + refused)}, Report, UnknownCause},
		{"rule 27: without any cause nothing is done", []change{silent, events()}, Report, UnknownCause},
	})
}

func events(messages ...string) change {
	return func(f *Facts) { f.EventsRead, f.PullEvents = true, messages }
}

func TestNever(t *testing.T) {
	check(t, []rule{
		{"rule 31: never for an image that does not exist", []change{because(missing)}, Report, ImageNotFound},
		{"rule 31: never for the network", []change{because(noRoute)}, Wait, RegistryUnreachable},
		{"rule 31: never for a certificate", []change{because(badCert)}, Report, TLSFailed},
		{"rule 31: never for a registry that fails", []change{because(broken)}, Wait, RegistryFailing},
		{"rule 31: never for a platform", []change{because(platform)}, Report, PlatformMissing},
		{"rule 31: never for a full disk", []change{because(diskFull)}, Report, UnknownCause},
		{"rule 31: never for a cause that is not known", []change{because("something new")}, Report, UnknownCause},
		{"never for an invalid image name", []change{waits("InvalidImageName", "couldn't parse image reference")}, Report, InvalidImageName},
		{"never for an image that must not be pulled", []change{waits("ErrImageNeverPull", "Container image is not present with pull policy of Never")}, Report, ImageNeverPulled},
		{"rule 31: never for a rate limit of an account", []change{because(limited)}, Report, RateLimited},
		{"rule 31: a rate limit of anonymous pulls is cured by a credential", []change{because(limited), withoutReference}, Restart, MissingReference},
		{"rule 31: a rate limit is not cured where a Secret that may not be read was used perhaps", []change{because(limited), ownList("theirs")}, Report, RateLimited},
		{"rule 32: never while nothing is published", []change{credential(func(c *Credential) { c.Published = false })}, Wait, NotPublished},
		{"rule 32: never while the registry refuses the value", []change{credential(func(c *Credential) { c.Entries[0].Rejected = "401" })}, Report, CredentialRejected},
		{"rule 32: never before the Secret is synced there", []change{secret("regcred", func(s *Secret) { *s = Secret{Missing: true} })}, Wait, SecretNotSynced},
		{"rule 32: never while the Secret holds an older revision", []change{credential(func(c *Credential) { c.Revision = "3" })}, Wait, SecretNotSynced},
		{"never with a Secret of somebody else", []change{secret("regcred", func(s *Secret) { *s = Secret{} })}, Report, SecretNotOurs},
		{"never for a registry that another RegistryCredential provides", []change{credential(func(c *Credential) { c.TakenBy = "older" }),
			secret("regcred", func(s *Secret) { s.Sources = pullsecret.Sources{} })}, Report, RegistryTaken},
		{"never while a Secret cannot be written", []change{credential(func(c *Credential) { c.Revision, c.Problem = "3", "ResourceQuota is used up" })}, Report, SecretNotSynced},
		{"never for a time in the future, which would restart a pod for ever", []change{now(-time.Hour)}, Report, TimeInFuture},
		{"rule 33: never a pod that was created after the change and carries the reference", []change{created(2 * time.Second)}, Report, CredentialDidNotHelp},
		{"rule 33: created in the second of the change: its successor would have the same time", []change{created(0), now(1900 * time.Millisecond)}, Wait, KubeletRetries},
		{"rule 33: created in the second of the change: its successor would have a later time", []change{created(0), now(2 * time.Second)}, Restart, StaleCredential},
		{"rule 33: created in the second in which the write ended", []change{created(time.Second), now(2 * time.Second)}, Restart, StaleCredential},
		{"rule 33: created in the second of the change, in place of one that was restarted for it", []change{created(0), func(f *Facts) { f.RestartedFor = noon }}, Report, CredentialDidNotHelp},
		{"rule 33: created in the second of the change, in place of one that was restarted for a later one", []change{created(0), func(f *Facts) { f.RestartedFor = noon.Add(time.Minute) }}, Report, CredentialDidNotHelp},
		{"rule 33: created in the second of the change, in place of one that was restarted for an earlier one", []change{created(0), func(f *Facts) { f.RestartedFor = noon.Add(-time.Minute) }}, Restart, StaleCredential},
		{"rule 33: created in the second of the change, and not healed by the kubelet", []change{created(0), now(317 * time.Second)}, Report, CredentialDidNotHelp},
		{"rule 33: created in the second of the change, a bare pod waits for the kubelet", []change{created(0), bare}, Wait, KubeletRetries},
		{"rule 33: created in the second of the change, a bare pod is repulled where that is enabled", []change{created(0), bare, repullable}, Repull, StaleCredential},
		{"a kubelet that pulled without the Secret that was there tries again with it", []change{created(time.Minute), now(65 * time.Second), because(anonymous)}, Wait, KubeletRetries},
		{"a kubelet that had the time to try again with the Secret", []change{created(time.Minute), now(10 * time.Minute), because(anonymous)}, Report, CredentialDidNotHelp},
		{"rule 34: never in a protected namespace", []change{func(f *Facts) { f.Protected, f.Credentials = true, nil }}, None, ProtectedNamespace},
		{"rule 35: never a pod that opts out", []change{func(f *Facts) { f.Pod.Annotations = optOut() }}, None, OptedOut},
		{"rule 35: never a pod whose owner opts out", []change{func(f *Facts) { f.Owners[1].Annotations = optOut() }}, None, OptedOut},
		{"rule 35: never in a namespace that opts out", []change{func(f *Facts) { f.NamespaceAnnotations = optOut() }}, None, OptedOut},
		{"another value of the annotation opts nobody out", []change{func(f *Facts) {
			f.NamespaceAnnotations = map[string]string{v1alpha1.PodRecoveryAnnotation: "Enabled"}
		}}, Restart, StaleCredential},
		{"never with mode Disabled", []change{credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryDisabled })}, None, RecoveryOff},
		{"never while suspended", []change{credential(func(c *Credential) { c.Suspended = true })}, None, RecoveryOff},
		{"rule 35: mode Report says what would be done", []change{credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport })}, Report, ReportOnly},
	})
}

func optOut() map[string]string {
	return map[string]string{v1alpha1.PodRecoveryAnnotation: v1alpha1.PodRecoveryDisabled}
}

func TestAmbiguousCausesAreSettledByTheRegistry(t *testing.T) {
	provable := credential(func(c *Credential) { c.Provable = true })
	check(t, []rule{
		{"rule 28: denied or missing: the registry is asked", []change{because(hidden), provable}, Wait, AskingRegistry},
		{"rule 28: forbidden: the registry is asked, because an expired robot reads the same", []change{because(denied), provable}, Wait, AskingRegistry},
		{"a login that failed is asked about too: it may have no right to this repository", []change{provable}, Wait, AskingRegistry},
		{"rule 28: the credential opens the image", []change{because(hidden), answered(AccessAllowed, sum)}, Restart, StaleCredential},
		{"rule 28: the credential has no right to the repository", []change{because(hidden), answered(AccessDenied, "")}, Report, PullDenied},
		{"the registry refuses the credential", []change{answered(AccessRefused, "")}, Report, CredentialRejected},
		{"the image does not exist", []change{because(hidden), answered(AccessNotFound, "")}, Report, ImageNotFound},
		{"no answer settles nothing where the message is ambiguous", []change{because(hidden), answered(AccessUnknown, "")}, Report, Unproven},
		{"no answer does not matter where the message is plain", []change{answered(AccessUnknown, "")}, Restart, StaleCredential},
		{"where nobody may ask, the last test of this image is proof", []change{because(hidden), repullable, func(f *Facts) { f.Credentials[0].Repull = false }}, Restart, StaleCredential},
		{"where nobody may ask, an ambiguous message settles nothing", []change{because(hidden)}, Report, Unproven},
		{"an onlooker says that the operator asks", []change{because(hidden), func(f *Facts) { f.Onlooker = true }}, Wait, AskingRegistry},
		{"nobody is asked about a pod that is left alone anyway", []change{provable, created(time.Minute)}, Report, CredentialDidNotHelp},
	})
}

func pinned(f *Facts) { f.Pod.Spec.Containers[0].Image = image + "@" + sum }

func TestOnlookers(t *testing.T) {
	unread := secret("regcred", func(s *Secret) { *s = Secret{Unread: true} })
	published := credential(func(c *Credential) { c.ChangeTime = noon })
	check(t, []rule{
		{"without a right to the Secret the RegistryCredential tells when it changed", []change{unread, published}, Restart, StaleCredential},
		{"without a right to the Secret a younger pod is seen to be one", []change{unread, published, created(2 * time.Second)}, Report, CredentialDidNotHelp},
		{"what does not rest on the Secret is told without it", []change{unread, published, ofJob, withoutReference}, Report, JobPod},
		{"without any time nothing is claimed", []change{unread}, Wait, SecretUnread},
		{"without a right to RegistryCredentials nothing is claimed", []change{func(f *Facts) { f.Credentials, f.CredentialsUnread = nil, true }}, Wait, CredentialsUnread},
	})
}

func TestRepull(t *testing.T) {
	check(t, []rule{
		{"rule 2: where enabled it is the first choice for a pod that has the reference", []change{repullable}, Repull, StaleCredential},
		{"rule 2: it cures a pod of a Job", []change{repullable, ofJob}, Repull, StaleCredential},
		{"rule 2: it cures a bare pod", []change{repullable, bare}, Repull, StaleCredential},
		{"rule 2: it stops nothing that runs", []change{repullable, func(f *Facts) {
			f.Pod.Spec.InitContainers = []corev1.Container{{Name: "mesh", Image: "quay.io/mesh:1"}}
			f.Pod.Status.InitContainerStatuses = []corev1.ContainerStatus{running("mesh")}
		}}, Repull, StaleCredential},
		{"rule 2: it cannot help a pod without the reference", []change{repullable, withoutReference}, Restart, MissingReference},
		{"it is not done where it is not enabled", []change{repullable, func(f *Facts) { f.Credentials[0].Repull = false }}, Restart, StaleCredential},
		{"it is not done without a digest", []change{credential(func(c *Credential) { c.Repull = true })}, Restart, StaleCredential},
		{"an image with a digest cannot be pinned", []change{repullable, pinned, waits("ImagePullBackOff", "Back-off pulling image \""+image+"@"+sum+"\": ErrImagePull: "+refused)}, Restart, StaleCredential},
		{"after it the status still speaks of the old image for a moment", []change{repullable, pinned}, Wait, KubeletRetries},
		{"it is not followed by a restart: the kubelet had the credential", []change{repullable, pinned, func(f *Facts) { f.Repulled = noon },
			waits("ImagePullBackOff", "Back-off pulling image \""+image+"@"+sum+"\": ErrImagePull: "+refused)}, Report, CredentialDidNotHelp},
		{"it is not done for an image volume", []change{repullable, volumeHangs}, Restart, StaleCredential},
		{"an onlooker does not know the digest and says what the operator does", []change{credential(func(c *Credential) { c.Repull = true }), func(f *Facts) { f.Onlooker = true }}, Repull, StaleCredential},
		{"without the right to patch pods another cure is taken", []change{repullable, func(f *Facts) { f.RepullForbidden = true }}, Restart, StaleCredential},
		{"a static pod is left alone", []change{repullable, func(f *Facts) {
			f.Pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		}}, Report, StaticPod},
		{"mode Report does not repull", []change{repullable, credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport })}, Report, ReportOnly},
	})
}

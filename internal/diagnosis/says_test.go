package diagnosis

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/pullsecret"
)

// TestWhatIsSaid has each verdict as a person reads it, with when the pod is looked at again. docs/stuck-pods.md tells the same.
func TestWhatIsSaid(t *testing.T) {
	const web = "container web: "
	of := func(image string) change {
		return func(f *Facts) { f.Pod.Spec.Containers[0].Image, f.Credentials = image, nil }
	}
	for _, test := range []struct {
		rule
		again           time.Duration
		message, advice string
	}{
		{rule{"the Secret changed", nil, Restart, StaleCredential}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now",
			""},
		{rule{"the ServiceAccount names the Secret since", []change{withoutReference}, Restart, MissingReference}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1",
			""},
		{rule{"an admission policy adds the Secret since", []change{injectedSince(0)}, Restart, MissingReference}, 0, web + "the pod was created before Secret regcred, which can pull registry.example.com/shop/web:1, was added to new pods here",
			""},
		{rule{"nothing is published", []change{credential(func(c *Credential) { c.Published = false })}, Wait, NotPublished}, 5 * time.Minute, web + "RegistryCredential shop has no usable value yet",
			"see its conditions: kubectl get registrycredential shop -o yaml"},
		{rule{"the value is refused", []change{credential(func(c *Credential) { c.Entries[0].Rejected = "401" })}, Report, CredentialRejected}, time.Minute, web + "the registry refuses the value of RegistryCredential shop: 401",
			"store a good value at its source"},
		{rule{"somebody else's Secret", []change{secret("regcred", func(s *Secret) {
			s.Owner.Ours = false
			s.Owner.Manager = "Helm release shop/web"
			s.Owner.Fix = "let the release go"
		})}, Report, SecretNotOurs}, 5 * time.Minute, web + "Secret regcred belongs to Helm release shop/web, and regcred does not write it",
			"Secret regcred: let the release go"},
		{rule{"an older RegistryCredential provides the registry", []change{credential(func(c *Credential) { c.TakenBy = "older" }), secret("regcred", func(s *Secret) { s.Sources = nil })}, Report, RegistryTaken}, 0, web + "RegistryCredential older provides this registry in Secret regcred, because it is older than shop",
			"let one of the two provide it"},
		{rule{"the value is on its way", []change{credential(func(c *Credential) { c.Revision = "3" })}, Wait, SecretNotSynced}, 15 * time.Second, web + "the value of RegistryCredential shop is on its way to Secret regcred",
			""},
		{rule{"the value cannot be written", []change{credential(func(c *Credential) { c.Revision, c.Problem = "3", "ResourceQuota is used up" })}, Report, SecretNotSynced}, 5 * time.Minute, web + "the value of RegistryCredential shop is not in Secret regcred: ResourceQuota is used up",
			""},
		{rule{"the Secret may not be read", []change{secret("regcred", func(s *Secret) { *s = Secret{Unread: true} })}, Wait, SecretUnread}, 5 * time.Minute, web + "Secret regcred may not be read here, so that it is not known whether the pod is older than the value in it",
			""},
		{rule{"a change that lies ahead, told in UTC", []change{now(-time.Hour), func(f *Facts) { f.Now = f.Now.In(time.FixedZone("x", 3600)) }, secret("regcred", func(s *Secret) {
			x := s.Sources["shop"]
			x.Changed.Time = x.Changed.In(time.FixedZone("x", 3600))
			s.Sources["shop"] = x
		})}, Report, TimeInFuture}, 5 * time.Minute, web + "the time recorded for Secret regcred, 2026-03-01T12:00:00Z, lies in the future",
			"see whether somebody changed the annotation, or a clock is wrong"},
		{rule{"created in the second of the change", []change{created(0), now(time.Second)}, Wait, KubeletRetries}, time.Second, web + "the pod was created just as Secret regcred changed, and may have missed it; unless it runs before, it is looked at again two seconds after the change",
			""},
		{rule{"created after the change", []change{created(time.Minute)}, Report, CredentialDidNotHelp}, 0, web + "the pod has had the value of RegistryCredential shop since it was created, and the registry denies pulling registry.example.com/shop/web:1 with it",
			"see whether the image exists and the credential's account may pull it; if so, look for a mirror or a proxy between node and registry"},
		{rule{"a record without a time", []change{secret("regcred", func(s *Secret) {
			s.Sources = pullsecret.Sources{"shop": {Revision: "2", Keys: []string{host}}}
		})}, Report, CredentialDidNotHelp}, 0,
			web + "the pod has had the value of RegistryCredential shop since it was created, and the registry denies pulling registry.example.com/shop/web:1 with it",
			"see whether the image exists and the credential's account may pull it; if so, look for a mirror or a proxy between node and registry"},
		{rule{"repulled for the change", []change{func(f *Facts) { f.Repulled = noon }}, Report, CredentialDidNotHelp}, 0, web + "the kubelet pulled again with the value of RegistryCredential shop, and the registry denies pulling registry.example.com/shop/web:1 with it",
			"see whether the image exists and the credential's account may pull it; if so, look for a mirror or a proxy between node and registry"},
		{rule{"a login that failed is judged", []change{created(time.Minute), credential(func(c *Credential) { c.Judged = true })}, Wait, JudgingCredential}, 15 * time.Second, web + "the registry refused the login of the pod; it is asked whether it still takes the value of RegistryCredential shop",
			""},
		{rule{"and could not be judged for long", []change{created(time.Minute), now(time.Hour), credential(func(c *Credential) { c.Judged = true })}, Report, Unproven}, 5 * time.Minute, web + "the registry refused the login of the pod, and could not be asked since whether it takes the value of RegistryCredential shop",
			"see the conditions of RegistryCredential shop, and whether the registry answers"},
		{rule{"no more is known than what the Secret tells", []change{created(time.Minute), credential(func(c *Credential) { c.SecretAlone = true })}, Wait, CredentialsUnread}, 5 * time.Minute, web + "the registry refused the login of the pod with the value in Secret regcred; RegistryCredential shop, which may not be read here, says whether the registry still takes that value",
			"ask for the ClusterRole regcred-viewer, or see the events of the pod"},
		{rule{"the pod lists its own pull secrets", []change{ownList("old", "older")}, Report, OwnPullSecrets}, 0, web + "the pod lists its own pull secrets (old, older), so that it inherits none from its ServiceAccount",
			"add regcred to imagePullSecrets of its template, or remove the list there"},
		{rule{"attach None", []change{withoutReference, credential(func(c *Credential) { c.Attach = v1alpha1.AttachNone })}, Report, AccountNotServed}, 5 * time.Minute, web + "the pod does not name Secret regcred, and RegistryCredential shop has spec.target.attach: None",
			"add regcred to imagePullSecrets of its template, or set attach to Pods or ServiceAccounts there"},
		{rule{"no ServiceAccount", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "default", Missing: true} })}, Wait, NotAttached}, 15 * time.Second, web + "ServiceAccount default does not exist",
			""},
		{rule{"a ServiceAccount that is not attached yet", []change{withoutReference, account(func(a *Account) { a.PullSecrets = nil })}, Wait, NotAttached}, 15 * time.Second, web + "Secret regcred is not in ServiceAccount default yet",
			""},
		{rule{"a ServiceAccount that cannot be attached", []change{withoutReference, account(func(a *Account) { a.PullSecrets = nil }), credential(func(c *Credential) { c.Problem = "Argo CD" })}, Report, AttachmentFails}, 5 * time.Minute, web + "Secret regcred is not in ServiceAccount default: Argo CD",
			`add the line "imagePullSecrets: [{name: regcred}]" where the ServiceAccount is kept`},
		{rule{"a ServiceAccount that nobody serves", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "builder"} })}, Report, AccountNotServed}, 5 * time.Minute, web + "ServiceAccount builder does not name Secret regcred, and RegistryCredential shop does not serve it",
			`add it to spec.target.serviceAccounts there and to the operator's limits, or run: kubectl patch serviceaccount builder -n prod --type merge -p '{"imagePullSecrets":[{"name":"regcred"}]}'`},
		{rule{"one that may not be read, either", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "builder", Unread: true} })}, Report, AccountNotServed}, 5 * time.Minute, web + "ServiceAccount builder does not name Secret regcred, and RegistryCredential shop does not serve it",
			"add it to spec.target.serviceAccounts there and to the operator's limits"},
		{rule{"a ServiceAccount that is served and may not be read", []change{withoutReference, account(func(a *Account) { *a = Account{Name: "default", Unread: true} })}, Report, AccountNotServed}, 5 * time.Minute, web + "ServiceAccount default may not be read here",
			""},
		{rule{"the lag of admission", []change{withoutReference, created(2 * time.Second)}, Wait, AdmissionLag}, 6 * time.Second, web + "the pod was created just as ServiceAccount default got Secret regcred, and missed it",
			""},
		{rule{"something removes the name", []change{withoutReference, created(11 * time.Second)}, Report, ReferenceNotAdded}, 0, web + "ServiceAccount default names Secret regcred and the pod was still created without it: something removes it, or the entry was added by hand",
			"to recreate the pod, run: kubectl delete pod web-1 -n prod"},
		{rule{"the lag of admission by policy", []change{injectedSince(0), created(2 * time.Second)}, Wait, AdmissionLag}, 6 * time.Second, web + "the pod was created just as new pods began to get Secret regcred, and missed it",
			""},
		{rule{"something removes the name that the policy added", []change{injectedSince(0), created(time.Minute)}, Report, ReferenceNotAdded}, 0, web + "new pods get Secret regcred from the admission policy regcred-injection, and the pod was still created without it: the policy failed, or something removes it",
			"to recreate the pod, run: kubectl delete pod web-1 -n prod"},
		{rule{"the pod opted out of the policy", []change{injectedSince(0), annotated}, Report, ReferenceNotAdded}, 0, web + "the pod carries the annotation regcred.dev/attach: Disabled, so that Secret regcred is not added to the pod",
			"remove the annotation and recreate the pod, or name the Secret in its template"},
		{rule{"the namespace opted out of the policy", []change{injectedSince(0), func(f *Facts) {
			f.NamespaceAnnotations = map[string]string{v1alpha1.AttachAnnotation: v1alpha1.AttachDisabled}
		}}, Report, ReferenceNotAdded}, 0, web + "namespace prod carries the annotation regcred.dev/attach: Disabled, so that Secret regcred is not added to the pod",
			"remove the annotation and recreate the pod, or name the Secret in its template"},
		{rule{"the policy does not stand", []change{injectedSince(0), credential(func(c *Credential) { c.InjectionProblem = "the policy is missing" })}, Report, AttachmentFails}, 5 * time.Minute, web + "Secret regcred is not added to pods: the policy is missing",
			""},
		{rule{"it is not known since when the policy stands", []change{injectedSince(0), credential(func(c *Credential) { c.InjectedSince = time.Time{} })}, Wait, NotAttached}, 15 * time.Second, web + "it is not known yet whether new pods get Secret regcred from the admission policy",
			""},
		{rule{"a pod that goes", []change{func(f *Facts) { f.Pod.DeletionTimestamp = &f.Pod.CreationTimestamp }}, None, PodGone}, 0, "the pod is being deleted",
			""},
		{rule{"a pod that ended", []change{func(f *Facts) { f.Pod.Status.Phase = corev1.PodSucceeded }}, None, PodGone}, 0, "the pod has ended",
			""},
		{rule{"a pod that is not stuck", []change{waits("ContainerCreating", "")}, None, NotStuck}, 0, "no container waits for an image",
			""},
		{rule{"the pod opted out", []change{func(f *Facts) { f.Pod.Annotations = optOut() }}, None, OptedOut}, 0, "the pod carries the annotation regcred.dev/pod-recovery: Disabled",
			""},
		{rule{"its owner's owner opted out", []change{func(f *Facts) { f.Owners[1].Annotations = optOut() }}, None, OptedOut}, 0, "Deployment web carries the annotation regcred.dev/pod-recovery: Disabled",
			""},
		{rule{"its namespace opted out", []change{func(f *Facts) { f.NamespaceAnnotations = optOut() }}, None, OptedOut}, 0, "namespace prod carries the annotation regcred.dev/pod-recovery: Disabled",
			""},
		{rule{"suspended", []change{credential(func(c *Credential) { c.Suspended = true })}, None, RecoveryOff}, 0, "RegistryCredential shop is suspended",
			""},
		{rule{"mode Disabled", []change{credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryDisabled })}, None, RecoveryOff}, 0, "RegistryCredential shop has podRecovery.mode: Disabled",
			""},
		{rule{"a protected namespace", []change{func(f *Facts) { f.Protected = true }}, None, ProtectedNamespace}, 0, "namespace prod is protected, and no RegistryCredential names it in spec.target.namespaces",
			""},
		{rule{"a kubelet that gives no cause", []change{waits("ImagePullBackOff", `Back-off pulling image "`+image+`"`)}, Wait, ReadingEvents}, 15 * time.Second, "the kubelet gives no cause in the pod's status: its events are looked at",
			""},
		{rule{"a static pod", []change{func(f *Facts) { f.Pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }}, Report, StaticPod}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; the pod comes from a file on node node-1, and cannot be fixed through the API",
			"put the image on the node, or change the file"},
		{rule{"a Job's pod with the reference", []change{ofJob}, Wait, KubeletRetries}, 310 * time.Second, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; deleting a pod of Job it would count as its failure, and the kubelet pulls again by 12:05:15 UTC at the latest",
			""},
		{rule{"a Job's pod without it", []change{ofJob, withoutReference}, Report, JobPod}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; deleting a pod of Job it would count as its failure",
			`suspend and resume the Job, which counts nothing: kubectl patch job it -n prod -p '{"spec":{"suspend":true}}' && kubectl patch job it -n prod -p '{"spec":{"suspend":false}}'`},
		{rule{"a bare pod with the reference", []change{bare}, Wait, KubeletRetries}, 310 * time.Second, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; the pod has no owner that would recreate it, and the kubelet pulls again by 12:05:15 UTC at the latest",
			""},
		{rule{"a bare pod without it", []change{bare, withoutReference}, Report, BarePod}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; the pod has no owner that would recreate it",
			"save it with kubectl get pod web-1 -n prod -o yaml > pod.yaml, remove imagePullSecrets from the file, and run: kubectl replace --force -f pod.yaml"},
		{rule{"an owner of a kind that can be listed", []change{ownedBy("example.com/v1", "Game"), withoutReference}, Report, OwnerUnknown}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; it is not known whether Game it recreates a deleted pod",
			"if it does, run: kubectl delete pod web-1 -n prod; to have regcred do it, add example.com/Game to podRecovery.ownerKinds of the chart, or to --recovery-owner-kinds (config/README.md)"},
		{rule{"an owner of a kind that cannot", []change{ownedBy("v1", "Game"), withoutReference}, Report, OwnerUnknown}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; it is not known whether Game it recreates a deleted pod",
			"if it does, run: kubectl delete pod web-1 -n prod"},
		{rule{"an owner of a listed kind that cannot be read", []change{withoutReference, func(f *Facts) {
			f.Owners = []Owner{{APIVersion: "core.strimzi.io/v1beta2", Kind: "StrimziPodSet", Name: "it", Chosen: true, Unread: true}}
		}}, Report, OwnerUnknown}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; StrimziPodSet it cannot be read, so that it is not known whether it is still there to recreate the pod",
			"give the operator's role the right to get core.strimzi.io/StrimziPodSet (podRecovery.ownerKinds of the chart, or config/owners), or run: kubectl delete pod web-1 -n prod"},
		{rule{"an owner that is known and cannot be read", []change{withoutReference, func(f *Facts) { f.Owners[0].Unread = true }}, Report, OwnerUnknown}, 0,
			web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; it is not known whether ReplicaSet web-5d4 recreates a deleted pod",
			"if it does, run: kubectl delete pod web-1 -n prod"},
		{rule{"a container runs", []change{withoutReference, func(f *Facts) {
			f.Pod.Spec.Containers = append(f.Pod.Spec.Containers, corev1.Container{Name: "b", Image: "quay.io/x:1"})
			f.Pod.Status.ContainerStatuses = append(f.Pod.Status.ContainerStatuses, running("b"))
		}}, Report, ContainerRuns}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; container b runs, so that the pod is not restarted",
			"when it may stop, run: kubectl delete pod web-1 -n prod"},
		{rule{"only sidecars run", []change{withoutReference, nativeSidecar}, Restart, MissingReference}, 0, web + "the pod was created before ServiceAccount default named Secret regcred, which can pull registry.example.com/shop/web:1; only sidecars run (mesh), and container web never started, so that the pod was never Ready and loses nothing by a restart",
			""},
		{rule{"the owner is gone", []change{func(f *Facts) { f.Owners[0].Gone = true }}, None, OwnerGone}, 0, "ReplicaSet web-5d4 is gone and would not recreate the pod",
			""},
		{rule{"the kubelet tried again in vain", []change{ofJob, now(6 * time.Minute)}, Report, CredentialDidNotHelp}, 5 * time.Minute, web + "the kubelet has tried again since Secret regcred changed, and still cannot pull registry.example.com/shop/web:1",
			"see whether the image exists and the credential's account may pull it; if so, look for a mirror or a proxy between node and registry"},
		{rule{"mode Report instead of a restart", []change{credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport })}, Report, ReportOnly}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; a restart would cure it, and is not done because RegistryCredential shop has podRecovery.mode: Report",
			""},
		{rule{"mode Report instead of a repull", []change{repullable, credential(func(c *Credential) { c.Mode = v1alpha1.RecoveryReport })}, Report, ReportOnly}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; a repull would cure it, and is not done because RegistryCredential shop has podRecovery.mode: Report",
			""},
		{rule{"a repull", []change{repullable}, Repull, StaleCredential}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now",
			""},
		{rule{"a repull that is forbidden", []change{repullable, func(f *Facts) { f.RepullForbidden = true }}, Restart, StaleCredential}, 0, web + "Secret regcred changed after the pod was created and can pull registry.example.com/shop/web:1 now; podRecovery.repull is not available, because the operator's role does not allow it to patch pods",
			""},
		{rule{"the registry is asked", []change{because(hidden), credential(func(c *Credential) { c.Provable = true })}, Wait, AskingRegistry}, 15 * time.Second, web + "the registry is asked whether RegistryCredential shop can pull registry.example.com/shop/web:1",
			""},
		{rule{"the operator asks the registry", []change{because(hidden), onlooker}, Wait, AskingRegistry}, 0, web + "the kubelet's message leaves open whether registry.example.com/shop/web:1 exists or is denied: the operator asks the registry, and acts if RegistryCredential shop can pull it",
			""},
		{rule{"nobody may ask the registry", []change{because(hidden)}, Report, Unproven}, 0, web + "the registry does not say whether registry.example.com/shop/web:1 exists or is denied, and RegistryCredential shop was not tested with it",
			"see whether the image exists; if it does, delete the pod where its owner recreates it"},
		{rule{"the registry denies the image", []change{answered(AccessDenied, "")}, Report, PullDenied}, 5 * time.Minute, web + "the account of RegistryCredential shop may not pull registry.example.com/shop/web:1: said the registry",
			"give the credential's account the right to pull the image, or correct the image"},
		{rule{"the registry refuses the value", []change{answered(AccessRefused, "")}, Report, CredentialRejected}, 5 * time.Minute, web + "the registry refuses the value of RegistryCredential shop: said the registry",
			"store a good value at its source"},
		{rule{"the registry does not find the image", []change{answered(AccessNotFound, "")}, Report, ImageNotFound}, 5 * time.Minute, web + "the registry does not have registry.example.com/shop/web:1: said the registry",
			"correct the image's name or tag, or push it"},
		{rule{"the registry does not answer", []change{because(hidden), answered(AccessUnknown, "")}, Report, Unproven}, 5 * time.Minute, web + "it could not be settled whether registry.example.com/shop/web:1 exists or is denied: said the registry",
			"look at the state of the registry"},
		{rule{"a kubelet says that the image is missing", []change{because(missing)}, Report, ImageNotFound}, 0, web + "the registry does not have registry.example.com/shop/web:1",
			"correct the image's name or tag, or push it"},
		{rule{"no route", []change{because(noRoute)}, Wait, RegistryUnreachable}, 315 * time.Second, web + "the node does not reach the registry; the kubelet retries automatically",
			"see whether the registry is up, and whether the node resolves and reaches it"},
		{rule{"a certificate", []change{because(badCert)}, Report, TLSFailed}, 0, web + "the node does not trust the registry's certificate, or the registry speaks no TLS",
			"set the registry up on the nodes, in the configuration of the container runtime"},
		{rule{"a registry that fails", []change{because(broken)}, Wait, RegistryFailing}, 315 * time.Second, web + "the registry fails; the kubelet retries automatically",
			"look at the state of the registry"},
		{rule{"another platform", []change{because(platform)}, Report, PlatformMissing}, 0, web + "registry.example.com/shop/web:1 is not there for the node's platform",
			"build it for that platform, or choose other nodes"},
		{rule{"a full disk", []change{because(diskFull)}, Report, UnknownCause}, 0, web + "the pull fails for a cause that is not known to be a credential",
			"see the kubelet's message"},
		{rule{"a kubelet that limits itself", []change{because(throttled)}, Wait, KubeletThrottled}, 315 * time.Second, web + "the kubelet limits its own pulls and tries again",
			""},
		{rule{"a limit of the account", []change{because(limited)}, Report, RateLimited}, 0, web + "the registry limits the pulls of this account",
			"wait, or use an account with a higher limit"},
		{rule{"a limit of anonymous pulls", []change{because(limited), withoutReference, func(f *Facts) { f.Credentials = nil }}, Report, RateLimited}, 0, web + "the registry limits anonymous pulls, and no RegistryCredential provides it in namespace prod",
			"add a RegistryCredential for it, or select the namespace in the one that is there"},
		{rule{"no image reference", []change{waits("InvalidImageName", "")}, Report, InvalidImageName}, 0, web + `"registry.example.com/shop/web:1" is not an image reference: the kubelet does not say why`,
			"correct the image in the pod's template"},
		{rule{"policy Never", []change{waits("ErrImageNeverPull", "")}, Report, ImageNeverPulled}, 0, web + "the image is not on the node, or not for this pod, and imagePullPolicy is Never",
			"change the policy, or load the image on the node"},
		{rule{"somebody else's Secret breaks pulls", []change{waits("illegal base64 data at input byte 0", ""), foreignBreaks}, Report, MalformedSecret}, 0, web + "Secret theirs of Helm release shop/web breaks every pull of this pod, whatever the others hold: the docker config is not valid JSON",
			"fix it where it comes from, or run: kubectl edit secret theirs -n prod"},
		{rule{"our own Secret does", []change{waits("illegal base64 data at input byte 0", ""), secret("regcred", func(s *Secret) { s.Breaks = "broken" })}, Wait, OwnSecretBeingRewritten}, 15 * time.Second, web + "Secret regcred cannot be read (broken): regcred writes it again, and the kubelet tries again within 15 seconds",
			""},
		{rule{"no Secret does any more", []change{waits("illegal base64 data at input byte 0", "")}, Wait, KubeletRetries}, 15 * time.Second, web + "a pull secret could not be read by the kubelet and is in order by now; the kubelet tries again within 15 seconds",
			""},
		{rule{"Secrets that may not be read may", []change{waits("illegal base64 data at input byte 0", ""), ownList("old", "older")}, Report, MalformedSecret}, 0, web + "one of the pull secrets of this pod cannot be read by the kubelet, and breaks every pull",
			"look at old, older, which may not be read here, and fix it"},
		{rule{"RegistryCredentials may not be read", []change{func(f *Facts) { f.Credentials, f.CredentialsUnread = nil, true }}, Wait, CredentialsUnread}, 0, web + "RegistryCredentials may not be read here, so that it is not known whether regcred provides this registry",
			"ask for the ClusterRole regcred-viewer"},
		{rule{"the namespace is excluded", []change{func(f *Facts) { f.Credentials, f.Excluding = nil, []Excluding{{Name: "company", Keys: []string{host}}} }}, Report, NoCredential}, 0, web + "RegistryCredential company provides the registry of registry.example.com/shop/web:1, and excludes namespace prod",
			"if the namespace is meant to have it, take it out of spec.target.excludedNamespaces of RegistryCredential company"},
		{rule{"nobody provides the registry", []change{of(image)}, Report, NoCredential}, 0, web + "no RegistryCredential provides the registry of registry.example.com/shop/web:1 in namespace prod",
			"add a RegistryCredential for it, or select the namespace in the one that is there"},
		{rule{"a registry that is nearly provided", []change{func(f *Facts) { f.Pod.Spec.Containers[0].Image = host + ":5000/x:1" }}, Report, NoCredential}, 0, web + "RegistryCredential shop provides registry.example.com and not registry.example.com:5000/x:1: a kubelet takes a registry with a port for another one",
			"if it is meant for it, list registry.example.com:5000 in its spec.registries, too"},
		{rule{"a Secret of another type", []change{func(f *Facts) { f.Credentials = nil; f.Secrets["regcred"] = Secret{Ignored: "Opaque"} }}, Report, NoCredential}, 0, web + "Secret regcred, which the pod names, is of type Opaque: a kubelet ignores it, whatever it holds",
			"have it made with type kubernetes.io/dockerconfigjson where it comes from, or add a RegistryCredential for the image"},
		{rule{"the status is of an earlier image", []change{repullable, pinned}, Wait, KubeletRetries}, 15 * time.Second, web + "the image was changed, and the kubelet has not said yet whether it can pull that",
			""},
		{rule{"another Secret has an entry that is used instead", []change{func(f *Facts) {
			f.Pod.Spec.Containers[0].Image = "nginx"
			f.Credentials[0].Entries = []Entry{{Key: "https://index.docker.io/v1/"}}
			source := f.Secrets["regcred"].Sources["shop"]
			source.Keys = []string{"https://index.docker.io/v1/"}
			f.Secrets["regcred"].Sources["shop"] = source
			f.Pod.Spec.ImagePullSecrets = append(f.Pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: "theirs"})
			f.Secrets["theirs"] = Secret{Keys: []string{"docker.io"}}
		}, secret("regcred", func(s *Secret) { s.Keys = []string{"https://index.docker.io/v1/"} })}, Report, Shadowed}, 0,
			web + `a kubelet uses the entry "docker.io" of Secret theirs instead of "https://index.docker.io/v1/" in Secret regcred`, "remove the former"},
		{rule{"a mirror refuses", []change{because(`failed to resolve image: unexpected status from HEAD request to https://mirror.local:5000/v2/shop/web/manifests/1?ns=registry.example.com: 401 Unauthorized`)}, Report, MirrorRefuses}, 0, web + "mirror.local:5000 refused the pull of registry.example.com/shop/web:1. It is a mirror that the node asks first, and the runtime showed it the credential of Secret regcred, not the one that the node may have for it",
			"let the mirror accept that credential, or serve this registry without a pull Secret here: take the namespace out of spec.target of RegistryCredential shop"},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := Diagnose(stuck(test.changes...))
			if verdict.Action != test.action || verdict.Reason != test.reason || verdict.RecheckAfter != test.again {
				t.Errorf("%s (%s), again after %s; want %s (%s), %s", verdict.Action, verdict.Reason, verdict.RecheckAfter, test.action, test.reason, test.again)
			}
			if verdict.Message != test.message || verdict.Advice != test.advice {
				t.Errorf("%s\n%s\nwant\n%s\n%s", verdict.Message, verdict.Advice, test.message, test.advice)
			}
		})
	}
}

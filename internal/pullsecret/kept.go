package pullsecret

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// keptOutside is the advice where only a mark tells that something keeps a Secret. To refuse a hand-made Secret by mistake costs a
// person one command; to adopt one that a tool writes starts a fight that does not end.
const keptOutside = "let that tool give it up; if nothing keeps it, take the mark off or delete it, so that regcred can have it"

// harmless are the domains of labels and annotations that people and their clients put on Secrets of their own, and that name nobody
// who writes them: Kubernetes' recommended labels, kubectl's annotations and regcred's own. Other domains below kubernetes.io and k8s.io are
// those of controllers, such as addonmanager.kubernetes.io and config.k8s.io.
var harmless = []string{"kubernetes.io", "k8s.io", "app.kubernetes.io", "kubectl.kubernetes.io", "regcred.dev"}

// bystanders are keys of such domains that say nothing of who writes a Secret: an admission webhook puts them on everything in some
// namespaces and names the tenant (https://projectcapsule.dev/docs/tenants/metadata/), or people write them on Secrets of their own for a
// tool that only reads them (https://velero.io/docs/main/resource-filtering/, https://github.com/stakater/Reloader/pull/142), as the
// description that Rancher's page asks for.
var bystanders = []string{
	"capsule.clastix.io/tenant", "capsule.clastix.io/managed-by", "projectcapsule.dev/tenant",
	"velero.io/exclude-from-backup", "reloader.stakater.com/match", "field.cattle.io/description",
}

// foreignMark is a label or annotation of a domain that is not harmless: such keys are written by controllers, or ask one to act. A
// key without a domain is a person's.
func foreignMark(secret *corev1.Secret) (string, bool) {
	written := SourcesOf(secret.Annotations).written()
	for _, set := range []struct {
		kind string
		keys map[string]string
	}{{labelKind, secret.Labels}, {annotationKind, secret.Annotations}} {
		for _, key := range sortedKeys(set.keys) {
			domain, _, found := strings.Cut(key, "/")
			if found && !slices.Contains(harmless, domain) && !slices.Contains(bystanders, key) && !written[set.kind+key] {
				return set.kind + key, true
			}
		}
	}
	return "", false
}

// clients are the beginnings of the field managers of programs with which people write Secrets by hand. A field manager is by default
// the user agent up to the first slash (k8s.io/apiserver, managerOrUserAgent).
var clients = []string{
	"kubectl", "oc", "k9s", "node-fetch", "Mozilla", "OpenLens", "lens", "freelens", "headlamp", "dashboard", "kubernetes-dashboard",
	"okd", "curl", "python-requests", "before-first-apply", "regcred",
}

// foreignManager is a field manager that is no person's client.
func foreignManager(secret *corev1.Secret) (string, bool) {
	for _, name := range Managers(secret.ManagedFields) {
		if !isClient(name) {
			return name, true
		}
	}
	return "", false
}

func isClient(name string) bool {
	return slices.ContainsFunc(clients, func(client string) bool {
		rest, found := strings.CutPrefix(strings.ToLower(name), strings.ToLower(client))
		return found && (rest == "" || strings.ContainsAny(rest[:1], "-_/. "))
	})
}

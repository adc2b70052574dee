package pullsecret

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/foreign"
)

// copiers are the tools that copy Secrets with their labels, mostly with their annotations, too, and the marks that are on the copies alone.
// On a copy of a pull Secret of regcred its label and its record speak of the original: the copy is the tool's, which would write it again
// at once. The rows of tools say where each mark is written down, and what to do.
var copiers = []struct {
	tool string
	mark func(*corev1.Secret) (name string, marked bool)
}{
	{"Kyverno policy", label("generate.kyverno.io/policy-name")},
	{"Reflector", annotation("reflector.v1.k8s.emberstack.com/reflects")},
	{"kubernetes-replicator", annotation("replicator.v1.mittwald.de/replicated-from-version")},
	{"Config Syncer", anyOf(annotation("kubed.appscode.com/origin"), label("kubed.appscode.com/origin.name"))},
	{"Hierarchical Namespaces", label("hnc.x-k8s.io/inherited-from")},
	{"Rancher project-scoped Secret", anyOf(
		label("management.cattle.io/project-scoped-secret-copy"), annotation("management.cattle.io/project-scoped-secret-copy"))},
	{"Capsule", anyOf(nameless(label("projectcapsule.dev/created-by")), nameless(label("capsule.clastix.io/resources")))},
}

// copierOf tells whose a copy is.
func copierOf(secret *corev1.Secret) (Owner, bool) {
	for _, one := range copiers {
		if name, copied := one.mark(secret); copied {
			return ownedBy(one.tool, name), true
		}
	}
	return Owner{}, false
}

// ownedBy is a Secret of a tool, with the advice of its row.
func ownedBy(name, what string) Owner {
	owner := Owner{Manager: foreign.Name(strings.TrimSpace(name + " " + what))}
	for _, tool := range tools {
		if tool.name == name {
			owner.Fix = tool.fix
			break
		}
	}
	return owner
}

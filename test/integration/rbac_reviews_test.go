package integration

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// accessReview asks the API server whether somebody may use verbs on a resource, written group/resource[/subresource] with the core
// group as v1. Without a namespace it asks about the whole cluster.
type accessReview struct {
	name      string
	allowed   bool
	resource  string
	verbs     string
	namespace string
}

func testReviews(t *testing.T, c *installation, user string, groups []string, reviews []accessReview) {
	for _, r := range reviews {
		t.Run(r.name, func(t *testing.T) {
			for verb := range strings.FieldsSeq(r.verbs) {
				awaitAPI(t, fmt.Sprintf("%s %s is allowed: %t", verb, r.resource, r.allowed), func() error {
					return askReview(t, c, user, groups, r, verb)
				})
			}
		})
	}
}

func askReview(t *testing.T, c *installation, user string, groups []string, r accessReview, verb string) error {
	parts := append(strings.Split(r.resource, "/"), "")
	group := parts[0]
	if group == "v1" {
		group = ""
	}
	question := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: group, Resource: parts[1], Subresource: parts[2], Verb: verb, Namespace: r.namespace,
		},
	}}
	if err := c.admin.Create(t.Context(), question); err != nil {
		return err
	}
	if question.Status.Allowed != r.allowed {
		return fmt.Errorf("allowed: %t (%s)", question.Status.Allowed, question.Status.Reason)
	}
	return nil
}

func operatorReviews() []accessReview {
	const all = "get list watch create update patch delete deletecollection"
	return []accessReview{
		{"it sees namespaces", true, "v1/namespaces", "get list watch", ""},
		{"it sees what owns pods", true, "apps/replicasets", "get list watch", ""},
		{"it sees StatefulSets", true, "apps/statefulsets", "get list watch", ""},
		{"it sees DaemonSets", true, "apps/daemonsets", "get list watch", ""},
		{"it sees Deployments", true, "apps/deployments", "get list watch", ""},
		{"it sees Jobs", true, "batch/jobs", "get list watch", ""},
		{"it sees ReplicationControllers", true, "v1/replicationcontrollers", "get list watch", ""},
		{"it sees and deletes pods", true, "v1/pods", "get list watch delete", ""},
		{"it writes events", true, "events.k8s.io/events", "create patch", ""},
		{"it sees VaultConnections", true, "regcred.dev/vaultconnections", "get list watch", ""},
		{"it sees RegistryCredentials and sets their finalizer", true, "regcred.dev/registrycredentials", "get list watch patch", ""},
		{"it writes the status of RegistryCredentials", true, "regcred.dev/registrycredentials/status", "update patch", ""},
		{"it writes the status of VaultConnections", true, "regcred.dev/vaultconnections/status", "update patch", ""},
		{"it asks who scrapes its metrics", true, "authentication.k8s.io/tokenreviews", "create", ""},
		{"it asks what they may", true, "authorization.k8s.io/subjectaccessreviews", "create", ""},
		{"it holds a lease in its own namespace", true, "coordination.k8s.io/leases", "get create update", operatorNamespace},

		{"it changes no pod", false, "v1/pods", "create update patch deletecollection", ""},
		{"it evicts no pod", false, "v1/pods/eviction", "create", ""},
		{"it runs nothing in a pod", false, "v1/pods/exec", "get create", ""},
		{"it reads no logs", false, "v1/pods/log", "get", ""},
		{"it changes no namespace", false, "v1/namespaces", "create update patch delete", ""},
		{"it changes no Deployment", false, "apps/deployments", "create update patch delete", ""},
		{"it changes no ReplicaSet", false, "apps/replicasets", "create update patch delete", ""},
		{"it changes no Job", false, "batch/jobs", "create update patch delete", ""},
		{"it does not know nodes", false, "v1/nodes", all, ""},
		{"it knows no ConfigMaps of others", false, "v1/configmaps", all, ""},
		{"it writes no events of the older kind", false, "v1/events", "create patch", operatorNamespace},
		{"it holds no lease of others", false, "coordination.k8s.io/leases", all, "kube-system"},
		{"it makes no tokens of others", false, "v1/serviceaccounts/token", "create", "kube-system"},
		{"it creates and deletes no RegistryCredential", false, "regcred.dev/registrycredentials", "create update delete", ""},
		{"it changes no VaultConnection", false, "regcred.dev/vaultconnections", "create update patch delete", ""},
		{"it cannot widen its role", false, "rbac.authorization.k8s.io/clusterroles", all + " bind escalate", ""},
		{"it cannot bind a role", false, "rbac.authorization.k8s.io/clusterrolebindings", all, ""},
		{"it cannot bind a role in its own namespace", false, "rbac.authorization.k8s.io/rolebindings", all, operatorNamespace},
		{"it cannot take its fence down", false, "admissionregistration.k8s.io/validatingadmissionpolicies", all, ""},
		{"it cannot unbind its fence", false, "admissionregistration.k8s.io/validatingadmissionpolicybindings", all, ""},
		{"it cannot be somebody else", false, "v1/users", "impersonate", ""},
	}
}

func peopleReviews(role string) []accessReview {
	const read, write = "get list watch", "create update patch delete"
	connections, credentials := "regcred.dev/vaultconnections", "regcred.dev/registrycredentials"
	reviews := map[string][]accessReview{
		"regcred-connection-admin": {
			{"reads and writes VaultConnections", true, connections, read + " " + write, ""},
			{"does not write RegistryCredentials", false, credentials, write, ""},
		},
		"regcred-credential-editor": {
			{"reads and writes RegistryCredentials", true, credentials, read + " " + write, ""},
			{"reads VaultConnections", true, connections, read, ""},
			{"does not write VaultConnections", false, connections, write, ""},
		},
		"regcred-viewer": {
			{"reads RegistryCredentials", true, credentials, read, ""},
			{"reads VaultConnections", true, connections, read, ""},
			{"reads the InjectionIndex", true, "regcred.dev/injectionindexes", read, ""},
			{"does not write the InjectionIndex", false, "regcred.dev/injectionindexes", write, ""},
			{"does not write RegistryCredentials", false, credentials, write, ""},
			{"does not write VaultConnections", false, connections, write, ""},
		},
	}
	return append(reviews[role],
		accessReview{"reads no Secret", false, "v1/secrets", read, operatorNamespace},
		accessReview{"writes no status of a RegistryCredential", false, credentials + "/status", "update patch", ""},
		accessReview{"writes no status of a VaultConnection", false, connections + "/status", "update patch", ""},
	)
}

func shippedDeployment(t *testing.T, c *installation) *appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	if err := c.admin.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: v1alpha1.FieldManager}, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// Package supportbundle writes what somebody who helps needs to know of an installation. Nothing is taken over as a whole: each file has the
// fields that are listed here, so that what others put into an object, and fields of later versions, stay out.
package supportbundle

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// Contents are what is written.
type Contents struct {
	Now time.Time
	// Plugin and Server are versions.
	Plugin, Server string
	Facts          checkup.Facts
	Pods           []Pod
	Events         []Event
	// Notes say what could not be read.
	Notes []string
}

// Pod is one of the operator.
type Pod struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"`
	Ready    bool   `json:"ready"`
	Restarts int32  `json:"restarts"`
	// Waiting is why a container waits, Ended why its last run ended.
	Waiting string `json:"waiting,omitempty"`
	Ended   string `json:"ended,omitempty"`
}

// Event is one that the operator wrote.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
}

const readme = `This is a support bundle of regcred, made by: kubectl regcred doctor --support-bundle

It holds the state of the installation: versions, findings, conditions of RegistryCredentials and VaultConnections, the operator's pods
without their logs, its flags as far as these can hold no secret, and its events. It holds names: of namespaces, registries, paths in
Vault and servers. It holds no Secret, no password, no token, no annotation, no value of an environment variable, no parameter of a source.

Logs are not in it. Where they are asked for:
kubectl logs -n NAMESPACE -l app.kubernetes.io/name=regcred --tail=-1
`

// Write writes an archive, in the form tar.gz.
func Write(out io.Writer, c Contents) error {
	compressed := gzip.NewWriter(out)
	archive := tar.NewWriter(compressed)
	add := func(name string, content []byte) error {
		header := &tar.Header{Name: "regcred-support/" + name, Mode: 0o600, Size: int64(len(content)), ModTime: c.Now, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		_, err := archive.Write(content)
		return err
	}
	err := add("README.txt", []byte(readme))
	for _, file := range c.files() {
		content, encodeErr := json.MarshalIndent(file.content, "", "  ")
		err = errors.Join(err, encodeErr, add(file.name, append(content, '\n')))
	}
	return errors.Join(err, archive.Close(), compressed.Close())
}

type file struct {
	name    string
	content any
}

func (c Contents) files() []file {
	return []file{
		{"versions.json", map[string]string{"plugin": c.Plugin, "kubernetes": c.Server, "api": v1alpha1.GroupVersion.String()}},
		{"findings.json", checkup.Findings(c.Facts)},
		{"registrycredentials.json", answerOf(c.Facts.Credentials, c.credential)},
		{"vaultconnections.json", answerOf(c.Facts.Connections, connectionOf)},
		{"deployments.json", answerOf(c.Facts.Deployments, func(d checkup.Deployment) any { return d })},
		{"lease.json", c.Facts.Lease},
		{"pods.json", c.Pods},
		{"events.json", c.Events},
		{"notes.json", c.Notes},
	}
}

// answerOf is a list, or why it is not known.
func answerOf[T any](answer checkup.Answer[[]T], take func(T) any) any {
	if answer.Error != "" {
		return map[string]string{"error": foreign.Message(answer.Error)}
	}
	taken := []any{}
	for _, one := range answer.Value {
		taken = append(taken, take(one))
	}
	return taken
}

// credential is what status shows, and the target.
func (c Contents) credential(object v1alpha1.RegistryCredential) any {
	t := object.Spec.Target
	return struct {
		overview.Detail
		Generation, ObservedGeneration int64
		SecretName                     string
		Namespaces                     []v1alpha1.NamespaceName
		NamespaceSelector              *metav1.LabelSelector
		ExcludedNamespaces             []v1alpha1.NamespaceName
		ServiceAccounts                []string
		Attach                         v1alpha1.AttachMode
		ExistingSecrets                v1alpha1.ExistingSecrets
		Recovery                       v1alpha1.PodRecoveryMode
		Verification                   v1alpha1.VerificationMode
	}{overview.DetailOf(&object, c.Now), object.Generation, object.Status.ObservedGeneration, t.Name(), t.Namespaces, t.NamespaceSelector, t.ExcludedNamespaces,
		t.Accounts(), t.Attachment(), t.Existing(), object.Spec.RecoveryMode(), object.Spec.VerificationMode()}
}

// connectionOf is where a connection leads, by which method it logs in, and what it says of itself.
func connectionOf(object v1alpha1.VaultConnection) any {
	type condition struct {
		Type, Reason, Message string
		Status                metav1.ConditionStatus
		Since                 time.Time
	}
	conditions := []condition{}
	for _, c := range object.Status.Conditions {
		conditions = append(conditions, condition{foreign.Name(c.Type), foreign.Name(c.Reason), foreign.Message(c.Message), c.Status, c.LastTransitionTime.Time})
	}
	return struct {
		Name, Address, VaultNamespace, Login string
		PathPrefixes                         []string
		OwnCA, Proxy                         bool
		ServerVersion                        string
		Conditions                           []condition
	}{foreign.Name(object.Name), foreign.Name(object.Spec.Address), foreign.Name(object.Spec.VaultNamespace), loginOf(&object.Spec.Auth), object.Spec.PathPrefixes,
		object.Spec.TLS != nil, object.Spec.Proxy != nil, foreign.Name(object.Status.ServerVersion), conditions}
}

// loginOf names the method, and nothing else of it.
func loginOf(auth *v1alpha1.VaultAuth) string {
	for name, set := range map[string]bool{"kubernetes": auth.Kubernetes != nil, "jwt": auth.JWT != nil, "appRole": auth.AppRole != nil, "token": auth.Token != nil,
		"cert": auth.Cert != nil, "aws": auth.AWS != nil, "gcp": auth.GCP != nil, "azure": auth.Azure != nil} {
		if set {
			return name
		}
	}
	return "unknown"
}

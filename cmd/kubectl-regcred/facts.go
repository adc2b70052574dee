package main

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podfacts"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// protected namespaces are those that an operator serves by name alone, if nobody told it otherwise. The operator's own is another.
var protected = []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

// facts are what the operator would gather, as far as the caller may read it.
func (l *look) facts(ctx context.Context, pod *corev1.Pod) (diagnosis.Facts, error) {
	f := diagnosis.Facts{Now: l.moment, Pod: pod, Onlooker: true, CredentialsUnread: l.unread}
	s, err := l.around(ctx, pod.Namespace)
	if err != nil {
		return f, err
	}
	f.NamespaceAnnotations = s.namespace.Annotations
	names := l.written()
	for _, ref := range pod.Spec.ImagePullSecrets {
		names = append(names, ref.Name)
	}
	if f.Secrets, err = l.secrets(ctx, s, names); err != nil {
		return f, err
	}
	if f.Account, err = l.account(ctx, s, pod.Spec.ServiceAccountName); err != nil {
		return f, err
	}
	f.Credentials = l.serving(s.namespace, f.Secrets)
	f.Excluding = l.excluding(pod.Namespace)
	f.Protected = slices.Contains(l.protected(), pod.Namespace) && len(f.Credentials) == 0
	f.Owners, _, err = l.owners.Of(ctx, once{l.reader, &l.metadata}, l.reader, pod)
	return f, err
}

// written are the names of the Secrets that regcred writes.
func (l *look) written() []string {
	names := []string{v1alpha1.DefaultSecretName}
	for i := range l.credentials {
		names = append(names, l.credentials[i].Spec.Target.Name())
	}
	return names
}

// diagnose decides, with the pod's events where its status holds no cause.
func (l *look) diagnose(ctx context.Context, f *diagnosis.Facts) (diagnosis.Verdict, error) {
	verdict := diagnosis.Diagnose(*f)
	if !verdict.NeedsEvents {
		return verdict, nil
	}
	var err error
	if f.PullEvents, err = podfacts.PullEvents(ctx, l.reader, f.Pod); err != nil {
		return verdict, err
	}
	f.EventsRead = true
	return diagnosis.Diagnose(*f), nil
}

func (l *look) protected() []string { return append(slices.Clone(protected), l.operator) }

// serving are the RegistryCredentials that serve a namespace. Where they may not be read, the Secrets that regcred wrote tell.
func (l *look) serving(namespace *corev1.Namespace, secrets map[string]diagnosis.Secret) []diagnosis.Credential {
	var serving []diagnosis.Credential
	if l.unread {
		return told(secrets)
	}
	for i := range l.credentials {
		object := &l.credentials[i]
		_, written := secrets[object.Spec.Target.Name()].Sources[object.Name]
		selector, err := target.New(&object.Spec.Target, l.protected())
		if written || err == nil && selector.Selects(namespace.Name, namespace.Labels) {
			serving = append(serving, credentialFacts(object, namespace.Name, l.moment))
		}
	}
	return serving
}

// excluding are the RegistryCredentials that exclude a namespace by name.
func (l *look) excluding(namespace string) []diagnosis.Excluding {
	var excluding []diagnosis.Excluding
	for i := range l.credentials {
		object := &l.credentials[i]
		if slices.Contains(object.Spec.Target.ExcludedNamespaces, v1alpha1.NamespaceName(namespace)) {
			excluding = append(excluding, diagnosis.Excluding{Name: object.Name, Keys: target.Keys(&object.Spec)})
		}
	}
	return excluding
}

// told are the RegistryCredentials that the Secrets of a namespace speak of. Their mode is not known: the default is assumed.
func told(secrets map[string]diagnosis.Secret) []diagnosis.Credential {
	var credentials []diagnosis.Credential
	for name, secret := range secrets {
		for credential, source := range secret.Sources {
			if credential == pullsecret.Adopted {
				continue
			}
			c := diagnosis.Credential{Name: credential, SecretName: name, Mode: v1alpha1.RecoveryRestart, Published: true, Revision: source.Revision, SecretAlone: true}
			for _, key := range source.Keys {
				c.Entries = append(c.Entries, diagnosis.Entry{Key: key})
			}
			credentials = append(credentials, c)
		}
	}
	return credentials
}

// credentialFacts reads what a RegistryCredential says of itself.
func credentialFacts(object *v1alpha1.RegistryCredential, namespace string, now time.Time) diagnosis.Credential {
	c := diagnosis.CredentialOf(object)
	if status := object.Status.Credential; status != nil && status.Revision != "" {
		c.Published, c.Revision = true, status.Revision
		if status.ChangeTime != nil {
			c.ChangeTime = status.ChangeTime.Time
		}
	}
	if object.Status.Namespaces != nil {
		for _, failure := range object.Status.Namespaces.Failures {
			if failure.Namespace == namespace {
				c.Problem = failure.Message
			}
		}
	}
	standing := diagnosis.StandingOf(&object.Status, now)
	for _, key := range target.Keys(&object.Spec) {
		c.Entries = append(c.Entries, standing.Entry(key))
	}
	return c
}

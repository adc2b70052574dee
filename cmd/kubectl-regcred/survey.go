package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/audit"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podlist"
)

// survey reads what an audit rests on, with the rights of whoever calls. Its requests are lists, page by page: their number does not depend
// on how many namespaces there are.
type survey struct {
	reader client.Reader
	pods   *podlist.Lister
	// namespace is the one that is looked at, empty for all.
	namespace, operator string
	now                 func() time.Time

	notes
	mu        sync.Mutex
	places    map[string]*audit.Namespace
	workloads audit.Workloads
	// unread are what may not be listed.
	secretsUnread, accountsUnread bool
}

// facts reads everything.
func (s *survey) facts(ctx context.Context) (*audit.Facts, error) {
	s.places = map[string]*audit.Namespace{}
	f := &audit.Facts{Namespaces: s.places}
	var credentials []*v1alpha1.RegistryCredential
	group, within := errgroup.WithContext(ctx)
	for _, read := range []func(context.Context) error{s.readNamespaces, s.readSecrets, s.readAccounts, s.readWorkloads,
		func(ctx context.Context) (err error) { credentials, err = s.credentials(ctx); return err }} {
		group.Go(func() error { return read(within) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	f.Now, f.Workloads = s.now(), s.workloads.All()
	protectedHere := append(slices.Clone(protected), s.operator)
	for _, credential := range credentials {
		f.Credentials = append(f.Credentials, audit.CredentialOf(credential, protectedHere, f.Now))
	}
	for i := range f.Workloads {
		s.at(f.Workloads[i].Namespace)
	}
	for _, n := range s.places {
		n.SecretsUnread, n.AccountsUnread = s.secretsUnread, s.accountsUnread
	}
	return f, nil
}

// at is what is known of a namespace.
func (s *survey) at(name string) *audit.Namespace {
	if s.places[name] == nil {
		s.places[name] = &audit.Namespace{Labels: map[string]string{corev1.LabelMetadataName: name},
			Secrets: map[string]diagnosis.Secret{}, Accounts: map[string]diagnosis.Account{}}
	}
	return s.places[name]
}

// with changes what is known of a namespace.
func (s *survey) with(name string, change func(*audit.Namespace)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.at(name))
}

// forbidden notes that something may not be listed, and says how it goes on.
func (s *survey) forbidden(err error, what, consequence string) (bool, error) {
	if !apierrors.IsForbidden(err) {
		if err != nil {
			err = fmt.Errorf("list %s: %w", what, err)
		}
		return false, err
	}
	s.note(fmt.Sprintf("You may not list %s %s: %s.", what, s.where(), consequence))
	return true, nil
}

func (s *survey) where() string {
	if s.namespace == "" {
		return "in all namespaces"
	}
	return "in namespace " + s.namespace
}

func (s *survey) readNamespaces(ctx context.Context) error {
	var err error
	visit := func(object client.Object) {
		s.with(object.GetName(), func(n *audit.Namespace) { n.Labels, n.Annotations = object.GetLabels(), object.GetAnnotations() })
	}
	if s.namespace != "" {
		var one corev1.Namespace
		if err = s.reader.Get(ctx, client.ObjectKey{Name: s.namespace}, &one); err == nil {
			visit(&one)
		}
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("there is no namespace %s", s.namespace)
		}
		if apierrors.IsForbidden(err) {
			s.note(fmt.Sprintf("You may not get namespace %s: whether a RegistryCredential selects it by its labels is not known.", s.namespace))
			return nil
		}
	} else {
		err = each(ctx, s.reader, &corev1.NamespaceList{}, othersAtOnce, visit)
	}
	_, err = s.forbidden(err, "namespaces", "whether a RegistryCredential selects one by its labels is not known")
	return err
}

func (s *survey) readSecrets(ctx context.Context) error {
	err := eachPullSecret(ctx, s.reader, s.namespace, func(secret *corev1.Secret) {
		s.with(secret.Namespace, func(n *audit.Namespace) { n.Secrets[secret.Name] = diagnosis.NewSecret(secret) })
	})
	s.secretsUnread, err = s.forbidden(err, "Secrets", "of those that regcred writes, the RegistryCredentials tell what is in them; of others it is not known")
	return err
}

func (s *survey) readAccounts(ctx context.Context) error {
	err := each(ctx, s.reader, &corev1.ServiceAccountList{}, othersAtOnce, func(object client.Object) {
		if account, ok := object.(*corev1.ServiceAccount); ok {
			s.with(account.Namespace, func(n *audit.Namespace) { n.Accounts[account.Name] = diagnosis.NewAccount(account) })
		}
	}, client.InNamespace(s.namespace))
	s.accountsUnread, err = s.forbidden(err, "ServiceAccounts", "which pull Secrets new pods inherit is not known")
	return err
}

// readWorkloads reads templates, and then pods: these belong to them.
func (s *survey) readWorkloads(ctx context.Context) error {
	var left []string // what may not be listed
	cut := 0
	defer func() {
		if len(left) > 0 {
			s.note(fmt.Sprintf("You may not list %s %s: they are left out.", strings.Join(left, ", "), s.where()))
		}
		if cut > 0 {
			s.note(fmt.Sprintf("Of %s with more than %d images or pull Secrets in the template, the first of these are looked at.", countOf(cut, "workload"), audit.MaxListed))
		}
	}()
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &batchv1.CronJobList{}} {
		kind := ""
		err := each(ctx, s.reader, list, othersAtOnce, func(object client.Object) {
			var spec *corev1.PodSpec
			if kind, spec = templateOf(object); spec != nil && s.workloads.AddTemplate(object.GetNamespace(), kind, object.GetName(), spec) {
				cut++
			}
		}, client.InNamespace(s.namespace))
		if apierrors.IsForbidden(err) {
			left = append(left, pluralOf(list))
		} else if err != nil {
			return fmt.Errorf("list %s: %w", pluralOf(list), err)
		}
	}
	err := eachPod(ctx, s.pods, &s.notes, s.namespace, "status.phase!=Succeeded,status.phase!=Failed", func(pod podlist.Pod) bool {
		s.workloads.AddPod(audit.Pod{Namespace: pod.Namespace, Name: pod.Name, OwnerKind: pod.Owner.Kind, OwnerName: pod.Owner.Name, Hash: pod.Hash,
			Account: pod.ServiceAccount, PullSecrets: pod.PullSecrets, Images: pod.Images, NeverPulled: pod.NeverPulled})
		return true
	})
	if apierrors.IsForbidden(err) {
		left = append(left, "pods")
		return nil
	}
	return err
}

// templateOf is the kind of a workload and its pods' spec.
func templateOf(object client.Object) (string, *corev1.PodSpec) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return "Deployment", &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return "StatefulSet", &o.Spec.Template.Spec
	case *appsv1.DaemonSet:
		return "DaemonSet", &o.Spec.Template.Spec
	case *batchv1.CronJob:
		return "CronJob", &o.Spec.JobTemplate.Spec.Template.Spec
	}
	return "", nil
}

func pluralOf(list client.ObjectList) string {
	switch list.(type) {
	case *appsv1.DeploymentList:
		return "Deployments"
	case *appsv1.StatefulSetList:
		return "StatefulSets"
	case *appsv1.DaemonSetList:
		return "DaemonSets"
	}
	return "CronJobs"
}

func (s *survey) credentials(ctx context.Context) ([]*v1alpha1.RegistryCredential, error) {
	var found []*v1alpha1.RegistryCredential
	err := each(ctx, s.reader, &v1alpha1.RegistryCredentialList{}, othersAtOnce, func(object client.Object) {
		if credential, ok := object.(*v1alpha1.RegistryCredential); ok {
			found = append(found, credential)
		}
	})
	switch {
	case apierrors.IsForbidden(err):
		s.note("You may not read RegistryCredentials: whether a registry accepts what is in a pull Secret is not known. The ClusterRole regcred-viewer allows it.")
		return nil, nil
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		s.note("The cluster does not know RegistryCredentials: regcred is not installed.")
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list RegistryCredentials: %w", err)
	}
	return found, nil
}

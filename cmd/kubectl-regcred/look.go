package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/podfacts"
)

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	log.SetLogger(logr.Discard()) // else a line of the log after 30 seconds shows a stack to whoever looks at the terminal
}

// look gathers facts for a diagnosis with the rights of whoever calls.
type look struct {
	reader   client.Reader
	operator string
	now      func() time.Time
	// moment is now, as soon as the API server has answered: the same for all pods.
	moment time.Time

	owners podfacts.Owners
	// metadata is that of owners.
	metadata remembered
	notes

	mu sync.Mutex
	// places are what is known of each namespace, read once.
	places map[string]*surroundings
	// credentials are the RegistryCredentials, nil where they may not be read.
	credentials []v1alpha1.RegistryCredential
	unread      bool
}

// page is how many pods are read at once, parallel how many are looked at.
const (
	page     = 250
	parallel = 32
)

// pod looks at one pod.
func (l *look) pod(ctx context.Context, namespace, name string) (report, error) {
	var pod corev1.Pod
	if err := l.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &pod); err != nil {
		return report{}, fmt.Errorf("read pod %s in namespace %s: %w", name, namespace, err)
	}
	r, err := l.explain(ctx, []corev1.Pod{*diagnosis.View(&pod)}, true)
	if err == nil && l.unread && len(r.Pods) == 1 {
		r.Pods[0].Events, err = l.said(ctx, &pod)
		r.Notes = l.sorted()
	}
	return r, err
}

// said are the operator's own events about a pod: they tell those who may not read RegistryCredentials what it decided.
func (l *look) said(ctx context.Context, pod *corev1.Pod) ([]eventReport, error) {
	events, err := eventsAbout(ctx, l.reader, pod.Namespace, client.MatchingFields{"involvedObject.uid": string(pod.UID), "reportingComponent": reporter})
	if apierrors.IsForbidden(err) {
		l.note("You may not read events in namespace " + pod.Namespace + ": what regcred said about the pod is not known.")
		return nil, nil
	}
	return events, err
}

// stuck looks at all pods of a namespace, or of all with "", that cannot pull.
func (l *look) stuck(ctx context.Context, namespace string) (report, error) {
	stuck, err := l.stuckPods(ctx, namespace)
	if err != nil {
		return report{}, err
	}
	return l.explain(ctx, stuck, false)
}

// stuckPods are those of a namespace, or of all with "", that cannot pull.
func (l *look) stuckPods(ctx context.Context, namespace string, options ...client.ListOption) ([]corev1.Pod, error) {
	var stuck []corev1.Pod
	err := each(ctx, l.reader, &corev1.PodList{}, page, func(object client.Object) {
		if pod, ok := object.(*corev1.Pod); ok && diagnosis.IsStuck(pod) {
			stuck = append(stuck, *diagnosis.View(pod))
		}
	}, append(options, client.InNamespace(namespace))...)
	if err != nil {
		return nil, unlistedPods(err, namespace)
	}
	return stuck, nil
}

// unlistedPods says where pods may not be listed, and where else to look.
func unlistedPods(err error, namespace string) error {
	switch {
	case !apierrors.IsForbidden(err):
		return fmt.Errorf("list pods: %w", err)
	case namespace == "":
		return errors.New("you may not list pods in all namespaces: name one of yours with -n")
	}
	return fmt.Errorf("you may not list pods in namespace %s: name one of yours with -n, or ask for the ClusterRole view there", namespace)
}

func (l *look) explain(ctx context.Context, pods []corev1.Pod, single bool) (report, error) {
	if err := l.readCredentials(ctx); err != nil {
		return report{}, err
	}
	l.moment = l.now()
	if err := l.readOwnerKinds(ctx, pods); err != nil {
		return report{}, err
	}
	if err := l.prefetch(ctx, pods); err != nil {
		return report{}, err
	}
	looked := make([]*podReport, len(pods))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range pods {
		group.Go(func() (err error) {
			looked[i], err = l.explainPod(within, &pods[i])
			if apierrors.IsNotFound(err) && !single {
				return nil // its namespace is gone since it was listed, and so is the pod
			}
			if err != nil {
				err = fmt.Errorf("pod %s in namespace %s: %w", pods[i].Name, pods[i].Namespace, err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return report{}, err
	}
	r := report{single: single, Pods: []podReport{}, Notes: l.sorted()}
	for _, pod := range looked {
		if pod != nil {
			r.Pods = append(r.Pods, *pod)
		}
	}
	return r, nil
}

func (l *look) explainPod(ctx context.Context, pod *corev1.Pod) (*podReport, error) {
	facts, err := l.facts(ctx, pod)
	if err != nil {
		return nil, err
	}
	verdict, err := l.diagnose(ctx, &facts)
	if err != nil {
		return nil, err
	}
	r := newPodReport(facts, verdict)
	return &r, nil
}

// readCredentials reads the RegistryCredentials, once.
func (l *look) readCredentials(ctx context.Context) error {
	var list v1alpha1.RegistryCredentialList
	err := l.reader.List(ctx, &list)
	switch {
	case apierrors.IsForbidden(err):
		l.unread = true
		l.note("You may not read RegistryCredentials: what regcred does is told by the Secrets that it wrote, as far as you may read these. The ClusterRole regcred-viewer allows it.")
		return nil
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		l.note("The cluster does not know RegistryCredentials: regcred is not installed.")
		return nil
	case err != nil:
		return fmt.Errorf("list RegistryCredentials: %w", err)
	}
	l.credentials = list.Items
	return nil
}

// surroundings are what the pods of a namespace have in common.
type surroundings struct {
	once      sync.Once
	err       error
	namespace *corev1.Namespace
	mu        sync.Mutex
	secrets   map[string]diagnosis.Secret
	accounts  map[string]diagnosis.Account
	// secretsRead and accountsRead are how many were read one by one.
	secretsRead, accountsRead int
}

func newSurroundings(namespace *corev1.Namespace) *surroundings {
	return &surroundings{namespace: namespace, secrets: map[string]diagnosis.Secret{}, accounts: map[string]diagnosis.Account{}}
}

// around reads a namespace, once.
func (l *look) around(ctx context.Context, name string) (*surroundings, error) {
	l.mu.Lock()
	if l.places == nil {
		l.places = map[string]*surroundings{}
	}
	if l.places[name] == nil {
		l.places[name] = newSurroundings(&corev1.Namespace{})
	}
	s := l.places[name]
	l.mu.Unlock()
	s.once.Do(func() {
		s.namespace.Name = name
		err := l.reader.Get(ctx, client.ObjectKey{Name: name}, s.namespace)
		if apierrors.IsForbidden(err) {
			l.note("You may not read namespaces: whether a label selects namespace " + name + " is not known.")
			s.namespace.Name, s.namespace.Labels = name, map[string]string{corev1.LabelMetadataName: name}
			err = nil
		}
		s.err = err
	})
	return s, s.err
}

package recovery

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/racedetector"
)

// everyName reads everything of a client.
type everyName struct{ client.Reader }

func (n everyName) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	return n.Reader.Get(ctx, key, into)
}
func (everyName) Each(func(cache.Cache) error) error { return nil }

// podsOf is a cache that reads a client.
type podsOf struct {
	cache.Cache
	client.Reader
}

func (p podsOf) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	return p.Reader.Get(ctx, key, into, options...)
}

func (p podsOf) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return p.Reader.List(ctx, list, options...)
}

// looked is what is looked at: a pod that is stuck in the first of the namespaces, in each of which other pods are stuck, too.
var looked = types.NamespacedName{Namespace: "n-00000", Name: "web"}

// stuckCluster is a cluster of namespaces that hold all values, in each of which a pod is stuck that is as it will stay.
func stuckCluster(t testing.TB, namespaces, credentials int) *Reconciler {
	t.Helper()
	store := records.NewStore(inmemory.Clientset().CoreV1(), "regcred-system", func(string) {})
	board, counter := delivered.NewBoard(func(string) {}), podcounts.New(func(string) {})
	sources := pullsecret.Sources{}
	config := dockerconfig.Config{}
	var objects []client.Object
	for c := range credentials {
		name := fmt.Sprintf("c-%02d", c)
		value, err := dockerconfig.NewCredential("robot", "secret")
		if err != nil {
			t.Fatal(err)
		}
		config[name+".example"] = value
		kept := rotation.Kept{Value: rotation.Value{Config: dockerconfig.Config{name + ".example": value}, Revision: "1", Digest: "d"}}
		if err := store.Save(t.Context(), records.Record{Credential: name, UID: types.UID(name), Kept: kept}); err != nil {
			t.Fatal(err)
		}
		sources[name] = pullsecret.Source{Revision: "1", Digest: "d", Keys: []string{name + ".example"}, Changed: metav1.NewTime(start)}
		object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
		object.Spec.Registries = []v1alpha1.Registry{v1alpha1.Registry(name + ".example")}
		object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
		objects = append(objects, object)
	}
	for i := range namespaces {
		name := fmt.Sprintf("n-%05d", i)
		objects = append(objects, inNamespace(name)...)
		deliveries := map[string]delivered.Delivery{}
		for c := range sources {
			deliveries[c] = delivered.Delivery{Selected: true, Version: delivered.Version{Revision: "1", Digest: "d"}, Generation: 1, Observed: 1}
		}
		board.Post(delivered.Place{Namespace: name, Name: "regcred"}, deliveries)
		counter.Note(types.NamespacedName{Namespace: name, Name: "web"}, "c-00")
	}
	objects = append(objects, besideLooked(sources, config)...)
	cluster := inmemory.Cluster().WithObjects(objects...).Build()
	return &Reconciler{
		Cluster: cluster, Writer: cluster, Pods: podsOf{Reader: cluster}, Secrets: everyName{cluster}, ServiceAccounts: everyName{cluster},
		Store: store, Board: board, Tally: counter, Now: func() time.Time { return start.Add(time.Hour) },
	}
}

// besideLooked are what the look needs beside the pod. Other namespaces have the same, which is never looked at.
func besideLooked(sources pullsecret.Sources, config dockerconfig.Config) []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: "default"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: "regcred", Labels: map[string]string{v1alpha1.ManagedLabel: v1alpha1.ManagedValue},
				Annotations: map[string]string{v1alpha1.SourcesAnnotation: sources.String()}},
			Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: config.Render()},
		},
		&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: looked.Namespace, Name: "web", UID: "set"}},
	}
}

// inNamespace are a namespace and a pod that came after the change and was refused nevertheless: it is left alone.
func inNamespace(name string) []client.Object {
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "shop"}}},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: looked.Name, UID: types.UID("pod of " + name), CreationTimestamp: metav1.NewTime(start.Add(time.Minute)),
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "set", Controller: ptr.To(true)}}},
			Spec: corev1.PodSpec{NodeName: "node", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "regcred"}}, Containers: []corev1.Container{{Name: "web", Image: "c-00.example/web:1"}}},
			Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: `failed to pull image "c-00.example/web:1": 401 Unauthorized`}}}}},
		},
	}
}

func look(t testing.TB, r *Reconciler) {
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: looked}); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkALookAtAStuckPod(b *testing.B) {
	for _, size := range [][2]int{{100, 1}, {100, 50}, {10_000, 1}, {10_000, 50}} {
		b.Run(fmt.Sprintf("%d-namespaces-%d-credentials", size[0], size[1]), func(b *testing.B) {
			r := stuckCluster(b, size[0], size[1])
			b.ReportAllocs()
			for b.Loop() {
				look(b, r)
			}
		})
	}
}

// TestALookCostsTheSameHoweverManyNamespacesThereAre counts allocations, which do not depend on how busy the machine is.
func TestALookCostsTheSameHoweverManyNamespacesThereAre(t *testing.T) {
	racedetector.Skip(t)
	measure := func(namespaces int) float64 {
		r := stuckCluster(t, namespaces, 5)
		look(t, r)
		if r.Tally.Stuck("c-00") == 0 || !r.memories.knows(looked) {
			t.Fatal("the pod was not looked at")
		}
		return testing.AllocsPerRun(50, func() { look(t, r) })
	}
	if few, many := measure(100), measure(10_000); many > few*1.05 {
		t.Errorf("a look at a stuck pod makes %.0f allocations with 100 namespaces, and %.0f with 10,000", few, many)
	}
}

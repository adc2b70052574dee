package credential

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/podcounts"
	"regcred.dev/regcred/internal/records"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/telemetry"
	"regcred.dev/regcred/test/inmemory"
	"regcred.dev/regcred/test/racedetector"
)

// anyName allows all names.
type anyName struct{}

func (anyName) Allowed(string) bool { return true }
func (anyName) Names() []string     { return []string{"regcred"} }

// reporting is a controller whose namespaces are all served, beside a cluster in which a pod is stuck in each, and the first of its
// RegistryCredentials.
func reporting(t testing.TB, namespaces, credentials int) (*Reconciler, *v1alpha1.RegistryCredential) {
	t.Helper()
	now := time.Now()
	kept := inmemory.Clientset()
	kept.PrependReactor("create", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		action.(clienttesting.CreateAction).GetObject().(*corev1.Secret).ResourceVersion = "1" // as a server does
		return false, nil, nil
	})
	store := records.NewStore(kept.CoreV1(), "regcred-system", func(string) {})
	board, counter := delivered.NewBoard(func(string) {}), podcounts.New(func(string) {})
	var objects []client.Object
	var names []string
	for i := range namespaces {
		names = append(names, fmt.Sprintf("n-%05d", i))
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names[i], Labels: map[string]string{"team": "shop"}}})
	}
	var first *v1alpha1.RegistryCredential
	for i := range credentials {
		object := reported(fmt.Sprintf("c-%02d", i))
		if i == 0 {
			first = object
		}
		objects = append(objects, object)
		value, err := dockerconfig.NewCredential("robot", "secret")
		if err != nil {
			t.Fatal(err)
		}
		kept := rotation.Kept{Value: rotation.Value{Config: dockerconfig.Config{"r.example": value}, Revision: "1", Digest: "d", Use: rotation.Use{ChangeTime: now}}}
		if err := store.Save(t.Context(), records.Record{Credential: object.Name, UID: object.UID, Kept: kept}); err != nil {
			t.Fatal(err)
		}
		board.Select(object.Name, "regcred", 1, names)
	}
	for i, name := range names {
		deliveries := map[string]delivered.Delivery{}
		for c := range credentials {
			deliveries[fmt.Sprintf("c-%02d", c)] = delivered.Delivery{Selected: true, Version: delivered.Version{Revision: "1", Digest: "d"}, Generation: 1, Observed: 1}
		}
		board.Post(delivered.Place{Namespace: name, Name: "regcred"}, deliveries)
		counter.Note(types.NamespacedName{Namespace: name, Name: "web"}, fmt.Sprintf("c-%02d", i%credentials))
	}
	cluster := inmemory.Cluster().WithObjects(objects...).WithStatusSubresource(&v1alpha1.RegistryCredential{}).
		WithIndex(&v1alpha1.RegistryCredential{}, placeField, placesIn).Build()
	return &Reconciler{
		Client: cluster, Live: cluster, Store: store, Board: board, Pods: counter, Secrets: anyName{}, ServiceAccounts: anyName{}, Events: announce.Recorder{},
		Removal: func(context.Context, *v1alpha1.RegistryCredential) (delivered.Removal, error) {
			return delivered.Removal{}, nil
		},
		Metrics: telemetry.New(prometheus.NewRegistry()), Now: func() time.Time { return now },
	}, first
}

func reported(name string) *v1alpha1.RegistryCredential {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	object.Spec.Registries = []v1alpha1.Registry{"r.example"}
	object.Spec.Source.Vault = &v1alpha1.VaultSource{Mount: "secret", Path: "x"}
	object.Spec.Verification = &v1alpha1.Verification{Mode: v1alpha1.VerifyDisabled}
	object.Spec.Target.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	return object
}

// reportOf returns what writes the status of a RegistryCredential from its facts, again and again: each time a pod began or ceased to hang.
func reportOf(t testing.TB, namespaces, credentials int) func() {
	t.Helper()
	r, object := reporting(t, namespaces, credentials)
	turn := 0
	return func() {
		if turn++; turn%2 == 0 {
			r.Pods.Note(types.NamespacedName{Namespace: "n-00000", Name: "other"}, object.Name)
		} else {
			r.Pods.Note(types.NamespacedName{Namespace: "n-00000", Name: "other"})
		}
		run := r.begin(object)
		run.memory.seen, run.memory.statusTime = time.Time{}, time.Time{} // long ago
		if _, err := r.report(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkAReport(b *testing.B) {
	for _, size := range [][2]int{{100, 1}, {100, 50}, {10_000, 1}, {10_000, 50}} {
		b.Run(fmt.Sprintf("%d-namespaces-%d-credentials", size[0], size[1]), func(b *testing.B) {
			report := reportOf(b, size[0], size[1])
			b.ReportAllocs()
			for b.Loop() {
				report()
			}
		})
	}
}

// TestAReportCostsTheSameHoweverManyNamespacesThereAre counts allocations, which do not depend on how busy the machine is.
func TestAReportCostsTheSameHoweverManyNamespacesThereAre(t *testing.T) {
	racedetector.Skip(t)
	few, many := testing.AllocsPerRun(50, reportOf(t, 100, 5)), testing.AllocsPerRun(50, reportOf(t, 10_000, 5))
	if many > few*1.05 {
		t.Errorf("a report makes %.0f allocations with 100 namespaces, and %.0f with 10,000", few, many)
	}
}

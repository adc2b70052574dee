package integration

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/box"
)

// TestRotationIsCompleteOnceTheOldPasswordIsRefused rotates in the two ways in which people do: the old password ends with the new
// one, and the old account lives on until somebody revokes it.
func TestRotationIsCompleteOnceTheOldPasswordIsRefused(t *testing.T) {
	t.Parallel()
	r, namespaces, watched := rotationRun(t, 120)
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonFirstValue))
	r.rotate(t, "second")
	awaitWithin(t, 50*time.Second, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionTrue, v1alpha1.ReasonOldRefused))
	if err := r.registry.SetUser(t.Context(), box.User{Name: "robot-2", Password: "third", Pull: []string{""}}); err != nil {
		t.Fatal(err)
	}
	r.setVaultAs(t, "robot-2", "third")
	awaitWithin(t, 50*time.Second, r.condition(v1alpha1.ConditionRotationComplete, metav1.ConditionFalse, v1alpha1.ReasonOldAccepted))
	watched.only(t, namespaces, "first", "second", "third")
}

// TestARefreshThatIsRequestedIsAnswered, and the schedule is seen in metrics while nothing is written.
func TestARefreshThatIsRequestedIsAnswered(t *testing.T) {
	t.Parallel()
	r := startOperatorRun(t)
	address := freeAddress(t)
	r.flags = []string{"--metrics-bind-address=" + address, "--metrics-insecure"}
	namespaces := r.makeNamespaces(t, 1)
	r.rotate(t, "first")
	r.start(t)
	r.applyCredential(t)
	awaitAPI(t, "the namespace is served", func() error { return r.allHold(t.Context(), namespaces, "first") })
	awaitWithin(t, 20*time.Second, r.condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded))
	r.requestRefresh(t, "now")
	awaitWithin(t, 10*time.Second, r.handled("now"))

	before := r.credential(t).ResourceVersion
	first := scheduleOf(t, address)
	for _, what := range []string{"last_read", "next_read", "last_asked", "next_asked"} {
		if first[what] == "" {
			t.Errorf("the metric says nothing of %s: %v", what, first)
		}
	}
	awaitWithin(t, 20*time.Second, func(context.Context) error {
		if now := scheduleOf(t, address); now["last_read"] == first["last_read"] || now["next_read"] == first["next_read"] {
			return fmt.Errorf("the metric stands still: %v", now)
		}
		return nil
	})
	if after := r.credential(t).ResourceVersion; after != before {
		t.Errorf("the status was written to say when the source was read: %s became %s", before, after)
	}
}

func (r *operatorRun) credential(t *testing.T) *v1alpha1.RegistryCredential {
	t.Helper()
	var object v1alpha1.RegistryCredential
	if err := r.admin.Get(t.Context(), client.ObjectKey{Name: "company"}, &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

func (r *operatorRun) requestRefresh(t *testing.T, request string) {
	t.Helper()
	object := r.credential(t)
	before := object.DeepCopy()
	if object.Annotations == nil {
		object.Annotations = map[string]string{}
	}
	object.Annotations[v1alpha1.RefreshRequestedAtAnnotation] = request
	if err := r.admin.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// handled waits until a request for a refresh is answered.
func (r *operatorRun) handled(request string) func(context.Context) error {
	return func(ctx context.Context) error {
		var object v1alpha1.RegistryCredential
		if err := r.admin.Get(ctx, client.ObjectKey{Name: "company"}, &object); err != nil {
			return err
		}
		if object.Status.LastHandledRefresh != request {
			return fmt.Errorf("status.lastHandledRefresh is %q, want %q", object.Status.LastHandledRefresh, request)
		}
		return nil
	}
}

// scheduleOf reads the metric of the schedule, by its label what.
func scheduleOf(t *testing.T, address string) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	schedule := map[string]string{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		if strings.HasPrefix(series, "regcred_credential_schedule_timestamp_seconds{") && strings.Contains(series, `credential="company"`) {
			_, what, _ := strings.Cut(series, `what="`)
			schedule[strings.TrimSuffix(what, `"`)] = value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return schedule
}

package integration

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestNamespaceLabelsBelongToThePlatformTeam applies config/namespace-labels beside everything else.
func TestNamespaceLabelsBelongToThePlatformTeam(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	c.kubectl(t, "apply", "-k", configFolder("namespace-labels"))
	c.kubectl(t, "create", "clusterrolebinding", "people", "--clusterrole=cluster-admin", "--user=tenant", "--user=platform")
	as := func(user string, groups ...string) *rest.Config {
		config := rest.CopyConfig(c.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
		return config
	}
	// What the API server lets through before it knows the policy must change nothing, or the next attempt would have nothing to do.
	tenant, platform := client.NewDryRunClient(newAPIClient(t, as("tenant"))), newAPIClient(t, as("platform", "platform-team"))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace(t)}}
	choose, leave := doPatch(`{"metadata":{"labels":{"regcred.dev/company-registry":"enabled"}}}`), doPatch(`{"metadata":{"labels":{"regcred.dev/company-registry":null}}}`)
	refused := func(err error) error {
		if err == nil || !strings.Contains(err.Error(), "regcred-namespace-labels") {
			return errors.Join(errors.New("it is not refused by the policy"), err)
		}
		return nil
	}
	awaitAPI(t, "a tenant may not choose", func() error { return refused(choose(t.Context(), tenant, namespace.DeepCopy())) })
	awaitAPI(t, "the platform team may", func() error { return choose(t.Context(), platform, namespace.DeepCopy()) })
	awaitAPI(t, "a tenant may not leave", func() error { return refused(leave(t.Context(), tenant, namespace.DeepCopy())) })
	awaitAPI(t, "a tenant may not bring the label along", func() error {
		return refused(tenant.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mine", Labels: map[string]string{"regcred.dev/company-registry": "enabled"}}}))
	})
	awaitAPI(t, "a tenant may set other labels", func() error {
		return doPatch(`{"metadata":{"labels":{"team":"shop"}}}`)(t.Context(), tenant, namespace.DeepCopy())
	})
}

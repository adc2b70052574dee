package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"regcred.dev/regcred/internal/metricsaccess"
)

// testScrapers asks for the metrics with tokens of ServiceAccounts. The operator asks the API server about them with the rights that it is
// shipped with.
func testScrapers(t *testing.T, c *installation) {
	config := c.withToken(t)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := metricsaccess.Filter(config, client)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := filter(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	namespace := c.namespace(t)
	for _, name := range []string{"prometheus", "somebody"} {
		if err := c.admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test-scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "regcred-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "prometheus"}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		name, path, token string
		want              int
	}{
		{"a scraper", "/metrics", c.withTokenOf(t, namespace, "prometheus").BearerToken, http.StatusOK},
		{"a scraper at another path", "/debug", c.withTokenOf(t, namespace, "prometheus").BearerToken, http.StatusForbidden},
		{"a ServiceAccount without the role", "/metrics", c.withTokenOf(t, namespace, "somebody").BearerToken, http.StatusForbidden},
		{"a token that the API server did not issue", "/metrics", "e30.e30.e30", http.StatusUnauthorized},
	} {
		t.Run(one.name, func(t *testing.T) {
			awaitAPI(t, fmt.Sprintf("status %d", one.want), func() error {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+one.path, nil)
				if err != nil {
					return err
				}
				request.Header.Set("Authorization", "Bearer "+one.token)
				response, err := server.Client().Do(request)
				if err != nil {
					return err
				}
				if err := response.Body.Close(); err != nil {
					return err
				}
				if response.StatusCode != one.want {
					return fmt.Errorf("status %d", response.StatusCode)
				}
				return nil
			})
		})
	}
}

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestOperatorRole uses the operator's own token, with the rights that are shipped and no others.
func TestOperatorRole(t *testing.T) {
	t.Parallel()
	c := startInstallation(t)
	operator := newAPIClient(t, c.withToken(t))
	awaitAPI(t, "the operator has its role", func() error {
		return operator.List(t.Context(), &corev1.SecretList{}, byName(v1alpha1.DefaultSecretName))
	})
	t.Run("Secrets", func(t *testing.T) { testSecretRights(t, c, operator) })
	t.Run("ServiceAccounts", func(t *testing.T) { testServiceAccountRights(t, c, operator) })
	t.Run("the operator's own namespace", func(t *testing.T) { testOwnNamespaceRights(t, c, operator) })
	t.Run("everything else", func(t *testing.T) { testReviews(t, c, operatorUser, operatorGroups(), operatorReviews()) })
	t.Run("people", func(t *testing.T) { testPeople(t, c) })
	t.Run("scrapers of the metrics", func(t *testing.T) { testScrapers(t, c) })
	t.Run("the operator's pod is admitted where Pod Security is restricted", func(t *testing.T) { testManagerPod(t, c) })
	t.Run("it patches pods only with config/repull", func(t *testing.T) {
		c.kubectl(t, "apply", "-k", configFolder("repull"))
		testReviews(t, c, operatorUser, operatorGroups(), []accessReview{
			{"it patches pods", true, "v1/pods", "patch", ""},
			{"it still creates and updates none", false, "v1/pods", "create update", ""},
		})
	})
	t.Run("it creates pods only with config/successor", func(t *testing.T) {
		c.kubectl(t, "apply", "-k", configFolder("successor"))
		testReviews(t, c, operatorUser, operatorGroups(), []accessReview{
			{"it creates pods", true, "v1/pods", "create", ""},
			{"it still updates none", false, "v1/pods", "update", ""},
		})
	})
	t.Run("the API server takes the samples", func(t *testing.T) {
		c.kubectl(t, "apply", "--dry-run=server", "-k", configFolder("samples"))
	})
	t.Run("the API server takes the network policy", func(t *testing.T) {
		c.kubectl(t, "apply", "--dry-run=server", "-k", configFolder("network-policy"))
	})
}

// byName is the field selector that RBAC reads a name from.
func byName(name string) client.ListOption {
	return client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name)}
}

// roleRequest is one request of the operator, and whether its role allows it.
type roleRequest struct {
	name    string
	allowed bool
	send    func(ctx context.Context) error
}

func testRequests(t *testing.T, requests []roleRequest) {
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			err := r.send(t.Context())
			if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "WatchList") {
				t.Skip("this API server streams no lists: informers ask for plain ones")
			}
			if r.allowed && err != nil {
				t.Errorf("must be allowed, and is not: %v", err)
			}
			if !r.allowed && !apierrors.IsForbidden(err) {
				t.Errorf("must be forbidden, and the answer is: %v", err)
			}
		})
	}
}

func testSecretRights(t *testing.T, c *installation, operator client.WithWatch) {
	shop, bank := c.namespace(t), c.namespace(t)
	other := pullSecret(func(s *corev1.Secret) { s.Namespace, s.Name = shop, "database" })
	if err := c.admin.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	mine := func(namespace string) *corev1.Secret {
		return pullSecret(func(s *corev1.Secret) { s.Namespace = namespace })
	}
	renamed := func(namespace string) *corev1.Secret {
		return pullSecret(func(s *corev1.Secret) { s.Namespace, s.Name = namespace, "another" })
	}
	list := func(options ...client.ListOption) func(context.Context) error {
		return func(ctx context.Context) error { return operator.List(ctx, &corev1.SecretList{}, options...) }
	}
	stream := func(options ...client.ListOption) func(context.Context) error {
		return func(ctx context.Context) error { return firstEvent(ctx, operator, &corev1.SecretList{}, options...) }
	}
	testRequests(t, []roleRequest{
		// In this order: the first makes the Secret that the others use.
		{"apply of the listed name creates it", true, func(ctx context.Context) error { return doApplyOnce(ctx, operator, mine(shop)) }},
		{"get of the listed name", true, func(ctx context.Context) error {
			return operator.Get(ctx, client.ObjectKeyFromObject(mine(shop)), &corev1.Secret{})
		}},
		{"list of the listed name in the whole cluster", true, list(byName("regcred"))},
		{"list of the listed name in one namespace", true, list(byName("regcred"), client.InNamespace(shop))},
		{"watch of the listed name in the whole cluster", true, stream(byName("regcred"))},
		{"a streamed list of the listed name, as informers ask for it", true, stream(byName("regcred"), streamed())},
		{"update of the listed name", true, func(ctx context.Context) error {
			secret := &corev1.Secret{}
			if err := operator.Get(ctx, client.ObjectKeyFromObject(mine(shop)), secret); err != nil {
				return err
			}
			return doUpdate(ctx, operator, secret)
		}},
		{"removal of the listed name", true, func(ctx context.Context) error { return operator.Delete(ctx, mine(shop)) }},

		{"POST, which names no Secret before it is made", false, func(ctx context.Context) error { return operator.Create(ctx, mine(bank)) }},
		{"POST of another name", false, func(ctx context.Context) error { return operator.Create(ctx, renamed(bank)) }},
		{"apply of another name", false, func(ctx context.Context) error { return doApplyOnce(ctx, operator, renamed(bank)) }},
		{"get of another name", false, func(ctx context.Context) error {
			return operator.Get(ctx, client.ObjectKeyFromObject(other), &corev1.Secret{})
		}},
		{"update of another name", false, func(ctx context.Context) error { return operator.Update(ctx, other.DeepCopy()) }},
		{"patch of another name", false, func(ctx context.Context) error { return doPatch(`{"data":null}`)(ctx, operator, other.DeepCopy()) }},
		{"removal of another name", false, func(ctx context.Context) error { return operator.Delete(ctx, other.DeepCopy()) }},
		{"removal of all Secrets of a namespace", false, func(ctx context.Context) error { return doDeleteAll(ctx, operator, other.DeepCopy()) }},
		{"removal of all Secrets of the listed name in a namespace", false, func(ctx context.Context) error {
			return operator.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(shop), client.MatchingFields{"metadata.name": "regcred"})
		}},
		{"list of all Secrets", false, list()},
		{"list of all Secrets of a namespace", false, list(client.InNamespace(shop))},
		{"list of another name", false, list(byName("database"))},
		{"list by regcred's label", false, list(client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue})},
		{"list of every name but the listed one", false, list(client.MatchingFieldsSelector{Selector: fields.OneTermNotEqualSelector("metadata.name", "regcred")})},
		{"list by type", false, list(client.MatchingFields{"type": string(corev1.SecretTypeDockerConfigJson)})},
		{"watch of all Secrets", false, stream()},
		{"watch of another name", false, stream(byName("database"))},
		{"watch by label", false, stream(client.MatchingLabelsSelector{Selector: labels.Everything()})},
		{"a streamed list of all Secrets", false, stream(streamed())},
	})
}

// streamed asks for the objects that there are as events before the others: how informers list.
func streamed() client.ListOption {
	return &client.ListOptions{Raw: &metav1.ListOptions{
		SendInitialEvents: ptr.To(true), AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}}
}

// firstEvent opens a watch and returns when its first event is there, or the answer that refuses it.
func firstEvent(ctx context.Context, operator client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	w, err := operator.Watch(ctx, list, options...)
	if err != nil {
		return err
	}
	defer w.Stop()
	select {
	case event, open := <-w.ResultChan():
		if !open || event.Type == watch.Error {
			return fmt.Errorf("the watch ended: %v", event.Object)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func testServiceAccountRights(t *testing.T, c *installation, operator client.WithWatch) {
	shop := c.namespace(t)
	mine, builder := defaultAccount("theirs"), defaultAccount()
	mine.Namespace, builder.Namespace, builder.Name = shop, shop, "builder"
	for _, a := range []*corev1.ServiceAccount{mine, builder} {
		if err := c.admin.Create(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	list := func(options ...client.ListOption) func(context.Context) error {
		return func(ctx context.Context) error { return operator.List(ctx, &corev1.ServiceAccountList{}, options...) }
	}
	stream := func(options ...client.ListOption) func(context.Context) error {
		return func(ctx context.Context) error {
			return firstEvent(ctx, operator, &corev1.ServiceAccountList{}, options...)
		}
	}
	attach := doPatch(`{"imagePullSecrets":[{"name":"theirs"},{"name":"regcred"}]}`)
	testRequests(t, []roleRequest{
		{"get of the listed name", true, func(ctx context.Context) error {
			return operator.Get(ctx, client.ObjectKeyFromObject(mine), &corev1.ServiceAccount{})
		}},
		{"list of the listed name in the whole cluster", true, list(byName("default"))},
		{"watch of the listed name in the whole cluster", true, stream(byName("default"))},
		{"a streamed list of the listed name, as informers ask for it", true, stream(byName("default"), streamed())},
		{"patch of the listed name", true, func(ctx context.Context) error { return attach(ctx, operator, mine.DeepCopy()) }},

		{"update of the listed name", false, func(ctx context.Context) error { return operator.Update(ctx, mine.DeepCopy()) }},
		{"removal of the listed name", false, func(ctx context.Context) error { return operator.Delete(ctx, mine.DeepCopy()) }},
		{"creation of the listed name", false, func(ctx context.Context) error { return operator.Create(ctx, mine.DeepCopy()) }},
		{"get of another name", false, func(ctx context.Context) error {
			return operator.Get(ctx, client.ObjectKeyFromObject(builder), &corev1.ServiceAccount{})
		}},
		{"patch of another name", false, func(ctx context.Context) error { return attach(ctx, operator, builder.DeepCopy()) }},
		{"list of all ServiceAccounts", false, list()},
		{"list of another name", false, list(byName("builder"))},
		{"watch of all ServiceAccounts", false, stream()},
		{"a token of the listed name", false, func(ctx context.Context) error { return requestToken(ctx, operator, shop, "default") }},
	})
}

func requestToken(ctx context.Context, operator client.Client, namespace, name string) error {
	at := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	return operator.SubResource("token").Create(ctx, at, &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{"vault"}, ExpirationSeconds: ptr.To(int64(600)),
	}})
}

func testOwnNamespaceRights(t *testing.T, c *installation, operator client.WithWatch) {
	kept := publishedRecord(func(s *corev1.Secret) { s.Namespace = operatorNamespace })
	testRequests(t, []roleRequest{
		{"POST of a Secret", true, func(ctx context.Context) error { return operator.Create(ctx, kept) }},
		{"list of all Secrets", true, func(ctx context.Context) error {
			return operator.List(ctx, &corev1.SecretList{}, client.InNamespace(operatorNamespace))
		}},
		{"update of a Secret", true, func(ctx context.Context) error { return operator.Update(ctx, kept) }},
		{"removal of a Secret", true, func(ctx context.Context) error { return operator.Delete(ctx, kept) }},
		{"list of ConfigMaps", true, func(ctx context.Context) error {
			return operator.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(operatorNamespace))
		}},
		{"a token of the identity that logs in to Vault", true, func(ctx context.Context) error {
			return requestToken(ctx, operator, operatorNamespace, "regcred-vault")
		}},
		{"a token of the operator itself", false, func(ctx context.Context) error {
			return requestToken(ctx, operator, operatorNamespace, operatorName)
		}},
		{"a token of its namesake in another namespace", false, func(ctx context.Context) error {
			return requestToken(ctx, operator, c.namespace(t), "regcred-vault")
		}},
	})
}

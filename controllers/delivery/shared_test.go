package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
)

// sharing gives objects as the caches by name do: what they point to is shared with the cache. It remembers how each was.
type sharing struct {
	everyName
	given *[][2]client.Object
}

func (s sharing) Get(ctx context.Context, key client.ObjectKey, into client.Object) error {
	if err := s.everyName.Get(ctx, key, into); err != nil {
		return err
	}
	s.remember(into)
	return nil
}

func (s sharing) List(ctx context.Context, namespace string, into client.ObjectList, visit func()) error {
	return s.everyName.List(ctx, namespace, into, func() {
		switch list := into.(type) {
		case *corev1.SecretList:
			for i := range list.Items {
				s.remember(&list.Items[i])
			}
		case *corev1.ServiceAccountList:
			for i := range list.Items {
				s.remember(&list.Items[i])
			}
		}
		visit()
	})
}

// remember keeps an object that shares with the one that is given, and a copy of it.
func (s sharing) remember(object client.Object) {
	var shared client.Object
	switch one := object.(type) {
	case *corev1.Secret:
		copied := *one
		shared = &copied
	case *corev1.ServiceAccount:
		copied := *one
		shared = &copied
	}
	*s.given = append(*s.given, [2]client.Object{shared, shared.DeepCopyObject().(client.Object)})
}

// answering decodes the answer to a write into the object that was given, with the maps that it has, as a client of an API server does.
func answering(c client.Client) client.Client {
	answer := func(object client.Object, write func(client.Object) error) error {
		written := object.DeepCopyObject().(client.Object)
		if err := write(written); err != nil {
			return err
		}
		content, err := json.Marshal(written)
		return errors.Join(err, json.Unmarshal(content, object))
	}
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return answer(object, func(written client.Object) error { return c.Update(ctx, written, options...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return answer(object, func(written client.Object) error { return c.Patch(ctx, written, patch, options...) })
		},
	})
}

// TestNoObjectOfACacheIsChanged goes through all that is written: nobody else would get back what was changed in a cache.
func TestNoObjectOfACacheIsChanged(t *testing.T) {
	g := newRig(t, 3, credential("company", "r.example"))
	var given [][2]client.Object
	g.r.Secrets, g.r.ServiceAccounts = sharing{everyName{g.c}, &given}, sharing{everyName{g.c}, &given}
	g.r.Writer = answering(g.c)
	theirs := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n-00002", Name: "regcred", Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}},
		Type:       corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"other.example":{"auth":"dTpw"}}}`)},
	}
	if err := g.c.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"Secrets are made and attached", func() { g.publish(record(t, "company", "1", "before", "r.example")) }},
		{"a rotation", func() { g.publish(record(t, "company", "2", "after", "r.example")) }},
		{"one is taken over, and labels are wanted", func() {
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt
				c.Spec.Target.SecretLabels = map[string]v1alpha1.LabelValue{"team": "shop"}
			})
		}},
		{"somebody adds a pull secret of his own", func() {
			var account corev1.ServiceAccount
			if err := g.c.Get(t.Context(), client.ObjectKey{Namespace: "n-00001", Name: "default"}, &account); err != nil {
				t.Fatal(err)
			}
			account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: "theirs"})
			if err := g.c.Update(t.Context(), &account); err != nil {
				t.Fatal(err)
			}
		}},
		{"a namespace is given up", func() {
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Target.ExcludedNamespaces = []v1alpha1.NamespaceName{"n-00001"}
			})
		}},
		{"what is removed is decided", func() { g.now = g.now.Add(settleAtMost) }},
		{"the labels are taken off", func() { g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretLabels = nil }) }},
	} {
		step.do()
		g.all(3)
		for _, pair := range given {
			if !equality.Semantic.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %T %s/%s of the cache was changed", step.name, pair[0], pair[0].GetNamespace(), pair[0].GetName())
			}
		}
	}
	if g.secret("n-00001") != nil || g.secret("n-00002").Labels[v1alpha1.ManagedLabel] != v1alpha1.ManagedValue || len(given) < 30 {
		t.Errorf("not all was done: %d objects were read, %v", len(given), g.secret("n-00001"))
	}
}

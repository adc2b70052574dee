package delivery

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
)

// A Secret that cannot be updated is deleted and created again. Once it is gone nobody knows any more that a RegistryCredential that does not select the
// namespace had entries there, which were to stay.
func TestAnEntryThatStaysIsNotDeletedWithASecretThatCannotBeUpdated(t *testing.T) {
	const namespaces = 10
	for why, stays := range map[string]func(*rig){
		"its removal waits for a person": func(g *rig) { g.waiting(namespaces) },
		"its selector cannot be read": func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) {
				c.Spec.Target.NamespaceSelector.MatchLabels = map[string]string{"no label/": "shop"}
			})
		},
		"the Secret of another name is not there yet": func(g *rig) {
			g.edit(func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretName = "another" })
		},
	} {
		for outcome, fails := range map[string]bool{"the creation fails": true, "the creation does not fail": false} {
			t.Run(why+", and "+outcome, func(t *testing.T) {
				g := besides(t, namespaces)
				stays(g)
				immutable := g.secret("n-00000")
				immutable.Immutable = ptr.To(true)
				if err := g.c.Update(t.Context(), immutable); err != nil {
					t.Fatal(err)
				}
				g.r.Writer = interceptor.NewClient(g.c.(client.WithWatch), interceptor.Funcs{
					Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
						if fails {
							return errAway
						}
						return c.Apply(ctx, object, options...)
					},
					Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
						g.r.ledger.drop(object.(*corev1.Secret)) // as the watch tells
						return c.Delete(ctx, object, options...)
					},
				})
				g.publish(record(t, "other", "2-x", "new", "other.example"))
				_, _ = g.reconcile("n-00000")
				g.now, fails = g.now.Add(time.Minute), false
				_, _ = g.reconcile("n-00000")
				g.restart()
				for range 3 {
					_, _ = g.reconcile("n-00000")
					g.now = g.now.Add(time.Minute)
				}
				if !g.has(0, `"r.example"`) {
					t.Error("the entry that was to stay is gone")
				}
				known, _ := g.r.Board.At(inFirst("regcred")[0], "other")
				if known.Reason != v1alpha1.ReasonForeignSecret || !strings.Contains(known.Message, "immutable") {
					t.Errorf("of the other RegistryCredential, which cannot be served, is told: %+v", known)
				}
				if err := g.c.Delete(t.Context(), g.secret("n-00000")); err != nil {
					t.Fatal(err)
				}
				if _, err := g.reconcile("n-00000"); err != nil || !g.has(0, `"password":"new"`) {
					t.Errorf("a person deleted it, and it is not made again: %v", err)
				}
			})
		}
	}
}

package laststatus_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/laststatus"
	"regcred.dev/regcred/test/inmemory"
)

func connection(uid types.UID) *v1alpha1.VaultConnection {
	return &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{Name: "vault", UID: uid, Generation: 1}}
}

func TestAStatusIsOfTheObjectThatWasLookedAt(t *testing.T) {
	for _, test := range []struct {
		name    string
		there   types.UID
		version string
		fails   bool
	}{
		{"it is still there", "one", "1.21", false},
		{"it was deleted and created again", "another", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			_ = v1alpha1.AddToScheme(scheme)
			c := inmemory.ClusterOf(scheme).WithObjects(connection(test.there)).WithStatusSubresource(&v1alpha1.VaultConnection{}).Build()
			before, object := connection("one"), connection("one")
			object.Status.ServerVersion = "1.21"
			if err := laststatus.Write(t.Context(), c, object, before); (err != nil) != test.fails {
				t.Errorf("it gives: %v", err)
			}
			var now v1alpha1.VaultConnection
			if err := c.Get(t.Context(), client.ObjectKey{Name: "vault"}, &now); err != nil || now.Status.ServerVersion != test.version {
				t.Errorf("its status is %+v, %v", now.Status, err)
			}
		})
	}
	t.Run("it is gone", func(t *testing.T) {
		scheme := runtime.NewScheme()
		_ = v1alpha1.AddToScheme(scheme)
		object := connection("one")
		object.Status.ServerVersion = "1.21"
		if err := laststatus.Write(t.Context(), inmemory.ClusterOf(scheme).Build(), object, connection("one")); client.IgnoreNotFound(err) != nil || err == nil {
			t.Errorf("it gives: %v", err)
		}
	})
}

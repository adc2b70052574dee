package watchdog

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/go-logr/logr"
)

type place struct{ namespace, secret string }

func (p place) LogValues() []any { return []any{"namespace", p.namespace, "secret", p.secret} }

func TestEveryLineAboutARequestNamesIt(t *testing.T) {
	before := ctrl.Log
	t.Cleanup(func() { ctrl.Log = before })
	line := func(log func() logr.Logger) map[string]any {
		var out bytes.Buffer
		ctrl.Log = zap.New(zap.WriteTo(&out), zap.JSONEncoder(func(c *zapcore.EncoderConfig) { c.TimeKey, c.LevelKey = "", "" }))
		log().Info("did something")
		said := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	for _, test := range []struct {
		name string
		log  func() logr.Logger
		want map[string]any
	}{
		{"a place", func() logr.Logger { return loggerFor[place]("delivery")(&place{"shop", "regcred"}) }, map[string]any{"namespace": "shop", "secret": "regcred"}},
		{"an object", func() logr.Logger {
			return loggerFor[reconcile.Request]("delivery")(&reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web"}})
		}, map[string]any{"namespace": "shop", "name": "web"}},
		{"an object of the cluster", func() logr.Logger {
			return loggerFor[reconcile.Request]("delivery")(&reconcile.Request{NamespacedName: types.NamespacedName{Name: "company"}})
		}, map[string]any{"name": "company"}},
		{"something without a name", func() logr.Logger { return loggerFor[string]("delivery")(new(string)) }, map[string]any{"request": ""}},
		{"with values that were added one after the other", func() logr.Logger {
			return loggerFor[place]("delivery")(&place{"shop", "regcred"}).WithValues("one", "1").WithName("x").WithValues("other", "2")
		}, map[string]any{"namespace": "shop", "secret": "regcred", "one": "1", "other": "2", "logger": "x"}},
		{"nothing", func() logr.Logger { return loggerFor[place]("delivery")(nil) }, map[string]any{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want["controller"], test.want["msg"] = "delivery", "did something"
			if diff := cmp.Diff(test.want, line(test.log)); diff != "" {
				t.Errorf("wanted (-) and said (+):\n%s", diff)
			}
		})
	}
}

package recovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestALookAtRunningPodsThatFailedIsTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, fails := 0, 2
		writer := crfake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				if looks++; looks <= fails {
					return errors.New("the API server is busy")
				}
				return nil
			},
		}).Build()
		r := &Reconciler{Writer: writer}
		r.scheduleLook(t.Context(), nil)
		r.scheduleLook(t.Context(), nil) // one look serves all changes of its time
		for i, after := range []time.Duration{settle, tryLookAgain, tryLookAgain} {
			time.Sleep(after)
			synctest.Wait()
			if looks != i+1 {
				t.Fatalf("%d looks, want %d", looks, i+1)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks != 3 {
			t.Errorf("a look that succeeded was taken again: %d looks", looks)
		}
		r.scheduleLook(t.Context(), nil)
		time.Sleep(settle)
		synctest.Wait()
		if looks != 4 {
			t.Errorf("after the next change there are %d looks, want 4", looks)
		}
	})
}

func TestLoginsThatNobodyAsksWithAnyMoreAreForgotten(t *testing.T) {
	now := start
	var p probes
	used := p.login("used", now)
	used.limiter.AllowN(now, questionBurst)
	silent := p.login("silent", now)
	silent.down.until = now.Add(time.Minute)
	p.login("idle", now)
	if p.login("new", now); len(p.logins) != 3 || p.logins["idle"] != nil {
		t.Errorf("%d logins are known, want those that still bound something and the new one", len(p.logins))
	}
	if p.login("used", now) != used || p.login("silent", now) != silent {
		t.Error("a login that is known is made again, with another limit")
	}
	now = now.Add(2 * time.Minute)
	if p.login("last", now); len(p.logins) != 1 {
		t.Errorf("%d logins are known after everything is over, want 1", len(p.logins))
	}
}

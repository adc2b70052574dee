package attachment

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/watchdog"
)

const (
	// oneWatch is how long a watch of the index lasts at most: then another one begins, also where the first fell silent.
	oneWatch = 5 * time.Minute
	// followStart and followEnd are the waits before another watch begins: they double while watches fail.
	followStart, followEnd = time.Second, time.Minute
	// looksPerSecond and looksAtOnce bound how often the index is read because it changed, and because it was deleted: whoever may change its
	// metadata, or delete it, decides how often that is.
	looksPerSecond, looksAtOnce = 2, 5
)

// Watches is a client.WithWatch.
type Watches interface {
	Watch(ctx context.Context, list client.ObjectList, options ...client.ListOption) (watch.Interface, error)
}

// onIndex looks at the index when somebody else changed or deleted it.
func (r *Reconciler) onIndex() source.TypedSource[reconcile.Request] {
	return watchdog.Source("the InjectionIndex itself", func(ctx context.Context, q queue) error {
		go r.follow(ctx, q)
		return nil
	})
}

// follow watches the index from when the operator first kept it, until the context ends. It asks for metadata alone: the object is large. It is
// no informer, which would keep the operator from starting where the optional role is not there.
func (r *Reconciler) follow(ctx context.Context, q queue) {
	select {
	case <-ctx.Done():
		return
	case <-r.kept:
	}
	looks, wait, said := newLooks(), followStart, ""
	for ctx.Err() == nil {
		opened, err := r.followOnce(ctx, q, looks)
		if opened {
			wait, said = followStart, ""
		}
		if err != nil && ctx.Err() == nil && said != err.Error() {
			said = err.Error()
			log.FromContext(ctx).Info("The InjectionIndex cannot be watched: until it can, it is compared once a minute", "error", foreign.Message(said))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, followEnd)
	}
}

// followOnce watches until the watch ends. opened is false where it could not begin.
func (r *Reconciler) followOnce(ctx context.Context, q queue, looks looks) (opened bool, err error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("InjectionIndexList"))
	following, err := r.Watches.Watch(ctx, list, client.MatchingFields{metav1.ObjectNameField: v1alpha1.InjectionIndexName},
		&client.ListOptions{Raw: &metav1.ListOptions{AllowWatchBookmarks: true, TimeoutSeconds: ptr.To(int64(oneWatch / time.Second))}})
	if err != nil {
		return false, err
	}
	defer following.Stop()
	lookSoon(q, looks.changed) // what happened before the watch began is no event of it
	for {
		select {
		case <-ctx.Done():
			return true, nil
		case event, open := <-following.ResultChan():
			if !open {
				return true, nil
			}
			if event.Type == watch.Error {
				return true, apierrors.FromObject(event.Object)
			}
			switch {
			case event.Type == watch.Deleted:
				lookSoon(q, looks.deleted)
			case r.isForeign(event):
				lookSoon(q, looks.changed)
			}
		}
	}
}

// looks bound how often the index is read, each for itself: no change keeps a deleted index from being made again at once.
type looks struct{ changed, deleted *rate.Limiter }

func newLooks() looks {
	return looks{rate.NewLimiter(looksPerSecond, looksAtOnce), rate.NewLimiter(looksPerSecond, looksAtOnce)}
}

// isForeign reports whether an event tells of another version than the one that the last pass left.
func (r *Reconciler) isForeign(event watch.Event) bool {
	object, ok := event.Object.(client.Object)
	if !ok || event.Type == watch.Bookmark {
		return false
	}
	left := r.leftVersion.Load()
	return left == nil || *left != object.GetResourceVersion()
}

// lookSoon has the index looked at: at once, or within half a second where it was looked at often.
func lookSoon(q queue, limit *rate.Limiter) {
	if limit.Allow() {
		q.Add(theIndex)
		return
	}
	q.AddAfter(theIndex, time.Second/looksPerSecond)
}

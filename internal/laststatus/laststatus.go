// Package laststatus remembers what this process wrote last into the status of an object. A cache can be behind that: compared with what it still
// shows, people would be told of everything once more each time, and a state that went back meanwhile would not be written.
package laststatus

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// believed is how long a cache may be behind: a watch that falls silent is ended before. A version that is older after that is one of a cluster that
// was set back.
const believed = 5 * time.Minute

// Of remembers the last status of each object of one kind, by its name: the kind has no namespaces. The zero value is ready.
type Of[S any] struct {
	mu sync.Mutex
	m  map[string]written[S]
	// untold are the statuses of which people were told last, where a write failed since.
	untold map[string]untold[S]
}

type untold[S any] struct {
	uid    types.UID
	status S
}

type written[S any] struct {
	uid     types.UID
	version string
	at      time.Time
	status  S
}

// Wrote notes the status of an object as the API server answered a write of it. Nobody may change it from then on.
func (o *Of[S]) Wrote(object metav1.Object, status S, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m == nil {
		o.m = map[string]written[S]{}
	}
	o.m[object.GetName()] = written[S]{object.GetUID(), object.GetResourceVersion(), now, status}
}

// After gives the status that was written last where that was after an object became as it is shown. Versions of one resource compare since
// Kubernetes 1.35 by contract, and did before.
func (o *Of[S]) After(shown metav1.Object, now time.Time) (status S, there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.m[shown.GetName()]
	if known.uid != shown.GetUID() || now.Sub(known.at) >= believed {
		return status, false
	}
	order, err := resourceversion.CompareResourceVersion(shown.GetResourceVersion(), known.version)
	if err != nil || order >= 0 {
		return status, false
	}
	return known.status, true
}

// Failed notes the status that an object had before a write of it failed. Perhaps it was written, and only the answer was lost: then nothing shows any
// more that people were not told of it.
func (o *Of[S]) Failed(object metav1.Object, before S) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, there := o.untold[object.GetName()]; there && known.uid == object.GetUID() {
		return
	}
	if o.untold == nil {
		o.untold = map[string]untold[S]{}
	}
	o.untold[object.GetName()] = untold[S]{object.GetUID(), before}
}

// Late reports whether people are still to be told of what the status of an object says already.
func (o *Of[S]) Late(object metav1.Object) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, there := o.untold[object.GetName()]
	return there && known.uid == object.GetUID()
}

// Told gives the status of which people were told last: before, or an earlier one where a write of it failed. It counts as told of from then on.
func (o *Of[S]) Told(object metav1.Object, before S) S {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, there := o.untold[object.GetName()]
	delete(o.untold, object.GetName())
	if there && known.uid == object.GetUID() {
		return known.status
	}
	return before
}

// Forget drops what is known of an object that is gone.
func (o *Of[S]) Forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.m, name)
	delete(o.untold, name)
}

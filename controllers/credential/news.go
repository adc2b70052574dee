package credential

import (
	"context"
	"fmt"
	"sync"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	kinds "sigs.k8s.io/controller-runtime/pkg/source"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/watchdog"
)

// placeField is the index of RegistryCredentials by the place that they read.
const placeField = "source.place"

// gatherNews is how long news of one place are gathered: a source may tell hundreds of times a second, and each run is a look at the object.
const gatherNews = 50 * time.Millisecond

func placeKey(place source.Place) string {
	return fmt.Sprintf("%q %q %q", place.Member, place.Server, place.Name)
}

// indexPlaces makes those found who read a place, without a look at all others.
func indexPlaces(ctx context.Context, mgr ctrl.Manager) error {
	return mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.RegistryCredential{}, placeField, placesIn)
}

// placesIn are the keys of the places that an object reads.
func placesIn(object client.Object) []string {
	credential, ok := object.(*v1alpha1.RegistryCredential)
	if !ok {
		return nil
	}
	return []string{placeKey(source.PlaceOf(&credential.Spec))}
}

// News carries what sources tell to those who read there. The zero value drops everything until the controller runs.
type News struct {
	mu   sync.Mutex
	tell func(source.News)
}

// Tell has the source of the RegistryCredentials that read a place read again, at the time that the news have.
func (n *News) Tell(news source.News) {
	n.mu.Lock()
	tell := n.tell
	n.mu.Unlock()
	if tell != nil {
		tell(news)
	}
}

// listen has news noted, and their readers run when the time has come.
func (n *News) listen(r *Reconciler) kinds.Source {
	return watchdog.Source("news of sources", func(ctx context.Context, q queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.tell = func(news source.News) {
			var readers v1alpha1.RegistryCredentialList
			if r.Client.List(ctx, &readers, client.MatchingFields{placeField: placeKey(news.Place)}, client.UnsafeDisableDeepCopy) != nil {
				return // it is read at its period
			}
			now := r.Now()
			for i := range readers.Items {
				name := readers.Items[i].Name
				r.memories.tell(name, news, now)
				q.AddAfter(requestFor(name), max(news.Time.Sub(now), gatherNews))
			}
		}
		return nil
	})
}

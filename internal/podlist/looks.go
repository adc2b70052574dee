package podlist

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// namespacesSampled bounds in how many namespaces images in use are looked for, in each of them one page. The API server makes a page
	// before it sends the first byte: one of samplePods large pods has 30 MB.
	namespacesSampled, samplePods = 10, 20
	// sampleBytes is what is read of the pods of one such namespace at most, and sampleTime how long all of them are by default: a value
	// waits for it. samplesAtOnce are read at the same time, so that one with large pods does not take the time of the others.
	sampleBytes, sampleTime, samplesAtOnce = 8 << 20, 2 * time.Second, 4
	// eachByItself is up to how many namespaces running pods are counted with a request each. For more, one look at the running
	// pods of the whole cluster is cheaper for the API server than a request for each namespace, most of which have none.
	eachByItself = 20
	// NamesKept is how many running pods are named; all are counted.
	NamesKept = 20
)

// InUse returns up to limit different images that match, of pods in a few namespaces that are chosen at random: nobody is always the
// one whose images are asked for. Each namespace gives one image before any gives a second: where several have some, the people of
// one do not choose all. One whose pods take too long is left out. What was found is returned with an error.
func (l *Lister) InUse(ctx context.Context, namespaces []string, matches func(image string) bool, limit int) ([]string, error) {
	within, cancel := context.WithTimeout(ctx, l.SampleTime)
	defer cancel()
	chosen := choose(l.IntN, namespaces, namespacesSampled)
	found := make([][]string, len(chosen))
	var enough atomic.Int32
	var mu sync.Mutex
	oneByOne := func(image string) bool { // whoever gave the function need not know that several ask
		mu.Lock()
		defer mu.Unlock()
		return matches(image)
	}
	group, within := errgroup.WithContext(within)
	group.SetLimit(samplesAtOnce)
	for i, namespace := range chosen {
		group.Go(func() error {
			if int(enough.Load()) >= limit {
				return nil
			}
			var err error
			if found[i], err = l.inUseIn(within, namespace, oneByOne, limit); len(found[i]) > 0 {
				enough.Add(1)
			}
			return err
		})
	}
	err := group.Wait()
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil // what took too long is left out
	}
	return oneOfEach(found, limit), err
}

// oneOfEach returns up to limit different images: the first of each namespace, then the second of each, and so on.
func oneOfEach(found [][]string, limit int) []string {
	var images []string
	for round := range limit {
		for _, of := range found {
			if len(images) < limit && round < len(of) && !slices.Contains(images, of[round]) {
				images = append(images, of[round])
			}
		}
	}
	return images
}

// inUseIn returns up to limit different images of the pods of one namespace.
func (l *Lister) inUseIn(ctx context.Context, namespace string, matches func(image string) bool, limit int) ([]string, error) {
	var images []string
	_, err := l.each(ctx, query{namespace: namespace, bytes: sampleBytes, page: samplePods, pages: 1}, func(pod Pod) bool {
		for _, image := range pod.Images {
			if len(images) < limit && !slices.Contains(images, image) && matches(image) {
				images = append(images, image)
			}
		}
		return len(images) < limit
	})
	return images, err
}

// choose returns up to count of the names, at random.
func choose(intN func(int) int, names []string, count int) []string {
	moved := map[int]int{} // The first steps of a Fisher-Yates shuffle, without a copy of all names.
	at := func(i int) int {
		if j, ok := moved[i]; ok {
			return j
		}
		return i
	}
	chosen := make([]string, 0, min(count, len(names)))
	for i := range min(count, len(names)) {
		j := i + intN(len(names)-i)
		chosen = append(chosen, names[at(j)])
		moved[j] = at(i)
	}
	return chosen
}

// Running are running pods.
type Running struct {
	Count int
	// Names are the first of them, as namespace/name, at most [NamesKept].
	Names []string
	// Truncated says that there can be more than Count.
	Truncated bool
}

// Running counts the running pods of the namespaces that name a pull Secret and have an image that matches.
func (l *Lister) Running(ctx context.Context, namespaces []string, secret string, matches func(image string) bool) (Running, error) {
	var found Running
	var wanted map[string]bool
	places := namespaces
	if len(namespaces) > eachByItself {
		places, wanted = []string{""}, map[string]bool{}
		for _, namespace := range namespaces {
			wanted[namespace] = true
		}
	}
	for _, namespace := range places {
		truncated, err := l.Each(ctx, namespace, "status.phase=Running", func(pod Pod) bool {
			if (wanted == nil || wanted[pod.Namespace]) && slices.Contains(pod.PullSecrets, secret) && slices.ContainsFunc(pod.Images, matches) {
				found.add(pod)
			}
			return true
		})
		if err != nil {
			return Running{}, err
		}
		found.Truncated = found.Truncated || truncated
	}
	return found, nil
}

func (r *Running) add(pod Pod) {
	r.Count++
	if len(r.Names) < NamesKept {
		r.Names = append(r.Names, pod.Namespace+"/"+pod.Name)
	}
}

package podlist

import (
	"context"
	"slices"
	"time"
)

const (
	// namespacesSampled bounds in how many namespaces images in use are looked for, in each of them one page. The API server makes a page
	// before it sends the first byte: one of samplePods large pods has 30 MB.
	namespacesSampled, samplePods = 10, 20
	// sampleBytes is what is read of the pods of one such namespace at most, sampleTime how long, and samplesTime how long all of them: a
	// value waits for it.
	sampleBytes, sampleTime, samplesTime = 8 << 20, time.Second, 3 * time.Second
	// eachByItself is up to how many namespaces running pods are counted with a request each. For more, one look at the running
	// pods of the whole cluster is cheaper for the API server than a request for each namespace, most of which have none.
	eachByItself = 20
	// NamesKept is how many running pods are named; all are counted.
	NamesKept = 20
)

// InUse returns up to limit different images that match, of pods in a few namespaces that are chosen at random: nobody is always the
// one whose images are asked for. Each namespace gives one image before any gives a second: where several have some, the people of
// one do not choose all. One whose pods take too long is left out. What was found before an error is returned with it.
func (l *Lister) InUse(ctx context.Context, namespaces []string, matches func(image string) bool, limit int) ([]string, error) {
	var images, spare []string
	end := time.Now().Add(samplesTime)
	for _, namespace := range choose(l.IntN, namespaces, namespacesSampled) {
		if len(images) >= limit || time.Now().After(end) {
			break
		}
		found, err := l.inUseIn(ctx, namespace, func(image string) bool { return !slices.Contains(images, image) && matches(image) }, limit)
		if len(found) > 0 {
			images, spare = append(images, found[0]), append(spare, found[1:]...)
		}
		if err != nil {
			return images, err
		}
	}
	for _, image := range spare {
		if len(images) < limit && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images, nil
}

// inUseIn returns up to limit different images of the pods of one namespace, as many as are read within sampleTime.
func (l *Lister) inUseIn(ctx context.Context, namespace string, matches func(image string) bool, limit int) ([]string, error) {
	within, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	var images []string
	_, err := l.each(within, query{namespace: namespace, bytes: sampleBytes, page: samplePods, pages: 1}, func(pod Pod) bool {
		for _, image := range pod.Images {
			if len(images) < limit && !slices.Contains(images, image) && matches(image) {
				images = append(images, image)
			}
		}
		return len(images) < limit
	})
	if within.Err() != nil && ctx.Err() == nil {
		return images, nil
	}
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

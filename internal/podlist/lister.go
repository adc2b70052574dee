package podlist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	// pageSize is how many pods the API server is asked for at once. It holds a page in memory; this side does not.
	pageSize = 100
	// MaxBytes is the most that one look at a list reads, over all its pages: the pods of a large cluster. It bounds time, not memory.
	MaxBytes = 1 << 30
)

// Lister reads pods from the API server. It is safe for concurrent use.
type Lister struct {
	// IntN chooses a number from 0 up to below n, at random: [rand.IntN] from [New].
	IntN func(n int) int
	// SampleTime is how long images in use are looked for: 2 seconds from [New].
	SampleTime time.Duration
	// Bytes is the most that one look at a list reads: [MaxBytes] from [New].
	Bytes int64
	rest  rest.Interface
}

// New makes a Lister. The client is that of [rest.HTTPClientFor], shared with others.
func New(config *rest.Config, client *http.Client) (*Lister, error) {
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.AcceptContentTypes, config.ContentType = "application/json", "application/json"
	made, err := rest.RESTClientForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for lists of pods: %w", err)
	}
	return &Lister{IntN: rand.IntN, SampleTime: sampleTime, Bytes: MaxBytes, rest: made}, nil
}

// Each calls visit for each pod of a namespace, or of all with "", that the field selector matches, until visit returns false or
// [Lister.Bytes] were read: then truncated is true. Pods that were visited before an error stay visited.
func (l *Lister) Each(ctx context.Context, namespace, fieldSelector string, visit func(Pod) bool) (truncated bool, err error) {
	return l.each(ctx, query{namespace: namespace, fields: fieldSelector, bytes: l.Bytes, page: pageSize}, visit)
}

// query is one look at a list.
type query struct {
	namespace, fields string
	bytes             int64 // to be read at most
	page              int   // how many pods are asked for at once
	pages             int   // to be read at most, 0 for all
}

func (l *Lister) each(ctx context.Context, q query, visit func(Pod) bool) (truncated bool, err error) {
	next := ""
	left := q.bytes
	for pages := 1; ; pages++ {
		read, stopped, err := l.page(ctx, q, next, &left, visit)
		if later := Resume(err, next); later != "" {
			next = later
			continue
		}
		switch {
		case errors.Is(err, errBytes):
			return true, nil
		case err != nil:
			return false, fmt.Errorf("list pods in %s: %w", placeOf(q.namespace), err)
		case stopped || read.next == "":
			return false, nil
		case pages == q.pages:
			return true, nil
		}
		next = read.next
	}
}

// page reads one page. It is asked for without a resourceVersion: with "0" an API server ignores the limit and sends all there is,
// so that the bytes of a look would be spent on whoever comes first.
func (l *Lister) page(ctx context.Context, q query, next string, left *int64, visit func(Pod) bool) (page, bool, error) {
	request := l.rest.Get().Resource("pods").NamespaceIfScoped(q.namespace, q.namespace != "").Param("limit", strconv.Itoa(q.page))
	if q.fields != "" {
		request.Param("fieldSelector", q.fields)
	}
	if next != "" {
		request.Param("continue", next)
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return page{}, false, err
	}
	read, stopped, err := newScanner(&bounded{in: body, left: left}).readList(visit)
	return read, stopped, errors.Join(err, body.Close())
}

// errBytes ends a stream of which enough was read.
var errBytes = errors.New("more than is read at once")

// bounded lets so many bytes through.
type bounded struct {
	in   io.Reader
	left *int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if *b.left <= 0 {
		return 0, errBytes
	}
	n, err := b.in.Read(p[:min(int64(len(p)), *b.left)])
	*b.left -= int64(n)
	return n, err
}

func placeOf(namespace string) string {
	if namespace == "" {
		return "all namespaces"
	}
	return "namespace " + namespace
}

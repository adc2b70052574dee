package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// rewatchAfter is how long to wait where the API server ends a watch, as it does every few minutes.
const rewatchAfter = time.Second

// failsFor is how long an API server may fail before nobody follows any more: as long as one takes to start again.
const failsFor = 2 * time.Minute

// patience is with an API server that fails while something is followed. With one that failed from the start there is none.
type patience struct {
	begun bool
	// since is when it began to fail, zero where it answered last.
	since time.Time
}

func (p *patience) bears(err error, now time.Time) bool {
	if p.since.IsZero() {
		p.since = now
	}
	return p.begun && passes(err) && now.Sub(p.since) < failsFor
}

// passes reports whether an error can be gone a moment later: the API server could not be reached or did not do what it otherwise does.
func passes(err error) bool {
	var refused apierrors.APIStatus
	if errors.As(err, &refused) {
		code := refused.Status().Code
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests || code == http.StatusGone
	}
	var request *url.Error
	var network *net.OpError
	return errors.As(err, &request) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// follow gives visit all RegistryCredentials, or the one of a name, as they are now and after each change, until visit says that it has seen
// enough or the context ends. visit gets the same map each time, by name, and once more after it failed for a reason that passes.
func follow(ctx context.Context, c client.WithWatch, name string, visit func(map[string]*v1alpha1.RegistryCredential) (enough bool, err error)) error {
	return followEvery(ctx, c, name, nil, visit)
}

// followEvery is follow, and visits at each tick, too: what is told of an object beside it, such as an event, comes with no change of it.
func followEvery(ctx context.Context, c client.WithWatch, name string, tick <-chan time.Time, visit func(map[string]*v1alpha1.RegistryCredential) (enough bool, err error)) error {
	var options []client.ListOption
	if name != "" {
		options = append(options, client.MatchingFields{"metadata.name": name})
	}
	var asked patience
	visited := func(present map[string]*v1alpha1.RegistryCredential) (bool, error) {
		enough, err := visit(present)
		if err == nil {
			asked = patience{begun: true}
		}
		return enough, err
	}
	for {
		if enough, err := lookOnce(ctx, c, options, tick, visited); enough || err != nil && !asked.bears(err, time.Now()) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rewatchAfter):
		}
	}
}

// lookOnce visits what there is, and then each change until the watch ends.
func lookOnce(ctx context.Context, c client.WithWatch, options []client.ListOption, tick <-chan time.Time, visit func(map[string]*v1alpha1.RegistryCredential) (bool, error)) (bool, error) {
	var list v1alpha1.RegistryCredentialList
	if err := c.List(ctx, &list, options...); err != nil {
		return false, unreadable(err)
	}
	present := map[string]*v1alpha1.RegistryCredential{}
	for i := range list.Items {
		present[list.Items[i].Name] = &list.Items[i]
	}
	if enough, err := visit(present); enough || err != nil {
		return enough, err
	}
	w, err := c.Watch(ctx, &v1alpha1.RegistryCredentialList{}, append(options[:len(options):len(options)], &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})...)
	if err != nil {
		return false, unreadable(err)
	}
	defer w.Stop()
	return changes(ctx, w, tick, present, visit)
}

// changes visits until the watch ends.
func changes(ctx context.Context, w watch.Interface, tick <-chan time.Time, present map[string]*v1alpha1.RegistryCredential, visit func(map[string]*v1alpha1.RegistryCredential) (bool, error)) (bool, error) {
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-tick:
		case event, open := <-w.ResultChan():
			object, ok := event.Object.(*v1alpha1.RegistryCredential)
			if !open || event.Type == watch.Error {
				return false, nil
			}
			if !ok {
				continue
			}
			present[object.Name] = object
			if event.Type == watch.Deleted {
				delete(present, object.Name)
			}
		}
		if enough, err := visit(present); enough || err != nil {
			return enough, err
		}
	}
}

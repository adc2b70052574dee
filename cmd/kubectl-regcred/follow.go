package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// rewatchAfter is how long to wait where the API server ends a watch, as it does every few minutes.
const rewatchAfter = time.Second

// follow gives visit all RegistryCredentials, or the one of a name, as they are now and after each change, until visit says that it has seen
// enough or the context ends. visit gets the same map each time, by name.
func follow(ctx context.Context, c client.WithWatch, name string, visit func(map[string]*v1alpha1.RegistryCredential) (enough bool, err error)) error {
	return followEvery(ctx, c, name, nil, visit)
}

// followEvery is follow, and visits at each tick, too: what is told of an object beside it, such as an event, comes with no change of it.
func followEvery(ctx context.Context, c client.WithWatch, name string, tick <-chan time.Time, visit func(map[string]*v1alpha1.RegistryCredential) (enough bool, err error)) error {
	var options []client.ListOption
	if name != "" {
		options = append(options, client.MatchingFields{"metadata.name": name})
	}
	for {
		var list v1alpha1.RegistryCredentialList
		if err := c.List(ctx, &list, options...); err != nil {
			return unreadable(err)
		}
		present := map[string]*v1alpha1.RegistryCredential{}
		for i := range list.Items {
			present[list.Items[i].Name] = &list.Items[i]
		}
		if enough, err := visit(present); enough || err != nil {
			return err
		}
		options := append(options[:len(options):len(options)], &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
		w, err := c.Watch(ctx, &v1alpha1.RegistryCredentialList{}, options...)
		if err != nil {
			return unreadable(err)
		}
		enough, err := changes(ctx, w, tick, present, visit)
		w.Stop()
		if enough || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rewatchAfter):
		}
	}
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

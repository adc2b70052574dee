package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

const (
	// curedWithin is how long pods are followed after every namespace has the value. One that takes longer has another cause, or an owner that
	// is slow: that is no failure of the refresh.
	curedWithin = 30 * time.Second
	// barWidth is how many characters stand for all namespaces.
	barWidth = 30
)

// followPods follows the pods that could not pull until none is left, for a while.
func (r *refresh) followPods(ctx context.Context, c client.WithWatch, w *writer, o *outcome) error {
	if o.StuckPods == 0 {
		return nil
	}
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(min(curedWithin, r.timeout), cancel).Stop()
	err := follow(bounded, c, o.Name, func(present map[string]*v1alpha1.RegistryCredential) (bool, error) {
		object := present[o.Name]
		if object == nil {
			return true, nil
		}
		o.StuckPods = stuckOf(object)
		return o.StuckPods == 0, w.err
	})
	if ctx.Err() == nil && (bounded.Err() != nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// overtaken is the request that is followed: that of somebody who asked later takes the place of one that has no answer yet, because what is read
// for it is read after both were made. Where the annotation is again what it was, a tool took the request back.
func (o *outcome) overtaken(object *v1alpha1.RegistryCredential, request string) string {
	later := object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]
	if later == "" || later == o.asked || object.Status.LastHandledRefresh == request {
		return request
	}
	return later
}

// cured says what became of the pods that could not pull.
func (o *outcome) cured() string {
	switch {
	case o.StuckBefore == 0:
		return ""
	case o.StuckPods == 0:
		return fmt.Sprintf("; %s could not pull and can now", countOf(int(o.StuckBefore), "pod"))
	}
	return fmt.Sprintf("; %d of %s still cannot pull. See why: kubectl regcred explain pods -A", o.StuckPods, countOf(int(o.StuckBefore), "pod"))
}

// bar is a line of a terminal that shows how many namespaces have the value. It takes the place of the one before.
func bar(synced, selected int32) string {
	full := 0
	if selected > 0 {
		full = int(barWidth * int64(min(synced, selected)) / int64(selected))
	}
	return fmt.Sprintf("%s         [%s%s] %d of %d namespaces", eraseLine, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), synced, selected)
}

// eraseLine empties the line of the terminal in which the cursor is, and goes to its begin.
const eraseLine = "\r\x1b[K"

// clearLine makes room for a line where a bar may be.
func (w *writer) clearLine() string {
	if !w.colours {
		return ""
	}
	return eraseLine
}

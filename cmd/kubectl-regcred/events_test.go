package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// An API server lists events by name: of one object, the oldest first.
func TestTheLatestOfManyEventsAreShown(t *testing.T) {
	var events []client.Object
	for i := range 3 * othersAtOnce {
		events = append(events, eventOf(fmt.Sprintf("company.%05d", i), "Published", noon.Add(time.Duration(i)*time.Second)))
	}
	paged := interceptor.NewClient(withEvents(events...), interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		asked := (&client.ListOptions{}).ApplyOptions(options)
		all, is := list.(*corev1.EventList)
		if err := c.List(ctx, list, options...); err != nil || !is || asked.Limit == 0 {
			return err
		}
		from := 0
		fmt.Sscan(asked.Continue, &from)
		till := min(from+int(asked.Limit), len(all.Items))
		if till < len(all.Items) {
			all.Continue = fmt.Sprint(till)
		}
		all.Items = all.Items[from:till]
		return nil
	}})
	got, err := (&status{client: paged}).events(t.Context(), requested("now"))
	if err != nil || len(got) != eventsShown || got[0].Message != "words of company.01499" || got[9].Message != "words of company.01490" {
		t.Errorf("%v: %+v", err, got)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/inmemory"
)

// faulty is an API server that answers some requests by an error: fails says which, by the number of the request from 1 on.
func faulty(object *v1alpha1.RegistryCredential, fails func(request int, what string) error) client.WithWatch {
	request := 0
	return inmemory.ClusterOf(scheme).WithObjects(object).WithStatusSubresource(object).
		WithIndex(object, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
		WithIndex(&corev1.Event{}, "involvedObject.kind", func(client.Object) []string { return nil }).
		WithIndex(&corev1.Event{}, "involvedObject.name", func(client.Object) []string { return nil }).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				request++
				if err := fails(request, fmt.Sprintf("list %T", list)); err != nil {
					return err
				}
				return c.List(ctx, list, options...)
			},
			Watch: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
				request++
				if err := fails(request, "watch"); err != nil {
					return nil, err
				}
				w := watch.NewFake()
				w.Stop() // as after some minutes, and where the connection breaks
				return w, nil
			},
		}).Build()
}

var (
	unreachable = &url.Error{Op: "Get", URL: "https://127.0.0.1:6443", Err: syscall.ECONNREFUSED}
	credentials = schema.GroupResource{Group: "regcred.dev", Resource: "registrycredentials"}
)

func TestARefreshThatIsFollowedOutlivesTheStartOfAnAPIServer(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		lasts time.Duration
		wants string // what it ends with
	}{
		{"it cannot be reached for a minute", unreachable, time.Minute, ""},
		{"it does not answer in time", apierrors.NewTimeoutError("Too large resource version", 1), time.Minute, ""},
		{"it has too much to do", apierrors.NewTooManyRequests("later", 1), time.Minute, ""},
		{"it is behind another one", apierrors.NewResourceExpired("too old"), time.Minute, ""},
		{"it fails", apierrors.NewInternalError(errors.New("etcd has no leader")), time.Minute, ""},
		{"the connection breaks within an answer", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), time.Minute, ""},
		{"the connection is reset within an answer", fmt.Errorf("read: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET}), time.Minute, ""},
		{"it cannot be reached any more", unreachable, time.Hour, "connection refused"},
		{"the right is taken away", apierrors.NewForbidden(credentials, "", nil), time.Minute, "you may not read RegistryCredentials"},
		{"somebody else's error", &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}, time.Minute, "write |1"},
	} {
		for _, what := range []string{"list", "watch"} {
			t.Run(test.name+" at a "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					object := requested("before")
					object.ResourceVersion = "1"
					begun := time.Now()
					c := faulty(object, func(request int, asked string) error {
						if since := time.Since(begun); request > 1 && since < test.lasts && strings.HasPrefix(asked, what) {
							return test.err
						}
						return nil
					})
					time.AfterFunc(test.lasts, func() {
						done := requested("now")
						done.ResourceVersion = object.ResourceVersion
						if err := c.Status().Update(t.Context(), done); err != nil {
							t.Error(err)
						}
					})
					r := &refresh{timeout: 2 * time.Hour, output: "text"}
					err := r.follow(t.Context(), c, &writer{out: &bytes.Buffer{}}, &outcome{Name: "company", Request: "now"})
					if what == "watch" && errors.Is(test.err, unreachable) {
						test.wants = "" // lists tell each change all the same
					}
					if test.wants == "" && err != nil || test.wants != "" && (err == nil || !strings.Contains(err.Error(), test.wants)) {
						t.Errorf("after %s it ends with %v", time.Since(begun), err)
					}
					if lasted := time.Since(begun); test.wants != "" && lasted > failsFor+time.Minute {
						t.Errorf("it takes %s", lasted)
					}
					time.Sleep(time.Hour) // until the timer above has run
				})
			})
		}
	}
}

func TestAnAPIServerThatFailsFromTheStartIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := faulty(requested("now"), func(int, string) error { return unreachable })
		if err := (&status{client: c}).watchOne(t.Context(), io.Discard, "company"); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(begun) > 0 {
			t.Errorf("after %s it ends with %v", time.Since(begun), err)
		}
	})
}

func TestWhoFollowsOneOutlivesAFailureToReadEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		failed := 0
		c := faulty(requested("now"), func(request int, what string) error {
			if since := time.Since(begun); request > 2 && since < time.Minute && strings.Contains(what, "EventList") {
				failed++
				return unreachable
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := (&status{client: c}).watchOne(ctx, io.Discard, "company"); !errors.Is(err, context.DeadlineExceeded) || failed == 0 {
			t.Errorf("after %s and %d failures it ends with %v", time.Since(begun), failed, err)
		}
		lasting := faulty(requested("now"), func(request int, what string) error {
			if request > 2 && strings.Contains(what, "EventList") {
				return unreachable
			}
			return nil
		})
		begun = time.Now()
		if err := (&status{client: lasting}).watchOne(t.Context(), io.Discard, "company"); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(begun) > failsFor+time.Minute {
			t.Errorf("after %s it ends with %v", time.Since(begun), err)
		}
	})
}

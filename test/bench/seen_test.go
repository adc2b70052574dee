package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// seen follows the Secrets of one name, and notes when each namespace held a password.
type seen struct {
	mu sync.Mutex
	// password that is looked for, and how many entries must have it.
	password []byte
	entries  int
	times    map[string]time.Time
	// events counts the changes of Secrets since password was set: one for each namespace is enough.
	events int
}

// follow watches until the test ends.
func (c *cluster) follow(t *testing.T, name string) *seen {
	t.Helper()
	s := &seen{times: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		version := ""
		for ctx.Err() == nil { // the API server ends watches now and then
			version = s.watch(ctx, c, name, version)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *seen) watch(ctx context.Context, c *cluster, name, version string) string {
	watcher, err := c.plain.CoreV1().Secrets("").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: version})
	if err != nil {
		return ""
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		secret, ok := event.Object.(*corev1.Secret)
		if !ok {
			return ""
		}
		version = secret.ResourceVersion
		s.note(secret)
	}
	return version
}

func (s *seen) note(secret *corev1.Secret) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	if _, known := s.times[secret.Namespace]; known || len(s.password) == 0 {
		return
	}
	if bytes.Count(secret.Data[corev1.DockerConfigJsonKey], s.password) >= s.entries {
		s.times[secret.Namespace] = now
	}
}

// expect looks for a password from now on, in so many entries of a Secret.
func (s *seen) expect(password string, entries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password, s.entries, s.times, s.events = []byte(`"password":"`+password+`"`), entries, map[string]time.Time{}, 0
}

// await waits until all namespaces hold the password, and returns when each did, sorted. The error names some that do not.
func (s *seen) await(t *testing.T, namespaces []string) []time.Time {
	t.Helper()
	await(t, 5*time.Minute, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.times) >= len(namespaces) {
			return s.lost(namespaces)
		}
		return fmt.Errorf("%d of %d namespaces hold the password %s", len(s.times), len(namespaces), s.password)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	var times []time.Time
	for _, namespace := range namespaces {
		times = append(times, s.times[namespace])
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

func (s *seen) lost(namespaces []string) error {
	for _, namespace := range namespaces {
		if _, has := s.times[namespace]; !has {
			return fmt.Errorf("namespace %s does not hold the password", namespace)
		}
	}
	return nil
}

// spread are times after a beginning: the first, half of them, all but one in a hundred, and the last.
type spread struct{ first, p50, p99, last time.Duration }

func spreadOf(begun time.Time, times []time.Time) spread {
	at := func(share float64) time.Duration { return times[int(share*float64(len(times)-1))].Sub(begun) }
	return spread{first: at(0), p50: at(0.5), p99: at(0.99), last: at(1)}
}

// length is how long it took from the first to the last.
func (s spread) length() time.Duration { return s.last - s.first }

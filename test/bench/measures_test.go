package bench

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// fleet is the operator with a number of namespaces that it serves, under measurement.
type fleet struct {
	*cluster
	*operator
	namespaces  []string
	credentials int
	secrets     *seen
	rotations   int
}

// startFleet returns when all namespaces are served and nothing is left to do.
func startFleet(t *testing.T, binary string, size size) *fleet {
	t.Helper()
	c := startCluster(t)
	f := &fleet{cluster: c, credentials: size.credentials, secrets: c.follow(t, secretName)}
	f.namespaces = c.makeNamespaces(t, "team", size.namespaces)
	if size.background {
		c.makeForeign(t, f.namespaces)
	}
	f.operator = c.startOperator(t, binary)
	f.secrets.expect("password-0", size.credentials)
	c.makeCredentials(t, size.credentials)
	f.secrets.await(t, f.namespaces)
	f.settle(t)
	return f
}

// grow makes more namespaces, and returns when they are served.
func (f *fleet) grow(t *testing.T, count int) {
	t.Helper()
	f.secrets.expect(fmt.Sprintf("password-%d", f.rotations), f.credentials)
	more := f.makeNamespaces(t, fmt.Sprintf("more-%d", len(f.namespaces)), count)
	f.secrets.await(t, more)
	f.namespaces = append(f.namespaces, more...)
	f.settle(t)
}

// settle waits until all statuses say that all namespaces are served, and until no write follows for a while.
func (f *fleet) settle(t *testing.T) {
	t.Helper()
	await(t, 2*time.Minute, func() error {
		var list v1alpha1.RegistryCredentialList
		if err := f.admin.List(t.Context(), &list); err != nil {
			return err
		}
		for i := range list.Items {
			status := &list.Items[i].Status
			if status.Namespaces == nil || int(status.Namespaces.Synced) < len(f.namespaces) {
				return fmt.Errorf("the status of %s says %+v", list.Items[i].Name, status.Namespaces)
			}
		}
		return nil
	})
	const still = 3 * time.Second // longer than a status is put off
	for last, since := f.usage(t).writes(), time.Now(); time.Since(since) < still; {
		pause(t, still/3)
		if now := f.usage(t).writes(); now != last {
			last, since = now, time.Now()
		}
	}
}

// pause lets time pass: how much is used in a time is what is measured.
func pause(t *testing.T, length time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(length):
	}
}

// rotation is what a rotation of all credentials took.
type rotation struct {
	spread
	usage
	// after is the wait of each of the namespaces that were made meanwhile, until they held the value.
	after []time.Duration
}

// rotate changes all passwords in Vault, and has each of them read at once. newcomers are namespaces that are made while it goes on.
func (f *fleet) rotate(t *testing.T, newcomers int) rotation {
	t.Helper()
	f.rotations++
	password := fmt.Sprintf("password-%d", f.rotations)
	before := f.usage(t)
	f.secrets.expect(password, f.credentials)
	for i := range f.credentials {
		f.setPassword(t, i, password)
	}
	begun := time.Now()
	f.requestReads(t, password)
	var r rotation
	if newcomers > 0 {
		r.after = f.makeNewcomers(t, newcomers)
	}
	r.spread = spreadOf(begun, f.secrets.await(t, f.namespaces))
	f.settle(t)
	r.usage = f.usage(t).since(before)
	return r
}

func (f *fleet) requestReads(t *testing.T, request string) {
	t.Helper()
	for i := range f.credentials {
		object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: credentialName(i)}}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.RefreshRequestedAtAnnotation, request)
		must(t, f.admin.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", patch)))
	}
}

// makeNewcomers makes namespaces one after the other, and returns how long each waited for its Secret. They are served from then on.
func (f *fleet) makeNewcomers(t *testing.T, count int) []time.Duration {
	t.Helper()
	var waits []time.Duration
	for i := range count {
		name := fmt.Sprintf("new-%d-%02d", len(f.namespaces), i)
		must(t, f.makeNamespace(t.Context(), name))
		begun := time.Now()
		await(t, time.Minute, func() error {
			_, err := f.plain.CoreV1().Secrets(name).Get(t.Context(), secretName, metav1.GetOptions{})
			return err
		})
		waits = append(waits, time.Since(begun))
		f.namespaces = append(f.namespaces, name)
	}
	slices.Sort(waits)
	return waits
}

// restarted is what a start with all in place took.
type restarted struct {
	usage
	// ready is when the probe said so, served when a namespace that was made at the start had its Secret.
	ready, served time.Duration
	// changes counts the Secrets that were written, without the new one.
	changes int
}

// restart ends the operator and starts it again.
func (f *fleet) restart(t *testing.T) restarted {
	t.Helper()
	f.end(t)
	f.secrets.expect("", 0)
	begun := time.Now()
	f.operator.start(t)
	r := restarted{ready: time.Since(begun)}
	f.makeNewcomers(t, 1)
	r.served = time.Since(begun)
	f.settle(t)
	f.secrets.mu.Lock()
	r.changes = f.secrets.events - 1
	f.secrets.mu.Unlock()
	r.usage = f.usage(t)
	return r
}

// floorSecret is the name of the Secrets that the plain client writes.
const floorSecret = "floor"

// makeFloor puts a twin beside each pull Secret.
func (f *fleet) makeFloor(t *testing.T) []*corev1.Secret {
	t.Helper()
	twins := make([]*corev1.Secret, len(f.namespaces))
	must(t, forAll(t.Context(), makers, len(twins), func(ctx context.Context, i int) error {
		secret, err := f.plain.CoreV1().Secrets(f.namespaces[i]).Get(ctx, secretName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		twin := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: floorSecret, Labels: secret.Labels, Annotations: secret.Annotations},
			Type:       secret.Type, Data: secret.Data,
		}
		twins[i], err = f.plain.CoreV1().Secrets(twin.Namespace).Create(ctx, twin, metav1.CreateOptions{})
		return err
	}))
	return twins
}

// floorOf is how long a client needs that changes all Secrets and does nothing else, with the best number of workers, and that number.
func (f *fleet) floorOf(t *testing.T, twins []*corev1.Secret, round int) (best time.Duration, workers int) {
	t.Helper()
	for _, many := range []int{8, 16, 32, 64} {
		begun := time.Now()
		var group errgroup.Group
		group.SetLimit(many)
		for i := range twins {
			group.Go(func() error {
				twin := twins[i]
				twin.Data = map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{"floor-%d-%d.example.com":{"username":"robot","password":"password","auth":"cm9ib3Q6cGFzc3dvcmQ="}}}`, round, many)}
				written, err := f.plain.CoreV1().Secrets(twin.Namespace).Update(t.Context(), twin, metav1.UpdateOptions{})
				twins[i] = written
				return err
			})
		}
		must(t, group.Wait())
		if took := time.Since(begun); best == 0 || took < best {
			best, workers = took, many
		}
	}
	return best, workers
}

// bystander asks the API server for something small, again and again, and returns how long the slowest hundredth took.
func (f *fleet) bystander(t *testing.T) (stop func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan time.Duration, 1)
	go func() {
		took := []time.Duration{0}
		for ctx.Err() == nil {
			begun := time.Now()
			if _, err := f.plain.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{}); err == nil {
				took = append(took, time.Since(begun))
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
		slices.Sort(took)
		result <- took[len(took)*99/100]
	}()
	return func() time.Duration { cancel(); return <-result }
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// TestDeliveryForAMinute sees what only time can show, all in the same minute: it has an API server of its own, so that it can run
// beside other tests.
func TestDeliveryForAMinute(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	rig := startDeliveryRig(t)
	values, notes := &shelf{}, &traffic{}
	rig.start(t, runOptions{shelf: values, transport: notes.wrap})

	quiet := startQuiet(t, rig, values, notes)
	rivals := startRivals(t, rig, values, "writes another content", "patches the ServiceAccount's list")
	writers := servedTeam(t, rig, values, "two-writers")
	var busy sync.WaitGroup
	busy.Go(func() { rivals.letLoose(t, rig, minute) })
	begin := time.Now()
	t.Run("rule 17: two writers on one ServiceAccount's list lose nothing", func(t *testing.T) { twoWriters(t, rig, writers, minute) })
	busy.Wait()
	t.Run("two credentials in one namespace: once all is well, nothing is written", func(t *testing.T) {
		if took := time.Since(begin); took < minute {
			t.Fatalf("only %s passed", took)
		}
		quiet.judged(t)
	})
	for i, r := range rivals.all {
		t.Run("a rival at fifty writes a second that "+r.name, func(t *testing.T) { rivals.judged(t, rig, notes, i) })
	}
}

// quietPlace is a namespace that two credentials serve, whose sources are read every five seconds.
type quietPlace struct {
	team   string
	values *shelf
	notes  *traffic
	// before are the writes, and reads the reads of all sources, when all was well.
	before []write
	reads  int
}

func startQuiet(t *testing.T, rig *deliveryRig, values *shelf, notes *traffic) *quietPlace {
	t.Helper()
	q := &quietPlace{team: rig.team(t, nil), values: values, notes: notes}
	for name, registry := range map[string]string{"quiet-a": "registry.example", "quiet-b": "other.example"} {
		values.put(name, name)
		rig.credential(t, name, registry, func(spec *v1alpha1.RegistryCredentialSpec) {
			inNamespaces(q.team)(spec)
			spec.RefreshPeriodSeconds = ptr.To[int32](5)
		})
	}
	eventually(t, "the namespace has both", func(ctx context.Context) error {
		both := map[string]string{"registry.example": "quiet-a", "other.example": "quiet-b"}
		return errors.Join(rig.holds(ctx, q.team, "regcred", both), rig.names(ctx, q.team, "default", "regcred"),
			rig.ready(ctx, "quiet-a"), rig.ready(ctx, "quiet-b"))
	})
	q.before, q.reads = notes.all(q.concerns), values.readSoFar()
	return q
}

// concerns reports whether a write is about the namespace, the two RegistryCredentials or their records.
func (q *quietPlace) concerns(w write) bool {
	return w.namespace == q.team || strings.Contains(w.name, "quiet-")
}

func (q *quietPlace) judged(t *testing.T) {
	if len(q.before) < 3 {
		t.Fatalf("only %d writes were seen to begin with: that proves nothing", len(q.before))
	}
	if after := q.notes.all(q.concerns); len(after) != len(q.before) {
		t.Errorf("there were writes: %v", after[len(q.before):])
	}
	if q.values.readSoFar() < q.reads+20 {
		t.Errorf("the sources were read %d times: that proves nothing", q.values.readSoFar()-q.reads)
	}
}

// rivalry is a number of rivals, each with a namespace and a RegistryCredential.
type rivalry struct {
	all   []rival
	teams []string
}

func (r *rivalry) credential(i int) string { return fmt.Sprintf("contested-%d", i) }

// startRivals serves a namespace for each of the named rivals, for all of them where none is named.
func startRivals(t *testing.T, rig *deliveryRig, values *shelf, names ...string) *rivalry {
	t.Helper()
	r := &rivalry{all: slices.DeleteFunc(rivals(), func(r rival) bool { return len(names) > 0 && !slices.Contains(names, r.name) })}
	r.teams = rig.teams(t, len(r.all), nil)
	for i, team := range r.teams {
		values.put(r.credential(i), "ours")
		rig.credential(t, r.credential(i), "registry.example", inNamespaces(team))
	}
	for _, team := range r.teams {
		eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "ours") })
	}
	return r
}

// letLoose has all rivals write fifty times a second.
func (r *rivalry) letLoose(t *testing.T, rig *deliveryRig, length time.Duration) {
	var busy sync.WaitGroup
	for i, one := range r.all {
		busy.Go(func() {
			ticker := time.NewTicker(20 * time.Millisecond)
			defer ticker.Stop()
			for turn := range int(length / (20 * time.Millisecond)) {
				<-ticker.C
				if err := one.undo(t.Context(), rig.admin, r.teams[i], turn); err != nil {
					t.Errorf("the rival that %s: %v", one.name, err)
					return
				}
			}
		})
	}
	busy.Wait()
}

// judged sees that a rival cost no more than the first write and three repairs, and is named.
func (r *rivalry) judged(t *testing.T, rig *deliveryRig, notes *traffic, i int) {
	t.Helper()
	if count := len(notes.taken(r.all[i].resource, r.teams[i])); count > 4 || count < 2 {
		t.Errorf("it cost %d writes, the first one and up to 3 repairs are allowed", count)
	}
	eventually(t, "the status names the rival", func(ctx context.Context) error {
		return rig.failure(ctx, r.credential(i), r.teams[i], v1alpha1.ReasonContested, r.all[i].message)
	})
}

// twoWriters has somebody add and remove entries, fifty times a second, while regcred attaches and detaches.
func twoWriters(t *testing.T, rig *deliveryRig, team string, length time.Duration) {
	var want []string
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		want = rig.keepWriting(t, team, stop)
	}()
	end := sync.OnceFunc(func() { close(stop); <-ended })
	defer end()
	turns := 0
	for deadline := time.Now().Add(length); time.Now().Before(deadline); turns++ {
		accounts := []string{}
		if turns%2 == 1 {
			accounts = []string{"default"}
		}
		rig.edit(t, "two-writers", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.ServiceAccounts = &accounts })
		eventually(t, "regcred wrote", func(ctx context.Context) error { return rig.attachedIs(ctx, team, len(accounts) > 0) })
	}
	end()
	t.Logf("regcred wrote %d times, the other ended with %d entries", turns, len(want))
	if turns < 20 {
		t.Errorf("regcred wrote only %d times: that proves nothing", turns)
	}
	eventually(t, "the list holds every entry, in its order", func(ctx context.Context) error {
		var account corev1.ServiceAccount
		if err := rig.admin.Get(ctx, client.ObjectKey{Namespace: team, Name: "default"}, &account); err != nil {
			return err
		}
		var theirs []string
		for _, ref := range account.ImagePullSecrets {
			if ref.Name != "regcred" {
				theirs = append(theirs, ref.Name)
			}
		}
		if !slices.Equal(theirs, want) {
			return fmt.Errorf("of %v there are %v", want, account.ImagePullSecrets)
		}
		return nil
	})
}

// keepWriting adds and removes entries until stop, and returns those that must be there in the end.
func (rig *deliveryRig) keepWriting(t *testing.T, team string, stop <-chan struct{}) []string {
	var names []string
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return names
		case <-ticker.C:
		}
		name := fmt.Sprintf("theirs-%d", i%23)
		if err := rig.toggleEntry(context.Background(), team, name); err != nil {
			t.Errorf("toggle %s: %v", name, err)
			return names
		}
		if at := slices.Index(names, name); at >= 0 {
			names = slices.Delete(names, at, at+1)
		} else {
			names = append(names, name)
		}
	}
}

// toggleEntry adds an entry, or removes it, as a careful writer does: with the resourceVersion that it read.
func (rig *deliveryRig) toggleEntry(ctx context.Context, namespace, name string) error {
	for {
		var account corev1.ServiceAccount
		if err := rig.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account); err != nil {
			return err
		}
		ref := corev1.LocalObjectReference{Name: name}
		if at := slices.Index(account.ImagePullSecrets, ref); at >= 0 {
			account.ImagePullSecrets = slices.Delete(account.ImagePullSecrets, at, at+1)
		} else {
			account.ImagePullSecrets = append(account.ImagePullSecrets, ref)
		}
		if err := rig.admin.Update(ctx, &account); !apierrors.IsConflict(err) {
			return err
		}
	}
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// rival undoes, again and again, what regcred does in one namespace.
type rival struct {
	name string
	// resource whose writes are counted.
	resource string
	undo     func(ctx context.Context, c client.Client, namespace string, turn int) error
	// message is a part of what the status says.
	message string
}

func rivals() []rival {
	merge := func(object client.Object, body string) func(context.Context, client.Client, string, int) error {
		return func(ctx context.Context, c client.Client, namespace string, turn int) error {
			object := object.DeepCopyObject().(client.Object)
			object.SetNamespace(namespace)
			patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, body, turn))
			return client.IgnoreNotFound(c.Patch(ctx, object, patch, client.FieldOwner("rival-sync")))
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "regcred"}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	// Whoever applies the list of a ServiceAccount is no rival: regcred leaves it alone, see ServiceAccountApplied.
	return []rival{
		{"writes another content", "secrets", merge(secret, `{"stringData":{".dockerconfigjson":"{\"auths\":{\"rival.example\":{\"username\":\"u\",\"password\":\"%d\"}}}"}}`), "field manager rival-sync: stop it from managing the Secret"},
		{"keeps changing content and record together", "secrets", merge(secret, `{"metadata":{"annotations":{"regcred.dev/sources":"{\"ghost\":{\"keys\":[\"ghost.example\"]}}"}},"stringData":{".dockerconfigjson":"{\"auths\":{\"ghost.example\":{\"username\":\"u\",\"password\":\"%d\"}}}"}}`), "field manager rival-sync"},
		{"takes the record away", "secrets", merge(secret, `{"metadata":{"annotations":{"regcred.dev/sources":null,"turn":"%d"}}}`), "Secret regcred is changed back"},
		{"deletes the Secret", "secrets", func(ctx context.Context, c client.Client, namespace string, _ int) error {
			secret := secret.DeepCopy()
			secret.Namespace = namespace
			return client.IgnoreNotFound(c.Delete(ctx, secret))
		}, "somebody who leaves no name"},
		// A ServiceAccount that was made empty, and never applied, has no managedFields: whoever patches it leaves no name.
		{"patches the ServiceAccount's list", "serviceaccounts", merge(account, `{"imagePullSecrets":[{"name":"rival-%d"}]}`), "somebody who leaves no name: write there imagePullSecrets: [{name: rival-"},
		{"deletes the ServiceAccount and recreates it", "serviceaccounts", func(ctx context.Context, c client.Client, namespace string, _ int) error {
			account := account.DeepCopy()
			account.Namespace = namespace
			if err := c.Delete(ctx, account); err != nil {
				return client.IgnoreNotFound(err)
			}
			account.UID, account.ResourceVersion = "", ""
			return c.Create(ctx, account, client.FieldOwner("rival-sync"))
		}, "ServiceAccount default is changed back"},
	}
}

// movableClock is a clock that a test puts forward.
type movableClock struct{ ahead atomic.Int64 }

func (c *movableClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *movableClock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// contestedPlaces lets all rivals loose at once, each in a namespace of its own.
func contestedPlaces(t *testing.T, rig *deliveryRig) {
	values, notes, clock := &shelf{}, &traffic{}, &movableClock{}
	rig.start(t, runOptions{shelf: values, transport: notes.wrap, now: clock.now})
	rivals := startRivals(t, rig, values)
	rivals.letLoose(t, rig, 2*time.Second)
	for i, r := range rivals.all {
		t.Run(r.name, func(t *testing.T) { rivals.judged(t, rig, notes, i) })
	}
	for window := range 2 {
		t.Run(fmt.Sprintf("one repair in window %d", window+2), func(t *testing.T) { rivals.oneRepair(t, rig, notes, clock) })
	}
	clock.pass(10*time.Minute + time.Second)
	for i := range rivals.all {
		rig.look(t, rivals.credential(i))
		eventually(t, "peace is restored", func(ctx context.Context) error { return rig.ready(ctx, rivals.credential(i)) })
	}
}

// oneRepair lets ten minutes pass. All that the rivals undid is repaired once, and not again when they come back.
func (r *rivalry) oneRepair(t *testing.T, rig *deliveryRig, notes *traffic, clock *movableClock) {
	all, teams := r.all, r.teams
	before := map[string]int{}
	for i, one := range all {
		before[teams[i]] = len(notes.taken(one.resource, teams[i]))
	}
	clock.pass(10*time.Minute + time.Second)
	for i := range all {
		rig.look(t, r.credential(i))
	}
	repairs := func(i int) error {
		if now := len(notes.taken(all[i].resource, teams[i])); now != before[teams[i]]+1 {
			return fmt.Errorf("what %s: there were %d writes, now there are %d", all[i].name, before[teams[i]], now)
		}
		return nil
	}
	for i := range all {
		eventually(t, "it is repaired once in ten minutes", func(ctx context.Context) error {
			return errors.Join(repairs(i), rig.delivered(ctx, teams[i], "registry.example", "ours"), rig.attachedIs(ctx, teams[i], true))
		})
	}
	for i, one := range all {
		if err := one.undo(t.Context(), rig.admin, teams[i], 1000); err != nil {
			t.Fatal(err)
		}
	}
	staysSo(t, "there is no second repair", 500*time.Millisecond, func(context.Context) error {
		var err error
		for i := range all {
			err = errors.Join(err, repairs(i))
		}
		return err
	})
}

// look has the controllers look at a place again although nothing happened there.
func (rig *deliveryRig) look(t *testing.T, credential string) {
	t.Helper()
	rig.edit(t, credential, func(c *v1alpha1.RegistryCredential) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, "look", fmt.Sprint(time.Now().UnixNano()))
	})
}

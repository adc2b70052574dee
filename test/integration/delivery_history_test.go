package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/internal/delivered"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/records"
)

// history is a random course of things in one namespace that two RegistryCredentials serve. Between any two events the delivery
// may look at the place, through caches that are behind.
type history struct {
	rig    *deliveryRig
	writer client.Client
	store  *records.Store
	seed   uint64
	random *rand.Rand
	world  *lagging
	step   int

	delivering *delivery.Reconciler
	board      *delivered.Board
	// looks counts the looks at the place.
	looks int
	place delivered.Place
	// published passwords by RegistryCredential.
	published map[string]string
	registry  map[string]string
}

func newHistory(rig *deliveryRig, writer client.Client, store *records.Store, seed uint64) *history {
	return &history{
		rig: rig, writer: writer, store: store, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), published: map[string]string{},
		board: delivered.NewBoard(func(string) {}),
		registry: map[string]string{
			fmt.Sprintf("lag-%d-a", seed): "a.example", fmt.Sprintf("lag-%d-b", seed): "b.example",
		},
	}
}

func (h *history) run(ctx context.Context) error {
	if err := h.begin(ctx); err != nil {
		return err
	}
	for h.step = 1; h.step <= 12; h.step++ {
		if err := h.happen(ctx); err != nil {
			return err
		}
		for range h.random.IntN(3) {
			h.world.advance(h.random)
			if err := h.reconcile(ctx); err != nil {
				return err
			}
		}
	}
	for range 6 { // the caches catch up in the end
		h.world.catchUp()
		if err := h.reconcile(ctx); err != nil {
			return err
		}
	}
	if err := h.settled(ctx); err != nil {
		return err
	}
	for name := range h.registry {
		if err := h.store.Forget(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) begin(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "lag-"}}
	if err := h.rig.admin.Create(ctx, namespace); err != nil {
		return err
	}
	if err := h.rig.admin.Create(ctx, newAccount(namespace.Name)); err != nil {
		return err
	}
	h.world, h.place = &lagging{namespace: namespace}, delivered.Place{Namespace: namespace.Name, Name: "regcred"}
	var credentials []v1alpha1.RegistryCredential
	for name, registry := range h.registry {
		credentials = append(credentials, credentialFor(name, registry, namespace.Name, time.Hour))
	}
	h.world.credentials.add(credentials)
	base := time.Now()
	h.delivering = &delivery.Reconciler{
		Cluster: h.world, Writer: current{h.writer, h.world}, Secrets: laggingSecrets{h.world}, ServiceAccounts: laggingAccounts{h.world},
		Store: h.store, Board: h.board,
		// Each step is a quarter of an hour: what others change back is always within bounds. A removal has settled at the next look.
		Now: func() time.Time {
			return base.Add(time.Duration(h.step)*15*time.Minute + time.Duration(h.looks)*5*time.Second)
		},
	}
	return h.world.look(ctx, h.rig.admin)
}

func newAccount(namespace string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:       metav1.ObjectMeta{Namespace: namespace, Name: "default"},
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "theirs"}},
	}
}

// happen is one event in the world.
func (h *history) happen(ctx context.Context) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: h.place.Namespace, Name: "regcred"}}
	account := newAccount(h.place.Namespace)
	var err error
	switch h.random.IntN(12) {
	case 0, 1, 2:
		return h.publish(ctx)
	case 3:
		return h.changeSpec(func(c *v1alpha1.RegistryCredential) { inNamespaces("elsewhere")(&c.Spec) })
	case 4:
		return h.changeSpec(func(c *v1alpha1.RegistryCredential) { inNamespaces(h.place.Namespace)(&c.Spec) })
	case 5:
		return h.changeSpec(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = !c.Spec.Suspend })
	case 6:
		err = client.IgnoreNotFound(h.rig.admin.Delete(ctx, secret))
	case 7: // somebody puts his own there instead
		if err = client.IgnoreNotFound(h.rig.admin.Delete(ctx, secret)); err == nil && h.random.IntN(2) == 0 {
			err = h.rig.admin.Create(ctx, theirSecret(h.place.Namespace))
		}
	case 8:
		err = h.patch(ctx, secret, `{"metadata":{"labels":{"turn":"%d"}}}`)
	case 9:
		err = h.patch(ctx, secret, `{"stringData":{".dockerconfigjson":"{\"auths\":{\"evil-%d.example\":{}}}"}}`)
	case 10:
		if err = client.IgnoreNotFound(h.rig.admin.Delete(ctx, account)); err == nil {
			if err = h.world.look(ctx, h.rig.admin); err == nil {
				err = h.rig.admin.Create(ctx, newAccount(h.place.Namespace))
			}
		}
	case 11:
		err = h.patch(ctx, account, `{"imagePullSecrets":[{"name":"theirs"},{"name":"more-%d"}]}`)
	}
	if err != nil {
		return failed(h.seed, h.step, "an event: %v", err)
	}
	return h.world.look(ctx, h.rig.admin)
}

func (h *history) patch(ctx context.Context, object client.Object, body string) error {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, body, h.step))
	return client.IgnoreNotFound(h.rig.admin.Patch(ctx, object, patch))
}

func (h *history) anyone() int { return h.random.IntN(len(h.world.credentials.newest())) }

func (h *history) changeSpec(change func(*v1alpha1.RegistryCredential)) error {
	var next []v1alpha1.RegistryCredential
	for _, c := range h.world.credentials.newest() {
		next = append(next, *c.DeepCopy())
	}
	changed := &next[h.anyone()]
	change(changed)
	changed.Generation++
	h.world.credentials.add(next)
	return nil
}

func (h *history) publish(ctx context.Context) error {
	c := h.world.credentials.newest()[h.anyone()]
	password := fmt.Sprintf("password-%d", h.step)
	login, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		return err
	}
	record := h.store.Get(c.Name)
	record.Credential, record.UID, record.Revision = c.Name, c.UID, fmt.Sprint(h.step)
	record.Config = dockerconfig.Config{h.registry[c.Name]: login}
	h.published[c.Name] = password
	return h.store.Save(ctx, record)
}

// reconcile looks at the place and judges what it did.
func (h *history) reconcile(ctx context.Context) error {
	secret, account := h.world.secrets.newest(), h.world.accounts.newest()
	h.looks++
	if _, err := h.delivering.Reconcile(ctx, h.place); err != nil {
		return failed(h.seed, h.step, "the delivery fails: %v", err)
	}
	if err := h.world.look(ctx, h.rig.admin); err != nil {
		return err
	}
	if wrong := judgeSecret(secret, h.world.secrets.newest(), "a.example", "b.example"); wrong != "" {
		return failed(h.seed, h.step, "%s", wrong)
	}
	if wrong := judgeAccount(account, h.world.accounts.newest()); wrong != "" {
		return failed(h.seed, h.step, "%s", wrong)
	}
	return nil
}

// settled sees that in the end all is as the RegistryCredentials say.
func (h *history) settled(ctx context.Context) error {
	secret := h.world.secrets.newest()
	if secret != nil && !pullsecret.OwnerOf(secret).Ours {
		return nil // somebody else's, and judged before
	}
	var held dockerconfig.Config
	var malformed error
	if secret != nil {
		held, malformed = dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey])
	}
	active := 0
	for _, c := range h.world.credentials.newest() {
		selects := string(c.Spec.Target.Namespaces[0]) == h.place.Namespace
		password, there := held[h.registry[c.Name]]
		switch {
		case c.Spec.Suspend:
		case selects && h.published[c.Name] != "":
			active++
			if !there || password.Password() != h.published[c.Name] {
				return failed(h.seed, h.step, "in the end %s is not delivered: %v", c.Name, h.board.Of(c.Name, "regcred"))
			}
		case there && !selects:
			return failed(h.seed, h.step, "in the end %s is still there", c.Name)
		}
	}
	if active == 0 {
		return nil // nobody has anything to write: what somebody broke stays so
	}
	if malformed != nil {
		return failed(h.seed, h.step, "in the end the Secret is malformed: %v", malformed)
	}
	return h.rig.attachedIs(ctx, h.place.Namespace, true)
}

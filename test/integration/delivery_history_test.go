package integration

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/controllers/delivery"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/publish"
	"regcred.dev/regcred/internal/pullsecret"
)

// history is a random course of things in one namespace that two RegistryCredentials serve. Between any two events the delivery
// may look at the place, through caches that are behind.
type history struct {
	rig    *deliveryRig
	seed   uint64
	random *rand.Rand
	world  *lagging
	step   int

	delivering *delivery.Reconciler
	store      *publish.Store
	board      *publish.Board
	place      publish.Place
	// published passwords by RegistryCredential.
	published map[string]string
	registry  map[string]string
}

func newHistory(rig *deliveryRig, seed uint64) *history {
	return &history{
		rig: rig, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), published: map[string]string{},
		board: publish.NewBoard(func(string) {}),
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
	h.world, h.place = &lagging{namespace: namespace}, publish.Place{Namespace: namespace.Name, Name: "regcred"}
	var credentials []v1alpha1.RegistryCredential
	for name, registry := range h.registry {
		credentials = append(credentials, credentialFor(name, registry, namespace.Name, time.Hour))
	}
	h.world.credentials.add(credentials)
	clientset, err := kubernetes.NewForConfig(h.rig.operator)
	if err != nil {
		return err
	}
	writer, err := client.New(h.rig.operator, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		return err
	}
	h.store = publish.NewStore(clientset.CoreV1(), operatorNamespace, func(string) {})
	base := time.Now()
	h.delivering = &delivery.Reconciler{
		Cluster: h.world, Writer: writer, Secrets: laggingSecrets{h.world}, ServiceAccounts: laggingAccounts{h.world},
		Store: h.store, Board: h.board,
		// Each step is a quarter of an hour: what others change back is always within bounds.
		Now: func() time.Time { return base.Add(time.Duration(h.step) * 15 * time.Minute) },
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
		err = h.publish(ctx)
	case 3:
		h.changeSpec(func(c *v1alpha1.RegistryCredential) { inNamespaces("elsewhere")(&c.Spec) })
	case 4:
		h.changeSpec(func(c *v1alpha1.RegistryCredential) { inNamespaces(h.place.Namespace)(&c.Spec) })
	case 5:
		h.changeSpec(func(c *v1alpha1.RegistryCredential) { c.Spec.Suspend = !c.Spec.Suspend })
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

func (h *history) changeSpec(change func(*v1alpha1.RegistryCredential)) {
	var next []v1alpha1.RegistryCredential
	for _, c := range h.world.credentials.newest() {
		next = append(next, *c.DeepCopy())
	}
	change(&next[h.anyone()])
	h.world.credentials.add(next)
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
	if _, err := h.delivering.Reconcile(ctx, h.place); err != nil {
		return failed(h.seed, h.step, "the delivery fails: %v", err)
	}
	if err := h.world.look(ctx, h.rig.admin); err != nil {
		return err
	}
	if err := h.judgeSecret(secret, h.world.secrets.newest()); err != nil {
		return err
	}
	return h.judgeAccount(account, h.world.accounts.newest())
}

func (h *history) judgeSecret(before, after *corev1.Secret) error {
	if versionOf(before) == versionOf(after) {
		return nil
	}
	switch {
	case before != nil && !pullsecret.OwnerOf(before).Ours:
		return failed(h.seed, h.step, "a foreign Secret was touched")
	case after == nil:
		return nil
	case before != nil && before.UID != after.UID:
		return failed(h.seed, h.step, "the Secret was made anew")
	case before != nil && maps.EqualFunc(before.Data, after.Data, bytes.Equal) && maps.Equal(before.Annotations, after.Annotations) && maps.Equal(before.Labels, after.Labels):
		return failed(h.seed, h.step, "a write that changes nothing")
	case before != nil && before.Labels["turn"] != after.Labels["turn"]:
		return failed(h.seed, h.step, "somebody's label was changed")
	}
	config, err := dockerconfig.Parse(after.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return failed(h.seed, h.step, "what was written is malformed: %v", err)
	}
	for registry := range config {
		if registry != "a.example" && registry != "b.example" {
			return failed(h.seed, h.step, "an entry for %s was written", registry)
		}
	}
	return nil
}

func (h *history) judgeAccount(before, after *corev1.ServiceAccount) error {
	if before == nil || after == nil || before.UID != after.UID {
		if versionOf(before) != versionOf(after) {
			return failed(h.seed, h.step, "the ServiceAccount was made or removed")
		}
		return nil
	}
	ours := func(ref corev1.LocalObjectReference) bool { return ref.Name == "regcred" }
	theirs := slices.DeleteFunc(slices.Clone(before.ImagePullSecrets), ours)
	if !slices.Equal(theirs, slices.DeleteFunc(slices.Clone(after.ImagePullSecrets), ours)) {
		return failed(h.seed, h.step, "others' entries went from %v to %v", before.ImagePullSecrets, after.ImagePullSecrets)
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
	if secret != nil {
		var err error
		if held, err = dockerconfig.Parse(secret.Data[corev1.DockerConfigJsonKey]); err != nil {
			return failed(h.seed, h.step, "in the end the Secret is malformed: %v", err)
		}
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
	if active > 0 {
		return h.rig.attachedIs(ctx, h.place.Namespace, true)
	}
	return nil
}

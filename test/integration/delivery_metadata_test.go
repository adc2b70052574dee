package integration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

type (
	wantedLabels      = map[string]v1alpha1.LabelValue
	wantedAnnotations = map[string]v1alpha1.AnnotationValue
)

// watched is a label by which tools find pull Secrets.
const watched = "controller.devfile.io/devworkspace_pullsecret"

// wantedForm is how pull Secrets look by spec.target: their labels, their annotations, and the keys of their entries. What is written passes
// the admission policy, because the controllers run with the operator's token.
func wantedForm(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	rig.start(t, runOptions{shelf: values})
	t.Run("labels and annotations are written, changed and taken away with the spec", func(t *testing.T) { metadataFollows(t, rig, values) })
	t.Run("a label that somebody else had before stays theirs", func(t *testing.T) { metadataOfOthers(t, rig, values) })
	t.Run("a key of a reserved domain is refused, and what is published stays", func(t *testing.T) { metadataReserved(t, rig, values) })
	t.Run("entries are published under the host, and under the registries again", func(t *testing.T) { entriesPerHost(t, rig, values) })
	t.Run("a change to entries per host takes nothing from anybody, so that nothing waits", func(t *testing.T) { entriesPerHostEverywhere(t, rig, values) })
}

// wears reports whether a Secret has exactly these labels and annotations beside regcred's own.
func (rig *deliveryRig) wears(ctx context.Context, namespace string, labels, annotations map[string]string) error {
	secret, err := rig.secret(ctx, namespace, "regcred")
	if err != nil {
		return err
	}
	for kind, set := range map[string]struct{ have, want map[string]string }{
		"labels": {secret.Labels, labels}, "annotations": {secret.Annotations, annotations},
	} {
		have := maps.Clone(set.have)
		for _, own := range []string{v1alpha1.ManagedLabel, v1alpha1.ManagedByLabel, v1alpha1.SourcesAnnotation} {
			delete(have, own)
		}
		if !maps.Equal(have, set.want) {
			return fmt.Errorf("the Secret in %s has the %s %v, it should have %v", namespace, kind, have, set.want)
		}
	}
	return nil
}

func (rig *deliveryRig) patchSecret(t *testing.T, namespace, body string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "regcred"}}
	if err := rig.admin.Patch(t.Context(), secret, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
		t.Fatal(err)
	}
}

func metadataFollows(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("meta", "one")
	rig.credential(t, "meta", ownRegistry, func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team)(spec)
		spec.Target.SecretLabels, spec.Target.SecretAnnotations = wantedLabels{watched: "true"}, wantedAnnotations{"team.example/note": "pull"}
	})
	wears := func(what string, labels, annotations map[string]string) {
		t.Helper()
		eventually(t, what, func(ctx context.Context) error { return rig.wears(ctx, team, labels, annotations) })
	}
	wears("they are written", map[string]string{watched: "true"}, map[string]string{"team.example/note": "pull"})
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })

	rig.patchSecret(t, team, `{"metadata":{"labels":{"team":"shop"},"annotations":{"note":"theirs"}}}`)
	rig.edit(t, "meta", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretLabels = wantedLabels{watched: "false", "site": "north"}
		c.Spec.Target.SecretAnnotations = wantedAnnotations{"team.example/note": "push", "argocd.argoproj.io/secret-type": "repository"}
	})
	wears("they are changed, beside those of others", map[string]string{watched: "false", "site": "north", "team": "shop"},
		map[string]string{"team.example/note": "push", "argocd.argoproj.io/secret-type": "repository", "note": "theirs"})

	rig.patchSecret(t, team, `{"metadata":{"labels":{"`+watched+`":null},"annotations":{"team.example/note":null}}}`)
	wears("what somebody takes off is written again", map[string]string{watched: "false", "site": "north", "team": "shop"},
		map[string]string{"team.example/note": "push", "argocd.argoproj.io/secret-type": "repository", "note": "theirs"})

	rig.rotate(t, values, "meta", "two")
	eventually(t, "a rotation", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "two") })
	rig.edit(t, "meta", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretLabels, c.Spec.Target.SecretAnnotations = wantedLabels{"site": "north"}, nil
	})
	wears("they are taken away", map[string]string{"site": "north", "team": "shop"}, map[string]string{"note": "theirs"})
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "meta") })
}

func metadataOfOthers(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("meta-theirs", "one")
	rig.credential(t, "meta-theirs", ownRegistry, inNamespaces(team))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })
	theirs, note := map[string]string{"site": "south"}, map[string]string{"note": "call us"}
	rig.patchSecret(t, team, `{"metadata":{"labels":{"site":"south"},"annotations":{"note":"call us"}}}`)
	rig.edit(t, "meta-theirs", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretLabels, c.Spec.Target.SecretAnnotations = wantedLabels{"site": "north", "more": "x"}, wantedAnnotations{"note": "pull"}
	})
	eventually(t, "the other label is written, and theirs stays", func(ctx context.Context) error {
		return rig.wears(ctx, team, map[string]string{"site": "south", "more": "x"}, note)
	})
	rig.edit(t, "meta-theirs", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretLabels, c.Spec.Target.SecretAnnotations = nil, nil
	})
	eventually(t, "theirs stays when the spec gives it up", func(ctx context.Context) error { return rig.wears(ctx, team, theirs, note) })
	eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "meta-theirs") })
}

// metadataReserved: the API server cannot refuse the key in the spec, because no rule of a schema may look through the keys of a map that can
// be of any length. The operator does, and the policy refuses it to whoever has the operator's token.
func metadataReserved(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("meta-reserved", "one")
	rig.credential(t, "meta-reserved", ownRegistry, func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team)(spec)
		spec.Target.SecretLabels = wantedLabels{"site": "north"}
	})
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, ownRegistry, "one") })
	rig.edit(t, "meta-reserved", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Target.SecretLabels = wantedLabels{"site": "north", "argocd.argoproj.io/instance": "shop"}
	})
	eventually(t, "the status names the key", func(ctx context.Context) error {
		return rig.says(ctx, "meta-reserved", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidSecretMetadata, "argocd.argoproj.io/instance")
	})
	if err := rig.served(t.Context(), team, ownRegistry, "one"); err != nil {
		t.Error(err)
	}
	if err := rig.wears(t.Context(), team, map[string]string{"site": "north"}, nil); err != nil {
		t.Error(err)
	}
	operator := newAPIClient(t, rig.operator)
	for _, key := range []string{"argocd.argoproj.io/instance", "app.kubernetes.io/part-of", "reflector.v1.k8s.emberstack.com/reflection-allowed"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "regcred"}}
		for _, kind := range []string{"labels", "annotations"} {
			err := doPatch(`{"metadata":{"`+kind+`":{"`+key+`":"true"}}}`)(t.Context(), operator, secret)
			if !apierrors.IsForbidden(err) || !strings.Contains(fmt.Sprint(err), neverWritten) {
				t.Errorf("%s %s by the operator's token: %v", kind, key, err)
			}
		}
	}
	rig.edit(t, "meta-reserved", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.SecretLabels = wantedLabels{"site": "south"} })
	eventually(t, "it is well once the key is taken out", func(ctx context.Context) error { return rig.ready(ctx, "meta-reserved") })
	eventually(t, "and the other label follows", func(ctx context.Context) error { return rig.wears(ctx, team, map[string]string{"site": "south"}, nil) })
}

func entriesPerHost(t *testing.T, rig *deliveryRig, values *shelf) {
	team := rig.team(t, nil)
	values.put("per-host", "one")
	rig.credential(t, "per-host", "ghcr.io/company", inNamespaces(team))
	holds := func(what string, entries map[string]string) {
		t.Helper()
		eventually(t, what, func(ctx context.Context) error { return rig.holds(ctx, team, "regcred", entries) })
		eventually(t, "the status is well", func(ctx context.Context) error { return rig.ready(ctx, "per-host") })
	}
	holds("an entry for the registry", map[string]string{"ghcr.io/company": "one"})
	rig.edit(t, "per-host", func(c *v1alpha1.RegistryCredential) {
		c.Spec.Registries = append(c.Spec.Registries, "ghcr.io/other", "docker.io/company")
		c.Spec.Target.EntryPer = v1alpha1.EntryPerHost
	})
	holds("one entry for each host", map[string]string{"ghcr.io": "one", "https://index.docker.io/v1/": "one"})
	rig.rotate(t, values, "per-host", "two")
	holds("a rotation", map[string]string{"ghcr.io": "two", "https://index.docker.io/v1/": "two"})
	rig.edit(t, "per-host", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.EntryPer = v1alpha1.EntryPerRegistry })
	holds("an entry for each registry again", map[string]string{"ghcr.io/company": "two", "ghcr.io/other": "two", "docker.io/company": "two"})
}

// entriesPerHostEverywhere has more namespaces than may lose something without a person.
func entriesPerHostEverywhere(t *testing.T, rig *deliveryRig, values *shelf) {
	teams := rig.teams(t, 8, nil)
	values.put("per-host-all", "one")
	rig.credential(t, "per-host-all", "ghcr.io/company", inNamespaces(teams...))
	everywhere := func(what, key string) {
		t.Helper()
		eventually(t, what, func(ctx context.Context) error {
			for _, team := range teams {
				if err := rig.holds(ctx, team, "regcred", map[string]string{key: "one"}); err != nil {
					return err
				}
			}
			return rig.ready(ctx, "per-host-all")
		})
	}
	everywhere("an entry for the registry", "ghcr.io/company")
	rig.edit(t, "per-host-all", func(c *v1alpha1.RegistryCredential) { c.Spec.Target.EntryPer = v1alpha1.EntryPerHost })
	everywhere("an entry for the host", "ghcr.io")
}

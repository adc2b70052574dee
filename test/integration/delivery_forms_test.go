package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
)

// unusableForms has a Secret taken over that holds entries under names that no kubelet knows. They are nobody's business but
// their author's, so they stay; the object says where they are and what to write.
func unusableForms(t *testing.T, rig *deliveryRig, values *shelf) {
	team, other := rig.team(t, nil), rig.team(t, nil)
	const entry = `{"username":"theirs","password":"theirs"}`
	rig.create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "regcred"},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(
			`{"auths":{"hub.docker.com":` + entry + `,"theirs.example":` + entry + `}}`)},
	})
	values.put("forms", "new")
	rig.credential(t, "forms", ownRegistry, func(spec *v1alpha1.RegistryCredentialSpec) {
		inNamespaces(team, other)(spec)
		spec.Target.ExistingSecrets = v1alpha1.ExistingAdopt
	})
	eventually(t, "the Secret is taken over with all that it held", func(ctx context.Context) error {
		return rig.holds(ctx, team, "regcred", map[string]string{ownRegistry: "new", "theirs.example": "theirs", "hub.docker.com": "theirs"})
	})
	eventually(t, "the status names the form and what to write", func(ctx context.Context) error {
		return rig.unusable(ctx, "forms", v1alpha1.ReasonDockerHubKey, team, "hub.docker.com", "https://index.docker.io/v1/")
	})
	eventually(t, "it takes nothing from Ready", func(ctx context.Context) error { return rig.ready(ctx, "forms") })

	secret, err := rig.secret(t.Context(), team, "regcred")
	if err != nil {
		t.Fatal(err)
	}
	secret.Data[corev1.DockerConfigJsonKey] = []byte(strings.Replace(string(secret.Data[corev1.DockerConfigJsonKey]), "hub.docker.com", "third.example", 1))
	secret.Annotations[v1alpha1.SourcesAnnotation] = strings.Replace(secret.Annotations[v1alpha1.SourcesAnnotation], "hub.docker.com", "third.example", 1)
	if err := rig.admin.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "once it is fixed nothing is said", func(ctx context.Context) error { return rig.unusable(ctx, "forms", "") })
}

// unusable reports whether the condition UnusableForm has a reason and says some words. Without a reason there must be none.
func (rig *deliveryRig) unusable(ctx context.Context, name, reason string, words ...string) error {
	object := &v1alpha1.RegistryCredential{}
	if err := rig.admin.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
		return err
	}
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionUnusableForm)
	switch {
	case c == nil && reason == "":
		return nil
	case c == nil || c.Status != metav1.ConditionTrue || c.Reason != reason:
		return fmt.Errorf("want %q, have %+v", reason, c)
	}
	for _, word := range words {
		if !strings.Contains(c.Message, word) {
			return fmt.Errorf("the message lacks %q: %s", word, c.Message)
		}
	}
	return nil
}

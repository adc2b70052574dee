package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/podlist"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
	"regcred.dev/regcred/internal/verify"
)

// valueInUse is the value of a RegistryCredential as a pull Secret of regcred holds it.
type valueInUse struct {
	namespace, secret, revision string
	config                      dockerconfig.Config
	// notes say what else is there.
	notes []string
}

// valueOf reads the value from the namespace that the caller names, else from those in which regcred wrote it.
func (v *verifying) valueOf(ctx context.Context, c client.Client, object *v1alpha1.RegistryCredential) (*valueInUse, error) {
	name := object.Spec.Target.Name()
	namespace, named, err := v.access.Namespace()
	if err != nil {
		return nil, err
	}
	var found *valueInUse
	if named {
		var secret corev1.Secret
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret); err != nil {
			return nil, unreadableValue(err, "in namespace "+foreign.Name(namespace), name)
		}
		found = valueIn(&secret, object)
	} else if found, err = v.valueOfMost(ctx, c, object); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("no Secret %s that you may read holds a value of RegistryCredential %s. Where it is: kubectl regcred status %s",
			foreign.Name(name), foreign.Name(object.Name), foreign.Name(object.Name))
	}
	return found, nil
}

// valueOfMost reads the value that most of the selected namespaces have, of those that have the revision in use where there are some. Whoever
// may write Secrets in a namespace can write there what looks like regcred's.
func (v *verifying) valueOfMost(ctx context.Context, c client.Client, object *v1alpha1.RegistryCredential) (*valueInUse, error) {
	name := object.Spec.Target.Name()
	selected, err := (&usage{reader: c, operator: v.operator}).selected(ctx, object)
	anywhere := apierrors.IsForbidden(err) // as who may list Secrets and no namespaces can tell no better
	if err != nil && !anywhere {
		return nil, err
	}
	var all candidates
	err = each(ctx, c, &corev1.SecretList{}, secretsAtOnce, func(listed client.Object) {
		if secret, ok := listed.(*corev1.Secret); ok && (anywhere || selected[secret.Namespace]) {
			all.add(valueIn(secret, object))
		}
	}, client.MatchingFields{"metadata.name": name}, client.MatchingLabels{v1alpha1.ManagedLabel: v1alpha1.ManagedValue})
	if err != nil {
		return nil, unreadableValue(err, "in all namespaces", name)
	}
	return all.most(revisionOf(object)), nil
}

func unreadableValue(err error, where, secret string) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not read Secret %s %s, so this machine has no value to ask with: name a namespace whose Secrets you may read with -n. "+
			"Without that right, ask what the operator last heard: kubectl regcred status NAME", foreign.Name(secret), where)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("there is no Secret %s %s", foreign.Name(secret), where)
	}
	return errors.New("read Secret " + foreign.Name(secret) + " " + where + ": " + foreign.Message(err.Error()))
}

// valueIn is what a RegistryCredential wrote into a Secret, nil where it wrote nothing there that can be used.
func valueIn(secret *corev1.Secret, object *v1alpha1.RegistryCredential) *valueInUse {
	if secret == nil || !pullsecret.OwnerOf(secret).Ours {
		return nil
	}
	source, written := pullsecret.SourcesOf(secret.Annotations)[object.Name]
	config, _ := dockerconfig.ParseLenient(secret.Data[corev1.DockerConfigJsonKey])
	if !written {
		return nil
	}
	value := &valueInUse{namespace: secret.Namespace, secret: secret.Name, revision: source.Revision, config: dockerconfig.Config{}}
	allowed := target.Keys(&object.Spec) // whoever may write the Secret does not choose which hosts are asked
	for _, key := range source.Keys {
		if credential, ok := config[key]; ok && slices.Contains(allowed, key) {
			value.config[key] = credential
		}
	}
	if len(value.config) == 0 {
		return nil
	}
	return value
}

func (v *valueInUse) keys() []string {
	var keys []string
	for key := range v.config {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// ask asks each registry for its images. A registry without one is asked for the login alone.
func (v *valueInUse) ask(ctx context.Context, verifier *verify.Verifier, images []string) []verifyAnswer {
	byKey := map[string][]string{}
	var answers []verifyAnswer
	for _, image := range images {
		used := registry.MostSpecific(v.keys(), image)
		if len(used) == 0 {
			answers = append(answers, verifyAnswer{Image: foreign.Name(image), Verdict: verify.ValueUnknown, Reason: verify.NotTestable,
				Message: "no registry of the RegistryCredential serves this image: see spec.registries"})
			continue
		}
		byKey[used[0]] = append(byKey[used[0]], image)
	}
	for _, key := range v.keys() {
		results := verifier.Pull(ctx, key, v.config[key], byKey[key]...)
		if len(results) == 0 {
			results = append(results, verifier.Login(ctx, key, v.config[key]))
		}
		for _, r := range results {
			answers = append(answers, verifyAnswer{Registry: foreign.Name(r.Registry), Image: foreign.Text(r.Image, podlist.MaxImageLength),
				Verdict: verdicts[r.Outcome], Reason: r.Reason, Message: foreign.Message(verify.AskedOnce(r.Message)), Digest: foreign.Name(r.Digest)})
		}
	}
	return answers
}

// outdated says that the Secret does not have the value that is in use.
func (v *valueInUse) outdated(object *v1alpha1.RegistryCredential) []string {
	if current := revisionOf(object); current != foreign.Name(v.revision) {
		return []string{fmt.Sprintf("Secret %s in namespace %s has revision %s, and revision %s is in use.", v.secret, v.namespace, foreign.Name(v.revision), current)}
	}
	return nil
}

// hints say which flag of this command can help.
var hints = map[verify.Reason]string{
	verify.AddressRefused: "A registry behind an address of this machine is asked with --allow-loopback-registries.",
	verify.TLSFailed:      "This command takes --registry-ca HOST=FILE for a private CA, and --insecure-registries HOST for plain http.",
	verify.Unreachable:    "This machine may not reach what nodes reach. Compare it with what the operator last heard.",
}

func hintsFor(answers []verifyAnswer) []string {
	var found []string
	for _, a := range answers {
		hint := hints[a.Reason]
		if a.Reason == verify.TLSFailed && !strings.Contains(a.Message, "flag --") {
			hint = "" // such as a certificate that has expired
		}
		if hint != "" && !slices.Contains(found, hint) {
			found = append(found, hint)
		}
	}
	return found
}

// heardByOperator is what the status says.
func heardByOperator(object *v1alpha1.RegistryCredential) verifiedBefore {
	heard := verifiedBefore{Status: metav1.ConditionUnknown}
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionVerified); c != nil {
		heard.Status, heard.Reason, heard.Message = c.Status, foreign.Name(c.Reason), foreign.Message(c.Message)
	}
	if c := object.Status.Credential; c != nil && !c.VerifiedTime.IsZero() {
		at := c.VerifiedTime.UTC()
		heard.Time = &at
	}
	return heard
}

var verdicts = map[verify.Outcome]verify.Verdict{verify.Valid: verify.ValueAccepted, verify.Rejected: verify.ValueRejected, verify.Unknown: verify.ValueUnknown}

var verdictColours = map[verify.Verdict]string{verify.ValueAccepted: green, verify.ValueRejected: red, verify.ValueUnknown: yellow}

func printVerified(out io.Writer, v verified, wide bool, now time.Time) error {
	w := newWriter(out)
	w.line("RegistryCredential %s, revision %s, as Secret %s in namespace %s has it. Asked from %s:", v.Name, v.Revision, v.Secret, v.Namespace, v.AskedFrom)
	header := cells("REGISTRY", "IMAGE", "ANSWER", "REASON")
	if wide {
		header = append(header, cell{text: "DIGEST"})
	}
	rows := [][]cell{append(header, cell{text: "MESSAGE"})}
	for _, a := range v.Answers {
		image := a.Image
		if image == "" {
			image = "(login)"
		}
		row := []cell{{text: dash(a.Registry)}, {text: image}, {text: string(a.Verdict), colour: verdictColours[a.Verdict]}, {text: string(a.Reason)}}
		if wide {
			row = append(row, cell{text: dash(a.Digest)})
		}
		rows = append(rows, append(row, cell{text: a.Message}))
	}
	w.table("  ", rows)
	heard := "Asked by the operator, from the cluster"
	if v.Operator.Time != nil {
		heard += ", last accepted " + age(v.Operator.Time, now) + " ago"
	}
	w.line("%s: Verified=%s %s: %s", heard, v.Operator.Status, strings.TrimSpace(v.Operator.Reason), v.Operator.Message)
	for _, note := range v.Notes {
		w.line("Note: %s", note)
	}
	return w.err
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

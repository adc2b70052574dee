package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/target"
)

// attach makes the wanted ServiceAccounts name the Secret, and returns what stands against it for each. A Secret that is not there,
// or not ours, is given to nobody.
func (r *Reconciler) attach(ctx context.Context, f facts, secret *corev1.Secret) map[string]*problem {
	problems := map[string]*problem{}
	if secret == nil {
		return problems
	}
	f.ours = secret
	for _, name := range f.wanted(pullsecret.SourcesOf(secret.Annotations)) {
		if p := r.attachTo(ctx, f, name); p != nil {
			problems[name] = p
		}
	}
	return problems
}

func (r *Reconciler) attachTo(ctx context.Context, f facts, name string) *problem {
	account, err := r.account(ctx, f, name)
	switch {
	case errors.Is(err, named.ErrNotAllowed):
		return &problem{account: true, reason: v1alpha1.ReasonServiceAccountNotAllowed, message: target.NotGiven(
			"ServiceAccount", name, r.ServiceAccounts.Names(), "serviceAccountNames")}
	case err != nil:
		return failedWrite("ServiceAccount "+name, err).ofAccount()
	case account == nil:
		return &problem{account: true, reason: v1alpha1.ReasonServiceAccountNotFound, message: fmt.Sprintf(
			"ServiceAccount %s does not exist; it is served when it comes", name)}
	}
	if lists(account, f.place.Name) || account.DeletionTimestamp != nil {
		return nil
	}
	list := append(slices.Clone(account.ImagePullSecrets), corev1.LocalObjectReference{Name: f.place.Name})
	if applier := applierOf(account); applier != "" {
		return applied(account.Name, applier, list)
	}
	attached := attachedTo(account)
	attached[f.place.Name] = metav1.NewTime(r.Now().UTC().Truncate(time.Second))
	return r.patchAccount(ctx, f, account, "attach", list, attached)
}

// detach takes the Secret from the ServiceAccounts that regcred gave it to and that nobody wants to have it any more.
func (r *Reconciler) detach(ctx context.Context, f facts) *problem {
	var given []string
	var accounts corev1.ServiceAccountList
	err := r.ServiceAccounts.List(ctx, f.place.Namespace, &accounts, func() {
		for i := range accounts.Items {
			if f.keeps(accounts.Items[i].Name) { // as all but a few, and its annotation need not be read
				continue
			}
			if _, ours := attachedTo(&accounts.Items[i])[f.place.Name]; ours {
				given = append(given, accounts.Items[i].Name)
			}
		}
	})
	if err != nil {
		return failedWrite("ServiceAccounts", err).ofAccount()
	}
	var problems []*problem
	for _, name := range given {
		problems = append(problems, r.detachFrom(ctx, f, name))
	}
	return gravest(problems...)
}

func (r *Reconciler) detachFrom(ctx context.Context, f facts, name string) *problem {
	account, err := r.account(ctx, f, name)
	if err != nil {
		return failedWrite("ServiceAccount "+name, err).ofAccount()
	}
	if account == nil || account.DeletionTimestamp != nil {
		return nil
	}
	attached := attachedTo(account)
	if _, given := attached[f.place.Name]; !given {
		return nil
	}
	delete(attached, f.place.Name)
	list := account.ImagePullSecrets
	if applierOf(account) == "" { // else the entry is theirs by now: they apply the whole list
		list = slices.DeleteFunc(slices.Clone(list), func(ref corev1.LocalObjectReference) bool { return ref.Name == f.place.Name })
	}
	return r.patchAccount(ctx, f, account, "detach", list, attached)
}

// account reads a ServiceAccount of the place, nil where there is none.
func (r *Reconciler) account(ctx context.Context, f facts, name string) (*corev1.ServiceAccount, error) {
	key := client.ObjectKey{Namespace: f.place.Namespace, Name: name}
	object, err := r.read(ctx, r.ServiceAccounts, key, func() client.Object { return &corev1.ServiceAccount{} }, f.memory.seen(name))
	account, _ := object.(*corev1.ServiceAccount)
	return account, err
}

// patchAccount writes the whole list: imagePullSecrets is atomic for apply and strategic merge patch, which would drop other
// people's entries. The resourceVersion makes a lost update impossible. A rival who changes it back meets the same bounds as one
// who does so to the Secret; a ServiceAccount that is deleted and recreated counts as changed back.
func (r *Reconciler) patchAccount(ctx context.Context, f facts, account *corev1.ServiceAccount, action string, list []corev1.LocalObjectReference, attached map[string]metav1.Time) *problem {
	object, purpose := "ServiceAccount "+account.Name, sha256.Sum256([]byte(action))
	memory := f.memory.account(account.Name)
	contest := memory.contested()
	contest.meets(true, account.CreationTimestamp, r.Now())
	if may, wait := contest.mayWrite(purpose, purpose, r.Now()); !may {
		return contested(object, pullsecret.Rival(account.ManagedFields, "imagePullSecrets"), remedyFor(list), wait).ofAccount()
	}
	patch, err := listPatch(account, list, attached)
	if err == nil {
		account = account.DeepCopy()
		err = r.Writer.Patch(ctx, account, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	}
	if err != nil {
		memory.trace.doubt = true
		return failedWrite(object, err).ofAccount()
	}
	memory.trace.wrote(account)
	contest.note(purpose, purpose, r.Now())
	log.FromContext(ctx).Info("Changed who names the pull secret", "serviceAccount", account.Name, "action", action, "revisions", f.revisions(f.ours))
	return nil
}

// listPatch is a JSON merge patch of exactly the ServiceAccount that was looked at.
func listPatch(account *corev1.ServiceAccount, list []corev1.LocalObjectReference, attached map[string]metav1.Time) ([]byte, error) {
	var annotation any // null removes it
	if len(attached) > 0 {
		encoded, err := json.Marshal(attached)
		if err != nil {
			return nil, err
		}
		annotation = string(encoded)
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": account.UID, "resourceVersion": account.ResourceVersion,
			"annotations": map[string]any{v1alpha1.AttachedAnnotation: annotation},
		},
		"imagePullSecrets": list,
	})
}

// applierOf names the field manager that applies the list, which only it may write then: the list is one field, and a change of it by
// regcred would make the next apply fail with a conflict.
func applierOf(account *corev1.ServiceAccount) string {
	return pullsecret.Applier(account.ManagedFields, "imagePullSecrets")
}

// applied is told where the list of a ServiceAccount belongs to a field manager that applies it. The watch brings the place back when the
// list changes.
func applied(name, applier string, list []corev1.LocalObjectReference) *problem {
	return &problem{account: true, reason: v1alpha1.ReasonServiceAccountApplied, message: foreign.Message(fmt.Sprintf(
		"ServiceAccount %s: field manager %s applies imagePullSecrets, so regcred does not write them: %s, or set spec.target.attach: Pods",
		name, foreign.Name(applier), remedyFor(list)))}
}

// namedInRemedy is how many pull secrets a remedy names: whoever may write a ServiceAccount can list a hundred thousand.
const namedInRemedy = 8

// remedyFor shows the line to commit, where a tool keeps writing the ServiceAccount. Of a long list it shows the end, where the
// operator's entry is.
func remedyFor(list []corev1.LocalObjectReference) string {
	var names []string
	if len(list) > namedInRemedy {
		names, list = append(names, "..."), list[len(list)-namedInRemedy:]
	}
	for _, ref := range list {
		names = append(names, "{name: "+foreign.Text(ref.Name, 64)+"}")
	}
	return "write there imagePullSecrets: [" + strings.Join(names, ", ") + "]"
}

func lists(account *corev1.ServiceAccount, secret string) bool {
	return slices.ContainsFunc(account.ImagePullSecrets, func(ref corev1.LocalObjectReference) bool { return ref.Name == secret })
}

// attachedTo reads when regcred added which Secrets. An annotation that somebody broke records nothing, so nothing is removed.
func attachedTo(account *corev1.ServiceAccount) map[string]metav1.Time {
	attached := map[string]metav1.Time{}
	if err := json.Unmarshal([]byte(account.Annotations[v1alpha1.AttachedAnnotation]), &attached); err != nil || attached == nil {
		return map[string]metav1.Time{}
	}
	return attached
}

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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/named"
	"regcred.dev/regcred/internal/pullsecret"
)

// attach makes the wanted ServiceAccounts name the Secret, and takes it from others that regcred once gave it to.
func (r *Reconciler) attach(ctx context.Context, f facts) *problem {
	wanted := f.accounts()
	first := r.detachExcept(ctx, f, wanted)
	for _, name := range wanted {
		if p := r.attachOne(ctx, f, name); p != nil && (first == nil || first.waits() && !p.waits()) {
			first = p
		}
	}
	return first
}

func (r *Reconciler) attachOne(ctx context.Context, f facts, name string) *problem {
	var account corev1.ServiceAccount
	err := r.ServiceAccounts.Get(ctx, client.ObjectKey{Namespace: f.place.Namespace, Name: name}, &account)
	switch {
	case errors.Is(err, named.ErrNotAllowed):
		return &problem{account: true, reason: v1alpha1.ReasonServiceAccountNotAllowed, message: fmt.Sprintf(
			"the operator may not patch ServiceAccounts named %s: add the name to --service-account-names and to the operator's role", name)}
	case apierrors.IsNotFound(err):
		return &problem{account: true, reason: v1alpha1.ReasonServiceAccountNotFound, message: fmt.Sprintf(
			"ServiceAccount %s does not exist; it is served when it comes", name)}
	case err != nil:
		return failedWrite("ServiceAccount "+name, err).ofAccount()
	}
	if names(&account, f.place.Name) || account.DeletionTimestamp != nil {
		return nil
	}
	contest := r.contests.of(f.place, string(account.UID))
	content := sha256.Sum256([]byte(f.place.Name))
	revert := contest.wrote(content)
	if revert {
		if may, wait := contest.mayRepair(r.Now()); !may {
			return contested("ServiceAccount "+name, accountRival(&account), wait).ofAccount()
		}
	}
	attached := attachedTo(&account)
	attached[f.place.Name] = metav1.NewTime(r.Now().UTC().Truncate(time.Second))
	list := append(slices.Clone(account.ImagePullSecrets), corev1.LocalObjectReference{Name: f.place.Name})
	if err := r.patchAccount(ctx, &account, list, attached); err != nil {
		return failedWrite("ServiceAccount "+name, err).ofAccount()
	}
	contest.note(content, revert, r.Now())
	log.FromContext(ctx).Info("Attached the pull secret", "serviceAccount", name)
	return nil
}

func (r *Reconciler) detachAll(ctx context.Context, f facts) *problem {
	return r.detachExcept(ctx, f, nil)
}

// detachExcept takes the Secret from the ServiceAccounts that regcred gave it to, save the wanted ones.
func (r *Reconciler) detachExcept(ctx context.Context, f facts, wanted []string) *problem {
	var todo []*corev1.ServiceAccount
	var accounts corev1.ServiceAccountList
	err := r.ServiceAccounts.List(ctx, f.place.Namespace, &accounts, func() {
		for i := range accounts.Items {
			account := &accounts.Items[i]
			if _, given := attachedTo(account)[f.place.Name]; given && !slices.Contains(wanted, account.Name) && account.DeletionTimestamp == nil {
				todo = append(todo, account.DeepCopy())
			}
		}
	})
	if err != nil {
		return failedWrite("ServiceAccounts", err).ofAccount()
	}
	for _, account := range todo {
		attached := attachedTo(account)
		delete(attached, f.place.Name)
		list := slices.DeleteFunc(slices.Clone(account.ImagePullSecrets), func(ref corev1.LocalObjectReference) bool { return ref.Name == f.place.Name })
		if err := client.IgnoreNotFound(r.patchAccount(ctx, account, list, attached)); err != nil {
			return failedWrite("ServiceAccount "+account.Name, err).ofAccount()
		}
		log.FromContext(ctx).Info("Detached the pull secret", "serviceAccount", account.Name)
	}
	return nil
}

// patchAccount writes the whole list: imagePullSecrets is atomic for apply and strategic merge patch, which would drop other
// people's entries. The resourceVersion makes a lost update impossible.
func (r *Reconciler) patchAccount(ctx context.Context, account *corev1.ServiceAccount, list []corev1.LocalObjectReference, attached map[string]metav1.Time) error {
	var annotation *string // null removes it
	if len(attached) > 0 {
		encoded, err := json.Marshal(attached)
		if err != nil {
			return err
		}
		text := string(encoded)
		annotation = &text
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": account.UID, "resourceVersion": account.ResourceVersion,
			"annotations": map[string]any{v1alpha1.AttachedAnnotation: annotation},
		},
		"imagePullSecrets": list,
	})
	if err != nil {
		return err
	}
	return r.Writer.Patch(ctx, account.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
}

func names(account *corev1.ServiceAccount, secret string) bool {
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

func accountRival(account *corev1.ServiceAccount) string {
	if managers := pullsecret.Managers(account.ManagedFields); len(managers) > 0 {
		return "field manager " + strings.Join(managers[:1], "")
	}
	return "somebody unknown"
}

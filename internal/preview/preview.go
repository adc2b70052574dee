// Package preview says what a RegistryCredential would do in each namespace if it were applied. It decides from facts alone, by the code by
// which the operator selects namespaces and tells whose a Secret is.
package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/target"
)

// Effect is what happens to the Secret of one namespace.
type Effect string

// The effects, those first that a person should look at.
const (
	// Remove takes the entries of the RegistryCredential away.
	Remove Effect = "Remove"
	// Refuse leaves a Secret that belongs to somebody else, or a protected namespace: it is not served.
	Refuse Effect = "Refuse"
	// Unknown: the Secret may not be read.
	Unknown Effect = "Unknown"
	// Adopt takes over a hand-made Secret.
	Adopt Effect = "Adopt"
	// Create makes the Secret.
	Create Effect = "Create"
	// Update writes the entries into a Secret of regcred.
	Update Effect = "Update"
	// Keep changes nothing of a Secret of regcred.
	Keep Effect = "Keep"
)

var order = []Effect{Remove, Refuse, Unknown, Adopt, Create, Update, Keep}

// Namespace is what is known of one.
type Namespace struct {
	Name   string
	Labels map[string]string
	// Missing says that it does not exist: a target may name it all the same.
	Missing bool
	// Secret is the one that the RegistryCredential would write.
	Secret diagnosis.Secret
	// Accounts are its ServiceAccounts that the target names.
	Accounts []diagnosis.Account
	// OptedOut says that its annotation keeps pods from getting the Secret by the admission policy.
	OptedOut bool
}

// Row is what happens in one namespace. Its JSON form is stable.
type Row struct {
	Namespace string `json:"namespace"`
	Secret    Effect `json:"secret"`
	// Attach are the ServiceAccounts that get the Secret.
	Attach []string `json:"attach,omitempty"`
	// Pods says that new pods get it, by the admission policy.
	Pods bool `json:"pods,omitempty"`
	// Note says why, or what is missing.
	Note string `json:"note,omitempty"`
}

// Selectors are the namespaces that a RegistryCredential selects before, if it exists, and after.
type Selectors struct {
	Before, After target.Selector
	// keeps says that what is in the Secrets does not change.
	keeps bool
}

// SelectorsOf are those of an object as it is, nil where it is not there, and as it would be.
func SelectorsOf(before, after *v1alpha1.RegistryCredential, limits Limits) (Selectors, error) {
	protected := limits.Selecting()
	var s Selectors
	var err error
	if before != nil {
		s.keeps = equality.Semantic.DeepEqual(contentOf(before), contentOf(after))
		if s.Before, err = target.New(&before.Spec.Target, protected); err != nil {
			return s, err
		}
	}
	s.After, err = target.New(&after.Spec.Target, protected)
	return s, err
}

// Unchanged reports whether the specs of two objects are the same. Before is nil where there is no such object.
func Unchanged(before, after *v1alpha1.RegistryCredential) bool {
	return before != nil && equality.Semantic.DeepEqual(before.Spec, after.Spec)
}

// contentOf is the part of a spec that decides what is in the Secrets: not where they are, who names them, and when the source is read.
func contentOf(object *v1alpha1.RegistryCredential) v1alpha1.RegistryCredentialSpec {
	spec := *object.Spec.DeepCopy()
	spec.RefreshPeriodSeconds, spec.Verification, spec.PodRecovery, spec.DeletionPolicy = nil, nil, nil, ""
	t := spec.Target
	spec.Target = v1alpha1.Target{SecretName: object.Spec.Target.Name(), EntryPer: t.EntryPer, SecretLabels: t.SecretLabels, SecretAnnotations: t.SecretAnnotations}
	return spec
}

// Concerns reports whether a namespace is to be looked at.
func (s Selectors) Concerns(name string, labels map[string]string) bool {
	return s.Before.Selects(name, labels) || s.After.Selects(name, labels)
}

// Rows say what applying an object does in the namespaces that it concerns: what a person should look at first.
func Rows(after *v1alpha1.RegistryCredential, s Selectors, limits Limits, namespaces []Namespace) []Row {
	rows := []Row{}
	for _, n := range namespaces {
		selected, was := s.After.Selects(n.Name, n.Labels), s.Before.Selects(n.Name, n.Labels)
		if !selected && !was {
			continue
		}
		row := rowOf(after, n, selected, limits.refuses(n.Name))
		if row.Secret == Update && was && s.keeps {
			row.Secret = Keep
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Secret), slices.Index(order, b.Secret)), cmp.Compare(a.Namespace, b.Namespace))
	})
	return rows
}

// rowOf is what happens in a namespace. refused says why nothing is written there, whatever is in it.
func rowOf(after *v1alpha1.RegistryCredential, n Namespace, selected bool, refused string) Row {
	row := Row{Namespace: foreign.Name(n.Name)}
	name := after.Spec.Target.Name()
	switch {
	case !selected:
		row.Secret, row.Note = Remove, "it is not selected any more"
		return row
	case refused != "":
		row.Secret, row.Note = Refuse, refused
		return row
	case n.Missing:
		row.Secret, row.Note = Create, "the namespace does not exist; it is served when it comes"
		return row
	case n.Secret.Unread:
		row.Secret, row.Note = Unknown, "you may not read Secret "+name
	case n.Secret.Missing:
		row.Secret = Create
	case n.Secret.Owner.Ours:
		row.Secret = Update
	case n.Secret.Owner.Adoptable && after.Spec.Target.Existing() == v1alpha1.ExistingAdopt:
		row.Secret, row.Note = Adopt, "made by "+n.Secret.Owner.Manager
	default:
		row.Secret, row.Note = Refuse, fmt.Sprintf("Secret %s belongs to %s: %s", name, n.Secret.Owner.Manager, n.Secret.Owner.Fix)
		row.Note = foreign.Message(row.Note)
		return row
	}
	row.reach(after, n)
	row.Note = foreign.Message(row.Note)
	return row
}

// reach says how pods come to name the Secret.
func (r *Row) reach(after *v1alpha1.RegistryCredential, n Namespace) {
	switch after.Spec.Target.Attachment() {
	case v1alpha1.AttachPods:
		if r.Pods = !n.OptedOut; n.OptedOut {
			r.note(fmt.Sprintf("its annotation %s: %s keeps pods from getting the Secret", v1alpha1.AttachAnnotation, v1alpha1.AttachDisabled))
		}
	case v1alpha1.AttachServiceAccounts:
		r.attach(after.Spec.Target.Name(), n.Accounts)
	}
}

func (r *Row) note(text string) {
	if r.Note != "" {
		text = r.Note + "; " + text
	}
	r.Note = text
}

// attach says which ServiceAccounts get the Secret.
func (r *Row) attach(secret string, accounts []diagnosis.Account) {
	for _, account := range accounts {
		switch {
		case account.Unread:
			r.note("you may not read ServiceAccount " + account.Name)
		case account.Missing:
			r.note("ServiceAccount " + account.Name + " does not exist; it is served when it comes")
		case !slices.Contains(account.PullSecrets, secret):
			r.Attach = append(r.Attach, foreign.Name(account.Name))
		}
	}
}

// Losses are what namespaces that stay selected lose all the same: entries for registries that are not listed any more, the whole Secret
// because it gets another name, or the name in their pods. Before is nil where there is no such object.
func Losses(before, after *v1alpha1.RegistryCredential) []string {
	if before == nil {
		return nil
	}
	var losses []string
	if was, is := before.Spec.Target.Name(), after.Spec.Target.Name(); was != is {
		losses = append(losses, fmt.Sprintf("Secret %s loses its entries once Secret %s is there", was, is))
	}
	if was, is := before.Spec.Target.Attachment(), after.Spec.Target.Attachment(); was != is && is == v1alpha1.AttachNone {
		losses = append(losses, "new pods name Secret "+after.Spec.Target.Name()+" only where their templates do")
	}
	kept := target.Keys(&after.Spec)
	for _, key := range target.Keys(&before.Spec) {
		if !slices.Contains(kept, key) {
			losses = append(losses, "every namespace loses the entry for "+foreign.Name(key))
		}
	}
	return losses
}

// Removes reports whether a row takes entries away.
func Removes(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Secret == Remove })
}

// Sum counts the effects in words: "1 Refuse, 12 Create".
func Sum(rows []Row) string {
	counts := map[Effect]int{}
	for _, row := range rows {
		counts[row.Secret]++
	}
	var parts []string
	for _, effect := range order {
		if counts[effect] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[effect], effect))
		}
	}
	if len(parts) == 0 {
		return "it selects no namespace"
	}
	return strings.Join(parts, ", ")
}

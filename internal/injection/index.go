package injection

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/target"
)

// MaxIndex bounds the content of the InjectionIndex, in bytes of its JSON: the API server reads all of it for each pod that is created, and
// stops its expressions after a million steps (k8s.io/apiserver/pkg/apis/cel, PerCallLimit).
const MaxIndex = 256 << 10

// Content is what belongs into the InjectionIndex.
type Content struct {
	Spec v1alpha1.InjectionIndexSpec
	// Served are the RegistryCredentials whose pods are in it, and those that select none, by UID.
	Served map[types.UID]Entry
	// Bytes of JSON that they need, of MaxIndex.
	Bytes int
}

// LeftOut are the RegistryCredentials that the index has no room for, sorted by name.
func (c Content) LeftOut() []string {
	var names []string
	for _, entry := range c.Served {
		if entry.Left {
			names = append(names, entry.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Entry is a RegistryCredential as the index has it.
type Entry struct {
	Name string
	// Generation of its spec.
	Generation int64
	// Left is true where the index has no room for it.
	Left bool
	// Selects names what it adds to the index.
	Selects [sha256.Size]byte
	// Since is from when on the index holds that, by the API server's clock. Zero where it is not known.
	Since time.Time
}

// serves reports whether the entry is as new as a RegistryCredential, or adds the same to the index: of a spec of which something else changed
// there is nothing to write.
func (e Entry) serves(credential *v1alpha1.RegistryCredential) bool {
	return e.Generation >= credential.Generation || e.Selects == sha256.Sum256(textOf(injected(credential)))
}

// Build makes the content from all RegistryCredentials. Where there is no room for all, the older ones have it: so that a new one takes
// nothing from them.
func Build(credentials []v1alpha1.RegistryCredential) Content {
	content := Content{Served: map[types.UID]Entry{}}
	secrets := map[string]*v1alpha1.InjectedSecret{}
	for _, credential := range byAge(credentials) {
		entry := Entry{Name: credential.Name, Generation: credential.Generation}
		selected := injected(credential)
		text := textOf(selected)
		entry.Selects = sha256.Sum256(text)
		needs := len(text)
		if entry.Left = content.Bytes+needs > MaxIndex; !entry.Left {
			content.Bytes += needs
			add(secrets, selected)
		}
		content.Served[credential.UID] = entry
	}
	for _, secret := range secrets {
		slices.Sort(secret.Namespaces)
		secret.Namespaces = slices.Compact(secret.Namespaces)
		content.Spec.Secrets = append(content.Spec.Secrets, *secret)
	}
	slices.SortFunc(content.Spec.Secrets, func(a, b v1alpha1.InjectedSecret) int { return cmp.Compare(a.Name, b.Name) })
	return content
}

// byAge are the RegistryCredentials that ask for the policy, the oldest first.
func byAge(credentials []v1alpha1.RegistryCredential) []*v1alpha1.RegistryCredential {
	var asking []*v1alpha1.RegistryCredential
	for i := range credentials {
		if c := &credentials[i]; c.Spec.Target.Attachment() == v1alpha1.AttachPods && c.DeletionTimestamp == nil {
			asking = append(asking, c)
		}
	}
	slices.SortFunc(asking, func(a, b *v1alpha1.RegistryCredential) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return asking
}

// injected is what one RegistryCredential adds, as internal/target selects: an excluded namespace is not selected, also where it is named,
// and a selector that cannot be read selects nothing, which its status says.
func injected(credential *v1alpha1.RegistryCredential) *v1alpha1.InjectedSecret {
	t := &credential.Spec.Target
	secret := &v1alpha1.InjectedSecret{Name: t.Name()}
	if _, err := target.New(t, nil); err != nil {
		return secret
	}
	for _, name := range t.Namespaces {
		if !slices.Contains(t.ExcludedNamespaces, name) {
			secret.Namespaces = append(secret.Namespaces, string(name))
		}
	}
	s := t.NamespaceSelector
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return secret
	}
	selector := v1alpha1.InjectionSelector{Labels: s.MatchLabels, Expressions: s.MatchExpressions}
	for _, name := range t.ExcludedNamespaces {
		selector.Excluded = append(selector.Excluded, string(name))
	}
	secret.Selectors = []v1alpha1.InjectionSelector{selector}
	return secret
}

func textOf(secret *v1alpha1.InjectedSecret) []byte {
	text, err := json.Marshal(secret)
	if err != nil {
		return make([]byte, MaxIndex+1) // cannot be: strings, lists and maps of them
	}
	return text
}

func add(secrets map[string]*v1alpha1.InjectedSecret, more *v1alpha1.InjectedSecret) {
	if len(more.Namespaces)+len(more.Selectors) == 0 {
		return
	}
	known := secrets[more.Name]
	if known == nil {
		secrets[more.Name] = more
		return
	}
	known.Namespaces = append(known.Namespaces, more.Namespaces...)
	known.Selectors = append(known.Selectors, more.Selectors...)
}

// ChangedAt is when the content of the index last changed, by the API server's clock: a process that starts knows nothing else of a change
// that an earlier one made. Zero where that is not known.
func ChangedAt(index *v1alpha1.InjectionIndex) time.Time {
	if index == nil {
		return time.Time{}
	}
	at := index.CreationTimestamp.Time
	for _, entry := range index.ManagedFields {
		if entry.Time != nil && entry.Time.After(at) {
			at = entry.Time.Time
		}
	}
	return at
}

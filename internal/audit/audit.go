package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/target"
)

// Rows say for every image of every workload what becomes of its pull: what a person should look at first.
func Rows(f *Facts) []Row {
	rows := []Row{}
	for i := range f.Workloads {
		w := &f.Workloads[i]
		p := pod{facts: f, workload: w, namespace: f.Namespaces[w.Namespace], never: map[string]bool{}}
		if p.namespace == nil {
			p.namespace = &Namespace{SecretsUnread: true, AccountsUnread: true}
		}
		p.list()
		for _, image := range w.Never {
			p.never[image] = true
		}
		for _, image := range w.Images {
			rows = append(rows, p.clean(p.row(image)))
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Result), slices.Index(order, b.Result)), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Image, b.Image))
	})
	return rows
}

// reference is a pull Secret that a new pod would name, and why.
type reference struct{ name, from string }

// pod is a new pod of a workload.
type pod struct {
	facts     *Facts
	workload  *Workload
	namespace *Namespace
	secrets   []reference
	// ring has the keys of all of them.
	ring registry.Ring
	// writers are who wrote the entries of each Secret of regcred, by key.
	writers map[string]map[string]written
	never   map[string]bool
}

// list settles which pull Secrets a new pod would name. A list of the template wins over that of the ServiceAccount; the admission policy
// of attach: Pods adds to either.
func (p *pod) list() {
	account, known := p.namespace.Accounts[p.workload.account()]
	inherited := !p.workload.Template && known && subset(p.workload.PullSecrets, append(slices.Clone(account.PullSecrets), p.injected()...))
	switch {
	case p.workload.Template && len(p.workload.PullSecrets) > 0, !p.workload.Template && !inherited:
		p.add("pod", p.workload.PullSecrets)
	case known:
		p.add("ServiceAccount "+p.workload.account(), account.PullSecrets)
	}
	p.add("policy", p.injected())
	p.writers = map[string]map[string]written{}
	keys := map[string]bool{}
	for _, r := range p.secrets {
		secret := p.namespace.Secrets[r.name]
		for _, key := range secret.Keys {
			keys[key] = true
		}
		if secret.Owner.Ours {
			p.writers[r.name] = p.writersOf(secret)
		}
	}
	p.ring = registry.NewRing(slices.Collect(maps.Keys(keys)))
}

func (p *pod) add(from string, names []string) {
	for _, name := range names {
		if !slices.ContainsFunc(p.secrets, func(r reference) bool { return r.name == name }) {
			p.secrets = append(p.secrets, reference{name, from})
		}
	}
}

// injected are the Secrets that the admission policy adds.
func (p *pod) injected() []string {
	if p.namespace.Annotations[v1alpha1.AttachAnnotation] == v1alpha1.AttachDisabled {
		return nil
	}
	var names []string
	for i := range p.facts.Credentials {
		c := &p.facts.Credentials[i]
		if c.facts.Attach == v1alpha1.AttachPods && c.facts.InjectionProblem == "" && !c.facts.InjectedSince.IsZero() && c.serves(p.workload.Namespace, p.namespace) {
			names = append(names, c.facts.SecretName)
		}
	}
	return names
}

func (w *Workload) account() string { return cmp.Or(w.Account, v1alpha1.DefaultServiceAccount) }

func subset(names, of []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(of, name) })
}

// row settles one image.
func (p *pod) row(image string) Row {
	row := Row{Namespace: p.workload.Namespace, Kind: p.workload.Kind, Workload: p.workload.Name, Pods: p.workload.Pods, Image: image}
	parsed, err := registry.ParseImage(image)
	row.Registry = parsed.Registry
	switch {
	case err != nil:
		return row.as(Fails, InvalidImage, "the image reference cannot be parsed: correct it in the workload")
	case p.never[image]:
		return row.as(NotPulled, PolicyNever, "")
	}
	if broken, name := p.malformed(); broken != "" {
		row.Secret = name
		return row.as(Fails, MalformedSecret, "a kubelet cannot read Secret %s, which fails every pull of the pod: %s", name, broken)
	}
	best := row.as(Anonymous, NoCredential, "")
	found := false
	for _, e := range p.entries(image) {
		if settled := p.judge(row, e); rank(settled) < rank(best) {
			best, found = settled, true
		}
	}
	if found {
		return best
	}
	return p.without(row)
}

// rank orders entries for one image: a kubelet tries all of them, so the best decides.
func rank(row Row) int {
	return slices.Index([]Result{Accepted, Unproven, Unknown, Fails, Anonymous}, row.Result)
}

// malformed is why a kubelet cannot read one of the pull Secrets, and which.
func (p *pod) malformed() (why, name string) {
	for _, r := range p.secrets {
		if secret := p.namespace.Secrets[r.name]; secret.Breaks != "" {
			return secret.Breaks, r.name
		}
	}
	return "", ""
}

// entry is one that a kubelet would use, and who wrote it. Of those in a Secret of which the same is to be said there is one.
type entry struct {
	reference
	secret diagnosis.Secret
	wrote  written
}

// written is which RegistryCredential wrote an entry, nil where none is known, and in which revision.
type written struct {
	by       *Credential
	revision string
}

// entries of all pull Secrets of the pod that a kubelet uses for an image. It applies its rule to all of them together. The people of the
// namespace choose how many there are.
func (p *pod) entries(image string) []entry {
	used := map[string]bool{}
	for _, key := range p.ring.MostSpecific(image) {
		used[key] = true
	}
	var found []entry
	for _, r := range p.secrets {
		secret, said := p.namespace.Secrets[r.name], map[written]bool{}
		for _, key := range secret.Keys {
			if wrote := p.writers[r.name][key]; used[key] && !said[wrote] {
				said[wrote] = true
				found = append(found, entry{r, secret, wrote})
			}
		}
	}
	return found
}

// writersOf are the RegistryCredentials that wrote the entries of a Secret, by key. Of several the first counts.
func (p *pod) writersOf(secret diagnosis.Secret) map[string]written {
	writers := map[string]written{}
	for i := range p.facts.Credentials {
		c := &p.facts.Credentials[i]
		source := secret.Sources[c.object.Name]
		for _, key := range source.Keys {
			if writers[key].by == nil {
				writers[key] = written{c, source.Revision}
			}
		}
	}
	return writers
}

// without settles an image for which no entry matches.
func (p *pod) without(row Row) Row {
	if p.namespace.SecretsUnread && len(p.secrets) > 0 {
		return p.unread(row)
	}
	for _, r := range p.secrets {
		if p.namespace.Secrets[r.name].TooLarge {
			row.Secret = r.name
			return row.as(Unknown, SecretTooLarge, "Secret %s is larger than what is looked at", r.name)
		}
	}
	if c := p.provider(row.Image); c != nil {
		return p.undelivered(row, c)
	}
	for _, r := range p.secrets {
		if _, there := p.namespace.Secrets[r.name]; !there {
			row.Secret = r.name
			return row.as(Anonymous, SecretMissing, "Secret %s, which the pod names, does not exist or is no pull Secret. Only a public image can be pulled", r.name)
		}
	}
	return row.as(Anonymous, NoCredential, "")
}

// provider is the RegistryCredential that serves an image here.
func (p *pod) provider(image string) *Credential {
	for i := range p.facts.Credentials {
		c := &p.facts.Credentials[i]
		if c.serves(p.workload.Namespace, p.namespace) && len(registry.MostSpecific(target.Keys(&c.object.Spec), image)) > 0 {
			return c
		}
	}
	return nil
}

// undelivered settles an image that a RegistryCredential serves here and that no Secret of the pod can pull.
func (p *pod) undelivered(row Row, c *Credential) Row {
	row.Credential, row.Secret = c.object.Name, c.facts.SecretName
	for _, r := range p.secrets {
		if r.name == row.Secret {
			row.From = r.from
			return row.as(Fails, NotDelivered, "Secret %s has no entry for the image. See why: kubectl regcred status %s", r.name, c.object.Name)
		}
	}
	if len(p.secrets) > 0 && p.secrets[0].from == "pod" {
		return row.as(Fails, NotReferenced, "the pod lists its own pull Secrets, and Secret %s is not among them: add it to imagePullSecrets of the template, or remove the list", row.Secret)
	}
	if p.namespace.AccountsUnread {
		return row.as(Unknown, NotReferenced, "you may not read ServiceAccounts: whether a new pod names Secret %s is not known", row.Secret)
	}
	return row.as(Fails, NotReferenced, "a new pod would not name Secret %s: add it to imagePullSecrets of the template or of ServiceAccount %s, or to spec.target.serviceAccounts",
		row.Secret, p.workload.account())
}

// unread settles what the RegistryCredentials tell where Secrets may not be read.
func (p *pod) unread(row Row) Row {
	c := p.provider(row.Image)
	if c == nil {
		return row.as(Unknown, SecretsUnread, "you may not read the pull Secrets of the pod")
	}
	for _, r := range p.secrets {
		if r.name == c.facts.SecretName {
			row.Credential, row.Secret, row.From = c.object.Name, r.name, r.from
			return c.judge(row, p.facts)
		}
	}
	return p.undelivered(row, c)
}

func (r Row) as(result Result, reason Reason, format string, args ...any) Row {
	r.Result, r.Reason, r.Message = result, reason, fmt.Sprintf(format, args...)
	return r
}

// clean makes what others wrote fit to be shown.
func (p *pod) clean(row Row) Row {
	for _, text := range []*string{&row.Namespace, &row.Kind, &row.Workload, &row.Registry, &row.Credential, &row.Secret, &row.Owner, &row.From} {
		*text = foreign.Name(*text)
	}
	row.Image = foreign.Text(row.Image, maxImage)
	row.Message = foreign.Message(strings.TrimSpace(row.Message))
	return row
}

// maxImage is how much of an image reference is shown, in bytes: a longer one cannot be pulled.
const maxImage = 512

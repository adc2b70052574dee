package adoption

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/pullsecret"
	"regcred.dev/regcred/internal/registry"
)

// maxData is the largest docker config that is parsed, in bytes: what the API server stores.
const maxData = 1 << 20

// Found is a pull Secret with an entry for the registry. Its JSON form is stable. It holds no secret.
type Found struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Owner is who manages it, in words: "regcred" where it is regcred's.
	Owner string `json:"owner"`
	// Managers are the field managers that wrote it, the latest first.
	Managers []string `json:"managers,omitempty"`
	// Keys are the entries for the registry.
	Keys []string `json:"keys"`
	// Value is a letter: Secrets with the same user name and password have the same one.
	Value string `json:"value"`
	// Current says whether that is the value in use: Yes, No, or Unknown where nothing tells.
	Current Current `json:"current"`
	// Others are the other registries that it has entries for. They are kept where it is taken over.
	Others int `json:"otherEntries,omitempty"`
	// Adoptable says that regcred can take it over, Fix what to do first where it cannot.
	Adoptable bool   `json:"adoptable"`
	Fix       string `json:"fix,omitempty"`
	// ServiceAccounts name it, and Pods, of which PodNames are the first.
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	Pods            int      `json:"pods"`
	PodNames        []string `json:"podNames,omitempty"`

	print string
	ours  bool
	// sources are what regcred recorded on it, and logins the prints of its keys, where it is regcred's.
	sources pullsecret.Sources
	logins  map[string]string
}

// Finder looks for entries of one registry.
type Finder struct {
	host string
	key  []byte
	all  []*Found
	at   map[place]*Found
	// written are the Secrets into which a RegistryCredential wrote, by its name.
	written map[string][]*Found
	// current are the prints of values that are in use.
	current map[string]bool
	// disputes are the RegistryCredentials whose Secrets have different ones.
	disputes []dispute
}

type place struct{ namespace, name string }

// New looks for a registry, given as host[:port][/path]. The error says why no image could match it.
func New(listed string) (*Finder, error) {
	canonical, err := registry.CanonicalKey(listed)
	if err != nil {
		return nil, err
	}
	f := &Finder{host: registry.Host(canonical), key: make([]byte, sha256.Size), at: map[place]*Found{}, written: map[string][]*Found{}, current: map[string]bool{}}
	_, err = rand.Read(f.key)
	return f, err
}

// Add looks at a Secret.
func (f *Finder) Add(secret *corev1.Secret) {
	config := readable(secret)
	var keys []string
	for key := range config {
		if f.means(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	owner := pullsecret.OwnerOf(secret)
	found := &Found{Namespace: secret.Namespace, Name: secret.Name, Owner: owner.Manager, Adoptable: owner.Adoptable, Fix: owner.Fix,
		Others: len(config) - len(keys), Current: CurrentUnknown, ours: owner.Ours, print: f.printOf(config, keys)}
	if owner.Ours {
		found.Owner = "regcred"
		f.claim(found, secret, config, keys)
	}
	if owner.Ours || owner.Adoptable {
		found.Fix = ""
	}
	for _, name := range pullsecret.Managers(secret.ManagedFields) {
		found.Managers = append(found.Managers, foreign.Name(name))
	}
	for _, key := range keys {
		found.Keys = append(found.Keys, foreign.Name(registry.Shown(key)))
	}
	f.all = append(f.all, found)
	f.at[place{secret.Namespace, secret.Name}] = found
}

// readable is what a kubelet can read of a Secret.
func readable(secret *corev1.Secret) dockerconfig.Config {
	data := secret.Data[corev1.DockerConfigJsonKey]
	if secret.Type == corev1.SecretTypeDockercfg {
		data = dockerconfig.FromDockercfg(secret.Data[corev1.DockerConfigKey])
	}
	if len(data) > maxData || dockerconfig.IsCrowded(data) {
		return nil
	}
	config, _ := dockerconfig.ParseLenient(data)
	return config
}

func (f *Finder) means(key string) bool {
	host := registry.Host(key)
	return host != "" && !registry.IsHubSession(key) && (host == f.host || registry.SameService(host, f.host) || registry.HasWildcard(key) && registry.Matches(host, f.host+"/any"))
}

// printOf names the user names and passwords under the keys, so that equal ones are recognised in this run alone.
func (f *Finder) printOf(config dockerconfig.Config, keys []string) string {
	var logins []string
	for _, key := range keys {
		logins = append(logins, config[key].Username()+":"+config[key].Password())
	}
	slices.Sort(logins)
	hash := hmac.New(sha256.New, f.key)
	hash.Write([]byte(strings.Join(slices.Compact(logins), "\x00")))
	return string(hash.Sum(nil))
}

// Refuse notes which Secrets the operator does not write, by the reason that why gives. That comes before whose they are: who deletes a Secret
// that nobody writes again takes the credential from its pods.
func (f *Finder) Refuse(why func(namespace, name string) string) {
	for _, one := range f.all {
		if reason := why(one.Namespace, one.Name); reason != "" && !one.ours {
			one.Adoptable, one.Fix = false, reason
		}
	}
}

// podsNamed are the pods that are named for one Secret; all are counted.
const podsNamed = 20

// Pod notes that a pod names pull Secrets.
func (f *Finder) Pod(namespace, name string, secrets []string) {
	for _, secret := range secrets {
		if found := f.at[place{namespace, secret}]; found != nil {
			if found.Pods++; len(found.PodNames) < podsNamed {
				found.PodNames = append(found.PodNames, foreign.Name(name))
			}
		}
	}
}

// Account notes that a ServiceAccount names pull Secrets.
func (f *Finder) Account(account *corev1.ServiceAccount) {
	for _, ref := range account.ImagePullSecrets {
		found := f.at[place{account.Namespace, ref.Name}]
		if found == nil {
			continue
		}
		if n := len(found.ServiceAccounts); n == 0 || found.ServiceAccounts[n-1] != account.Name { // each is seen once, and may name it twice
			found.ServiceAccounts = append(found.ServiceAccounts, account.Name)
		}
	}
}

// Used reports whether a pod or a ServiceAccount is known to name it.
func (f *Found) Used() bool { return f.Pods > 0 || len(f.ServiceAccounts) > 0 }

// All are the Secrets that were found, those first that regcred can take over.
func (f *Finder) All() []Found {
	f.letter()
	found := []Found{}
	for _, one := range f.all {
		clean := *one
		clean.Namespace, clean.Name, clean.Owner, clean.Fix = foreign.Name(one.Namespace), foreign.Name(one.Name), foreign.Name(one.Owner), foreign.Message(one.Fix)
		found = append(found, clean)
	}
	slices.SortFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// rank orders what can be taken over before what somebody has to stop managing first, and that before what regcred has.
func (f *Found) rank() int {
	switch {
	case f.Adoptable:
		return 0
	case f.ours:
		return 2
	}
	return 1
}

// letter gives each value a letter, that of the most Secrets first, and says which is in use.
func (f *Finder) letter() {
	counts, firsts := map[string]int{}, map[string]string{}
	for _, one := range f.all {
		counts[one.print]++
		if at := one.Namespace + "/" + one.Name; firsts[one.print] == "" || at < firsts[one.print] {
			firsts[one.print] = at
		}
	}
	letters := map[string]string{}
	for i, print := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(firsts[a], firsts[b]))
	}) {
		letters[print] = letterOf(i)
	}
	for _, one := range f.all {
		one.Value = letters[one.print]
		switch {
		case f.current[one.print]:
			one.Current = CurrentYes
		case len(f.current) > 0 && len(f.disputes) == 0: // else it may be one of those
			one.Current = CurrentNo
		}
	}
}

// letterOf counts A to Z, then AA, AB and so on.
func letterOf(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letterOf(n/26-1) + letterOf(n%26)
}

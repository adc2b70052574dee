package recovery

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/diagnosis"
)

// secretsKept is how many Secrets' facts are remembered. Facts are bounded, see diagnosis: all together are a few MiB at most.
const secretsKept = 128

// secretFacts remembers what was read out of Secrets. A Secret is parsed once for each of its versions, and not once for each stuck pod
// that refers to it: a hundred pods beside a large Secret would keep a processor busy. The zero value is ready.
type secretFacts struct {
	once sync.Once
	kept *lru.Cache
}

// readSecret is a version of a Secret and what is in it.
type readSecret struct {
	uid     types.UID
	version string
	diagnosis.Secret
}

// Of gives the facts of a Secret. They are shared: nobody may change them.
func (f *secretFacts) Of(secret *corev1.Secret) diagnosis.Secret {
	f.once.Do(func() { f.kept = lru.New(secretsKept) })
	key := client.ObjectKeyFromObject(secret)
	if kept, ok := f.kept.Get(key); ok {
		if read := kept.(readSecret); read.uid == secret.UID && read.version == secret.ResourceVersion {
			return read.Secret
		}
	}
	read := readSecret{uid: secret.UID, version: secret.ResourceVersion, Secret: diagnosis.NewSecret(secret)}
	f.kept.Add(key, read)
	return read.Secret
}

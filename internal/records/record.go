package records

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
)

// Record is the published revision of one RegistryCredential, with all that must survive a restart of the operator.
type Record struct {
	// Credential and UID name the RegistryCredential. One that was deleted and created anew starts afresh.
	Credential string
	UID        types.UID
	// Config holds the entries. It is nil until something was published.
	Config dockerconfig.Config
	Memo
}

// Memo is the part of a Record that is no secret.
type Memo struct {
	// Revision is the source's own name for the value. Compare for equality only.
	Revision string `json:"revision,omitempty"`
	// Digest is a keyed digest of Config, keys and credentials together: it changes where registries are added though the source's
	// value stays the same.
	Digest string `json:"digest,omitempty"`
	// SpecHash says for which source and registries the value was read: another one asks for a read at once.
	SpecHash string `json:"specHash,omitempty"`
	// ChangeTime is when this revision was published, VerifiedTime when the registry first accepted it, ExpireTime when it
	// ends. Zero where not known.
	ChangeTime   time.Time `json:"changeTime,omitzero"`
	VerifiedTime time.Time `json:"verifiedTime,omitzero"`
	ExpireTime   time.Time `json:"expireTime,omitzero"`
	// Salt keys the digests that stand for values without versions, and for values under test.
	Salt []byte `json:"salt,omitempty"`
	// ReadTime is when the source was asked for the value, and Minted that each read of it makes a new one.
	ReadTime time.Time `json:"readTime,omitzero"`
	Minted   bool      `json:"minted,omitempty"`
	// Lease of the published value, and the leases of earlier ones that are still to be revoked.
	Lease    *source.Lease  `json:"lease,omitempty"`
	Obsolete []source.Lease `json:"obsolete,omitempty"`
	// Tests are the last tests of values at registries, by the fingerprint of registry and value.
	Tests map[string]Test `json:"tests,omitempty"`
	// Candidate is a new value that is not published yet, or was rejected.
	Candidate *Candidate `json:"candidate,omitempty"`
}

// Test is the last test of one value at one registry.
type Test struct {
	// Time is when it began. It is kept before the registry is asked, so that a crash counts, too.
	Time time.Time `json:"time"`
	// Verdict is empty while the test runs.
	Verdict Verdict `json:"verdict,omitempty"`
	// Repeats counts the tests with this verdict in a row.
	Repeats int `json:"repeats,omitempty"`
	// Registry that was asked, and its answer in words.
	Registry string `json:"registry,omitempty"`
	Message  string `json:"message,omitempty"`
	// NearMiss is an image in use that the registry's key would serve if it had the image's port. Set only where no image in use
	// is served.
	NearMiss string `json:"nearMiss,omitempty"`
	// Digests of the images that were asked for, by image: what a repull may pin.
	Digests map[string]string `json:"digests,omitempty"`
}

// Verdict says whether a value works at a registry.
type Verdict string

const (
	// Accepted means that the registry takes the value.
	Accepted Verdict = "Accepted"
	// Rejected means that the registry refuses the value.
	Rejected Verdict = "Rejected"
	// Unknown means that the registry could not be asked, or that its answer says nothing about the value.
	Unknown Verdict = "Unknown"
)

// Candidate is a new value that waits, or was rejected.
type Candidate struct {
	Revision  string    `json:"revision"`
	FirstSeen time.Time `json:"firstSeen"`
}

// Published reports whether there is anything to deliver.
func (r Record) Published() bool { return r.Config != nil }

const (
	// SecretType is the type of the Secrets in which records are kept.
	SecretType corev1.SecretType = "regcred.dev/published-credential"
	// recordLabel marks them, for a list by label.
	recordLabel = "regcred.dev/published"
	namePrefix  = "regcred-published-"
	configKey   = "config"
	memoKey     = "memo"
	uidKey      = "uid"
	nameKey     = "credential"
)

func secretName(credential string) string { return namePrefix + credential }

// encode writes a record as a Secret of the operator's namespace.
func encode(r Record, namespace string) (*corev1.Secret, error) {
	memo, err := json.Marshal(r.Memo)
	if err != nil {
		return nil, fmt.Errorf("encode the record of %s: %w", r.Credential, err)
	}
	data := map[string][]byte{memoKey: memo, uidKey: []byte(r.UID), nameKey: []byte(r.Credential)}
	if r.Config != nil {
		data[configKey] = r.Config.Render()
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: secretName(r.Credential),
			Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue, recordLabel: "true"},
		},
		Type: SecretType,
		Data: data,
	}, nil
}

// decode reads a record. Errors never carry a part of the data.
func decode(secret *corev1.Secret) (Record, error) {
	r := Record{Credential: string(secret.Data[nameKey]), UID: types.UID(secret.Data[uidKey])}
	if r.Credential == "" || secretName(r.Credential) != secret.Name {
		return Record{}, fmt.Errorf("Secret %s/%s is not the record of a RegistryCredential", secret.Namespace, secret.Name)
	}
	if json.Unmarshal(secret.Data[memoKey], &r.Memo) != nil {
		return Record{}, fmt.Errorf("Secret %s/%s: its memo is not readable", secret.Namespace, secret.Name)
	}
	if raw, ok := secret.Data[configKey]; ok {
		config, err := dockerconfig.Parse(raw)
		if err != nil {
			return Record{}, fmt.Errorf("Secret %s/%s: its config is not readable", secret.Namespace, secret.Name)
		}
		r.Config = config
	}
	return r, nil
}

package records

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/rotation"
)

// Format is the version of the form in which records are kept. It is raised where an earlier version would lose something that it does
// not know. Whatever else changes, the memo stays a JSON object with the number under "format": by that, earlier versions leave it alone.
const Format = 2

// NewerError says that a record was kept by a newer version of regcred. To write it would lose what this version does not know.
type NewerError struct {
	// Namespace and Secret are where the record is.
	Namespace, Secret string
	Format            int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("Secret %s/%s was written by a newer version of regcred (format %d, this version knows up to %d)", e.Namespace, e.Secret, e.Format, Format)
}

// Record is what is kept of one RegistryCredential: the value in use, and all that must survive a restart of the operator.
type Record struct {
	// Credential and UID name the RegistryCredential. One that was deleted and created again starts with nothing.
	Credential string
	UID        types.UID
	rotation.Kept
}

// Published reports whether there is anything to deliver.
func (r Record) Published() bool { return r.Kept.Published() }

const (
	// SecretType is the type of the Secrets in which records are kept.
	SecretType corev1.SecretType = "regcred.dev/published-credential"
	// recordLabel marks them, for a list by label.
	recordLabel = "regcred.dev/published"
	namePrefix  = "regcred-published-"
	configKey   = "config"
	// previousKey holds the value before, as configKey does the one in use, and waitingKey one that waits and cannot be read again.
	previousKey = "previous"
	waitingKey  = "candidate"
	memoKey     = "memo"
	uidKey      = "uid"
	nameKey     = "credential"
)

// room is the most bytes of a record that keeps more than the value in use. A Secret holds 1 MiB, and what is kept of removals is in it:
// where not all values fit, the one in use must, then one that waits, then the one before.
const room = 768 << 10

func secretName(credential string) string { return namePrefix + credential }

// encode writes a record as a Secret of the operator's namespace.
func encode(r Record, namespace string) (*corev1.Secret, error) {
	r.Format = Format
	memo, err := json.Marshal(r.Kept)
	if err != nil {
		return nil, fmt.Errorf("encode the record of %s: %w", r.Credential, err)
	}
	data := map[string][]byte{memoKey: memo, uidKey: []byte(r.UID), nameKey: []byte(r.Credential)}
	if r.Config != nil {
		data[configKey] = r.Config.Render()
	}
	used := len(memo) + len(data[configKey])
	addWhereItFits := func(key string, config dockerconfig.Config) {
		if content := config.Render(); used+len(content) <= room {
			data[key], used = content, used+len(content)
		}
	}
	if r.KeepsWaiting() {
		addWhereItFits(waitingKey, r.Waiting.Config)
	}
	if r.Previous != nil && r.Previous.Config != nil {
		addWhereItFits(previousKey, r.Previous.Config)
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

// Same reports whether two records are kept by the same bytes, so that to write one over the other changes nothing. What is in memory
// alone, such as the content of a value that waits and can be read again, is no difference.
func Same(a, b Record) bool {
	one, errA := encode(a, "")
	other, errB := encode(b, "")
	return errA == nil && errB == nil && maps.EqualFunc(one.Data, other.Data, bytes.Equal)
}

// decode reads a record. Errors never carry a part of the data. Of one that is newer the names are there, with a [*NewerError].
func decode(secret *corev1.Secret) (Record, error) {
	r := Record{Credential: string(secret.Data[nameKey]), UID: types.UID(secret.Data[uidKey])}
	if r.Credential == "" || secretName(r.Credential) != secret.Name {
		return Record{}, fmt.Errorf("Secret %s/%s is not the record of a RegistryCredential", secret.Namespace, secret.Name)
	}
	var version struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(secret.Data[memoKey], &version) == nil && version.Format > Format {
		return r, &NewerError{Namespace: secret.Namespace, Secret: secret.Name, Format: version.Format}
	}
	if json.Unmarshal(secret.Data[memoKey], &r.Kept) != nil {
		return Record{}, fmt.Errorf("Secret %s/%s: its memo is not readable", secret.Namespace, secret.Name)
	}
	var err error
	if r.Config, err = configOf(secret, configKey); err != nil {
		return Record{}, err
	}
	if r.Waiting != nil {
		if r.Waiting.Config, err = configOf(secret, waitingKey); err != nil {
			return Record{}, err
		}
	}
	if r.Previous != nil {
		if r.Previous.Config, err = configOf(secret, previousKey); err != nil {
			return Record{}, err
		}
	}
	return r, nil
}

// configOf reads the entries that are kept under a key, nil where there are none.
func configOf(secret *corev1.Secret, key string) (dockerconfig.Config, error) {
	raw, ok := secret.Data[key]
	if !ok {
		return nil, nil
	}
	config, err := dockerconfig.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: its %s is not readable", secret.Namespace, secret.Name, key)
	}
	return config, nil
}

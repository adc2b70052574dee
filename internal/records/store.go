package records

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/internal/removal"
)

// Store holds the records of all RegistryCredentials. A record is written to the API server before anybody can see it, so
// that a restart, a failover and a sealed Vault resume from it.
type Store struct {
	namespace string
	secrets   v1.SecretInterface
	notify    func(credential string)
	// Proven is called as notify is, where the published value is in doubt no more and is the same. It may be nil.
	Proven func(credential string)

	mu     sync.Mutex
	loaded bool
	// records is never changed, but replaced: who was given it has what all of them were at one moment.
	records  map[string]*Record
	versions map[string]string
	removals map[string]removal.State
	// newer are the records that a newer version of regcred kept, and that this one neither reads nor writes.
	newer map[string]*NewerError
	// writing are locks by the hash of a RegistryCredential's name: what one writer keeps must not overwrite what the other keeps.
	writing [64]sync.Mutex
}

// NewStore returns a store that keeps its records as Secrets of the operator's namespace. notify is called, outside any lock,
// for each RegistryCredential whose published value changed.
func NewStore(secrets v1.SecretsGetter, namespace string, notify func(credential string)) *Store {
	return &Store{
		namespace: namespace, secrets: secrets.Secrets(namespace), notify: notify,
		records: map[string]*Record{}, versions: map[string]string{},
		removals: map[string]removal.State{}, newer: map[string]*NewerError{},
	}
}

// Load reads all records, once. It must succeed before anything is delivered: a store that is empty by mistake would look like
// credentials that nobody published.
func (s *Store) Load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return nil
	}
	list, err := s.secrets.List(ctx, metav1.ListOptions{LabelSelector: recordLabel + "=true"})
	if err != nil {
		return fmt.Errorf("read the published credentials in namespace %s: %w", s.namespace, err)
	}
	for i := range list.Items {
		record, err := decode(&list.Items[i])
		if newer := (*NewerError)(nil); errors.As(err, &newer) {
			log.FromContext(ctx).Error(err, "A published credential was kept by a newer version of regcred, and is left alone")
			s.newer[record.Credential], s.versions[record.Credential] = newer, list.Items[i].ResourceVersion
			continue
		}
		if err != nil {
			// One broken record costs one new read of its source, not the delivery of all others.
			log.FromContext(ctx).Error(err, "A published credential is not readable and is read from its source again")
			continue
		}
		s.records[record.Credential] = &record // nobody was given it yet
		s.versions[record.Credential] = list.Items[i].ResourceVersion
		s.removals[record.Credential] = removalsIn(&list.Items[i])
	}
	s.loaded = true
	return nil
}

// Get returns the record of a RegistryCredential, the zero Record where there is none.
func (s *Store) Get(credential string) Record { return s.Snapshot().Get(credential) }

// All returns all records, by RegistryCredential.
func (s *Store) All() map[string]Record {
	records := s.Snapshot().records
	all := make(map[string]Record, len(records))
	for name, record := range records {
		all[name] = *record
	}
	return all
}

// Save writes a record and then makes it visible. Errors never carry a part of the record.
func (s *Store) Save(ctx context.Context, record Record) error {
	defer s.lock(record.Credential)()
	secret, err := encode(record, s.namespace)
	if err == nil {
		err = addRemovals(secret, s.Removals(record.Credential))
	}
	if err != nil {
		return err
	}
	version, err := s.write(ctx, record.Credential, secret)
	if err != nil {
		return fmt.Errorf("keep the published credential of %s in namespace %s: %w", record.Credential, s.namespace, withoutBody(err))
	}
	s.mu.Lock()
	before := s.records[record.Credential]
	s.put(record.Credential, &record)
	s.versions[record.Credential] = version
	s.mu.Unlock()
	s.tell(record.Credential, before, &record)
	return nil
}

// write updates the Secret with the resourceVersion that was last seen, or creates it. A conflict means that another leader
// wrote: this one must not overwrite it, and restarts from what is there.
func (s *Store) write(ctx context.Context, credential string, secret *corev1.Secret) (string, error) {
	s.mu.Lock()
	version, newer := s.versions[credential], s.newer[credential]
	s.mu.Unlock()
	if newer != nil {
		return "", newer
	}
	secret.ResourceVersion = version
	var written *corev1.Secret
	var err error
	if version == "" {
		written, err = s.secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: namePrefix + "store"})
	} else {
		written, err = s.secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: namePrefix + "store"})
	}
	switch {
	case err == nil:
		return written.ResourceVersion, nil
	case apierrors.IsNotFound(err):
		s.setVersion(credential, "")
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return "", errors.Join(err, s.readAgain(ctx, credential))
	}
	return "", err
}

// readAgain takes over what somebody else wrote since the record was last seen.
func (s *Store) readAgain(ctx context.Context, credential string) error {
	current, err := s.secrets.Get(ctx, secretName(credential), metav1.GetOptions{})
	if err == nil {
		s.adopt(credential, current)
	}
	return err
}

// adopt takes over what another leader wrote. What a newer version wrote is left alone from now on.
func (s *Store) adopt(credential string, current *corev1.Secret) {
	record, err := decode(current)
	var newer *NewerError
	if errors.As(err, &newer) {
		record = Record{}
	}
	s.mu.Lock()
	before := s.records[credential]
	delete(s.newer, credential)
	s.versions[credential] = current.ResourceVersion
	s.removals[credential] = removalsIn(current)
	switch {
	case newer != nil:
		s.newer[credential] = newer
		s.put(credential, nil)
	case err == nil:
		s.put(credential, &record)
	}
	s.mu.Unlock()
	if err == nil || newer != nil {
		s.tell(credential, before, &record)
	}
}

// LeftAlone gives a [*NewerError] where the record of a RegistryCredential was kept by a newer version, as far as this process knows.
func (s *Store) LeftAlone(credential string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer := s.newer[credential]; newer != nil {
		return newer
	}
	return nil
}

// IsLeftAlone reports whether LeftAlone gives an error.
func (s *Store) IsLeftAlone(credential string) bool { return s.LeftAlone(credential) != nil }

// LookAgain is LeftAlone after another look at a record that is left alone: somebody may have deleted it, or run the newer version
// until it was written in a form that is known here. It costs nothing for all others.
func (s *Store) LookAgain(ctx context.Context, credential string) error {
	if s.LeftAlone(credential) == nil {
		return nil
	}
	defer s.lock(credential)()
	current, err := s.secrets.Get(ctx, secretName(credential), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		s.mu.Lock()
		delete(s.newer, credential)
		delete(s.versions, credential)
		delete(s.removals, credential)
		s.mu.Unlock()
		s.notify(credential)
	case err != nil:
		return fmt.Errorf("read the published credential of %s: %w", credential, withoutBody(err))
	default:
		s.adopt(credential, current)
	}
	return s.LeftAlone(credential)
}

// tell tells what a record that was written means for others, once where it is another value. There may have been none before.
func (s *Store) tell(credential string, before, after *Record) {
	if before == nil {
		before = &Record{}
	}
	switch {
	case changed(before, after):
		s.notify(credential)
	case before.InDoubt() && !after.InDoubt() && s.Proven != nil:
		s.Proven(credential)
	}
}

// changed reports whether another value is published, or the same one for another object.
func changed(before, after *Record) bool {
	return before.UID != after.UID || before.Revision != after.Revision || before.Digest != after.Digest || !before.ChangeTime.Equal(after.ChangeTime) || before.Published() != after.Published()
}

func (s *Store) setVersion(credential, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[credential] = version
}

// Forget removes the record of a RegistryCredential that is gone, as it was last seen. One that was written since, or that was never seen, may be
// of another RegistryCredential of the name: it stays, Get gives it from then on, and the error says so.
func (s *Store) Forget(ctx context.Context, credential string) error {
	defer s.lock(credential)()
	if err := s.remove(ctx, credential); err != nil {
		return fmt.Errorf("remove the published credential of %s: %w", credential, withoutBody(err))
	}
	s.mu.Lock()
	_, known := s.records[credential]
	s.put(credential, nil)
	delete(s.versions, credential)
	delete(s.removals, credential)
	delete(s.newer, credential)
	s.mu.Unlock()
	if known {
		s.notify(credential)
	}
	return nil
}

// remove deletes the Secret that was seen, and no other.
func (s *Store) remove(ctx context.Context, credential string) error {
	s.mu.Lock()
	version := s.versions[credential]
	s.mu.Unlock()
	if version == "" {
		current, err := s.secrets.Get(ctx, secretName(credential), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.adopt(credential, current); s.Get(credential).UID != "" || s.IsLeftAlone(credential) {
			return errors.New("there is one that was not known: it is looked at first")
		}
		version = current.ResourceVersion
	}
	err := s.secrets.Delete(ctx, secretName(credential), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return errors.Join(err, s.readAgain(ctx, credential))
	}
	return err
}

// withoutBody keeps what kind of an API error it is and drops its text: the text of a refused Secret write may quote it.
func withoutBody(err error) error {
	if several := (interface{ Unwrap() []error })(nil); errors.As(err, &several) {
		var all []error
		for _, one := range several.Unwrap() {
			all = append(all, withoutBody(one))
		}
		return errors.Join(all...)
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: status.Status().Code, Reason: status.Status().Reason,
			Message: fmt.Sprintf("the API server answered %d %s", status.Status().Code, status.Status().Reason),
		}}
	}
	return err
}

package records

import (
	"context"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/removal"
)

// removalsKey holds what is known of removals, beside the record: another controller writes it.
const removalsKey = "removals"

// Removals returns what is kept about the removals of a RegistryCredential, the zero State where nothing is.
func (s *Store) Removals(credential string) removal.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removals[credential]
}

// KeepRemovals writes what must survive about removals, and then makes it visible. It leaves the record as it is. After a conflict
// with another leader it fails, and Removals gives what that one wrote.
func (s *Store) KeepRemovals(ctx context.Context, credential string, state removal.State) error {
	defer s.lock(credential)()
	record := s.Get(credential)
	record.Credential = credential
	secret, err := encode(record, s.namespace)
	if err == nil {
		err = addRemovals(secret, state)
	}
	if err != nil {
		return err
	}
	version, err := s.write(ctx, credential, secret)
	if err != nil {
		return fmt.Errorf("keep the removals of %s in namespace %s: %w", credential, s.namespace, withoutBody(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[credential], s.removals[credential] = version, state
	return nil
}

// lock waits until nobody else writes what is kept of a RegistryCredential, and returns how to let go.
func (s *Store) lock(credential string) (unlock func()) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(credential))
	one := &s.writing[hash.Sum32()%uint32(len(s.writing))]
	one.Lock()
	return one.Unlock
}

func addRemovals(secret *corev1.Secret, state removal.State) error {
	if state.UID == "" {
		return nil // nothing was ever kept
	}
	encoded, err := state.Encode()
	if err == nil {
		secret.Data[removalsKey] = encoded
	}
	return err
}

func removalsIn(secret *corev1.Secret) removal.State { return removal.Decode(secret.Data[removalsKey]) }

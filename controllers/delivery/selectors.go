package delivery

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/target"
)

// selectors keeps the parsed selector of each RegistryCredential: every place asks all of them.
type selectors struct {
	mu sync.Mutex
	m  map[string]parsed
}

type parsed struct {
	uid        types.UID
	generation int64
	selector   target.Selector
	err        error
}

// of returns the selector of a RegistryCredential, or why it cannot be read.
func (s *selectors) of(credential *v1alpha1.RegistryCredential, protected []string) (target.Selector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, there := s.m[credential.Name]
	if there && known.uid == credential.UID && known.generation == credential.Generation && credential.Generation > 0 {
		return known.selector, known.err
	}
	fresh := parsed{uid: credential.UID, generation: credential.Generation}
	fresh.selector, fresh.err = target.New(&credential.Spec.Target, protected)
	if s.m == nil {
		s.m = map[string]parsed{}
	}
	s.m[credential.Name] = fresh
	return fresh.selector, fresh.err
}

func (s *selectors) forget(credential string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, credential)
}

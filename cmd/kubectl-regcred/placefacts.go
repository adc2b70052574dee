package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/diagnosis"
)

// mostRead are the Secrets of a namespace that are read one by one, and its ServiceAccounts. Its people choose how many of them their pods name.
const mostRead = 500

// secrets of a namespace by name, each read once. Those beyond mostRead are not looked at.
func (l *look) secrets(ctx context.Context, s *surroundings, names []string) (map[string]diagnosis.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[string]diagnosis.Secret{}
	for _, name := range names {
		known, ok := s.secrets[name]
		switch {
		case ok:
		case s.secretsRead >= mostRead:
			known.TooLarge = true
		default:
			var err error
			if known, err = l.secret(ctx, s.namespace.Name, name); err != nil {
				return nil, err
			}
			s.secrets[name] = known
			s.secretsRead++
		}
		wanted[name] = known
	}
	return wanted, nil
}

func (l *look) secret(ctx context.Context, namespace, name string) (diagnosis.Secret, error) {
	var secret corev1.Secret
	err := l.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
	switch {
	case apierrors.IsForbidden(err):
		l.note("You may not read Secrets in namespace " + namespace + ": whether they are fresh, well-formed and hold the right registry is not known.")
		return diagnosis.Secret{Unread: true}, nil
	case apierrors.IsNotFound(err):
		return diagnosis.Secret{Missing: true}, nil
	case err != nil:
		return diagnosis.Secret{}, err
	}
	return diagnosis.NewSecret(&secret), nil
}

func (l *look) account(ctx context.Context, s *surroundings, name string) (diagnosis.Account, error) {
	if name == "" {
		name = v1alpha1.DefaultServiceAccount
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.accounts[name]; ok {
		return known, nil
	}
	if s.accountsRead >= mostRead {
		l.note("The pods of namespace " + s.namespace.Name + " have more ServiceAccounts than are looked at: which pull secrets some inherit is not known.")
		return diagnosis.Account{Name: name, Unread: true}, nil
	}
	s.accountsRead++
	var account corev1.ServiceAccount
	err := l.reader.Get(ctx, client.ObjectKey{Namespace: s.namespace.Name, Name: name}, &account)
	switch {
	case apierrors.IsForbidden(err):
		l.note("You may not read ServiceAccounts in namespace " + s.namespace.Name + ": which pull secrets new pods inherit is not known.")
		s.accounts[name] = diagnosis.Account{Name: name, Unread: true}
	case apierrors.IsNotFound(err):
		s.accounts[name] = diagnosis.Account{Name: name, Missing: true}
	case err != nil:
		return diagnosis.Account{}, err
	default:
		s.accounts[name] = diagnosis.NewAccount(&account)
	}
	return s.accounts[name], nil
}

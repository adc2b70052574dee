package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// anonymous is the user whose rights apply to requests without credentials. There is none at the start.
const anonymous = "anonymous"

// A user may pull and push the repositories whose names start with one of the prefixes; the empty prefix means all.
type user struct {
	Name     string   `json:"name"`
	Password string   `json:"password,omitempty"`
	Pull     []string `json:"pull"`
	Push     []string `json:"push"`
}

// users is the live table of users.
type users struct {
	mu     sync.RWMutex
	byName map[string]user
}

func newUsers(initial ...user) *users {
	u := &users{byName: map[string]user{}}
	for _, one := range initial {
		u.put(one)
	}
	return u
}

func (u *users) put(one user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byName[one.Name] = one
}

// remove reports whether there was such a user.
func (u *users) remove(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, found := u.byName[name]
	delete(u.byName, name)
	return found
}

// list returns the users by name, without their passwords.
func (u *users) list() []user {
	u.mu.RLock()
	defer u.mu.RUnlock()
	all := make([]user, 0, len(u.byName))
	for _, one := range u.byName {
		one.Password = ""
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b user) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (u *users) authenticate(name, password string) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	one, found := u.byName[name]
	return found && name != anonymous && subtle.ConstantTimeCompare([]byte(one.Password), []byte(password)) == 1
}

// may answers for the actions of the distribution API: pull, push and delete, and * on the catalogue.
func (u *users) may(name, action, kind, resource string) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	one := u.byName[name]
	switch {
	case kind == "registry":
		return slices.Contains(one.Pull, "")
	case kind != "repository":
		return false
	case action == "pull":
		return startsWithAny(resource, one.Pull)
	case action == "push" || action == "delete":
		return startsWithAny(resource, one.Push)
	default:
		return false
	}
}

func startsWithAny(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// userFlags collects -user name:password:prefix,... The password holds no colon.
type userFlags []user

func (f *userFlags) String() string { return fmt.Sprintf("%d users", len(*f)) }

func (f *userFlags) Set(value string) error {
	parts := strings.SplitN(value, ":", 3)
	if len(parts) < 3 || parts[0] == "" {
		return errors.New("want name:password:prefix,...")
	}
	*f = append(*f, user{Name: parts[0], Password: parts[1], Pull: strings.Split(parts[2], ",")})
	return nil
}

package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
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

// A login is one more password of a user, as clouds give them: several are valid at once, each until its end.
type login struct {
	Password string    `json:"password"`
	Ends     time.Time `json:"ends"`
}

// users is the live table of users.
type users struct {
	mu     sync.RWMutex
	byName map[string]user
	logins map[string][]login
}

func newUsers(initial ...user) *users {
	u := &users{byName: map[string]user{}, logins: map[string][]login{}}
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
	delete(u.logins, name)
	return found
}

// addLogin reports whether there is such a user.
func (u *users) addLogin(name string, one login) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, found := u.byName[name]; !found {
		return false
	}
	u.logins[name] = append(u.logins[name], one)
	return true
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
	if !found || name == anonymous {
		return false
	}
	return same(one.Password, password) || slices.ContainsFunc(u.logins[name], func(l login) bool {
		return same(l.Password, password) && time.Now().Before(l.Ends)
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

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

package main

import (
	"fmt"
	"net/http"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/distribution/distribution/v3/registry/auth"
	"github.com/gorilla/mux"
)

// usersBackend is the name of the auth backend below in distribution's configuration.
const usersBackend = "users"

// registerUsersBackend makes the table an auth backend of distribution, which then writes the answers to bad and
// missing credentials itself.
func registerUsersBackend(table *users) error {
	return auth.Register(usersBackend, func(map[string]any) (auth.AccessController, error) {
		return basicAuth{users: table}, nil
	})
}

type basicAuth struct {
	users *users
}

// Authorized checks the password. Rights are denyForbidden's: distribution has no 403 for an access controller.
func (b basicAuth) Authorized(r *http.Request, access ...auth.Access) (*auth.Grant, error) {
	name, password, given := r.BasicAuth()
	if given && b.users.authenticate(name, password) {
		return &auth.Grant{User: auth.UserInfo{Name: name}}, nil
	}
	if !given && len(access) > 0 && mayAll(b.users, anonymous, access) {
		return &auth.Grant{User: auth.UserInfo{Name: anonymous}}, nil
	}
	return nil, basicChallenge{}
}

type basicChallenge struct{}

func (basicChallenge) Error() string { return "basic authentication is required" }

func (basicChallenge) SetHeaders(_ *http.Request, w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", realm))
}

// denyForbidden answers 403 DENIED to a known user without the right. It lets everybody else through to
// distribution, which knows what to answer.
func denyForbidden(table *users, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, given := r.BasicAuth()
		access := accessOf(r)
		if given && table.authenticate(name, password) && !mayAll(table, name, access) {
			deny(w, access)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// denyAfterLie denies what a lying token server has granted. It reads the token's subject without checking the
// token: it only ever takes rights away, and distribution checks the token afterwards.
func denyAfterLie(state *state, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, isBearer := bearerSubject(r)
		access := accessOf(r)
		if state.mode.get() == modeLying && isBearer && !mayAll(state.users, name, access) {
			deny(w, access)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func deny(w http.ResponseWriter, access []auth.Access) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	_ = errcode.ServeJSON(w, errcode.ErrorCodeDenied.WithDetail(access)) // the client has gone
}

// accessOf tells which access distribution will ask for, except for the source of a cross-repository mount: without
// that right the mount becomes an ordinary upload.
func accessOf(r *http.Request) []auth.Access {
	var match mux.RouteMatch
	if !v2.Router().Match(r, &match) {
		return nil
	}
	if match.Route.GetName() == v2.RouteNameCatalog {
		return []auth.Access{{Resource: auth.Resource{Type: "registry", Name: "catalog"}, Action: "*"}}
	}
	repository := match.Vars["name"]
	if repository == "" {
		return nil
	}
	resource := auth.Resource{Type: "repository", Name: repository}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return []auth.Access{{Resource: resource, Action: "pull"}}
	case http.MethodDelete:
		return []auth.Access{{Resource: resource, Action: "delete"}}
	default:
		return []auth.Access{{Resource: resource, Action: "pull"}, {Resource: resource, Action: "push"}}
	}
}

func mayAll(table *users, name string, access []auth.Access) bool {
	for _, one := range access {
		if !table.may(name, one.Action, one.Type, one.Name) {
			return false
		}
	}
	return true
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/distribution/distribution/v3/registry/auth/token"
)

// How the token server treats a scope that the user has no right to.
const (
	modeLimited  = "limited"  // 200, and the token lacks it: as Docker Hub and Harbor do
	modeRefusing = "refusing" // 403 DENIED at the token server: as GitHub's registry does
	modeLying    = "lying"    // 200 and a token that names it, and the registry then answers 403 DENIED
)

// tokenMode is the mode that all token requests are treated by.
type tokenMode struct {
	value atomic.Value
}

func (m *tokenMode) get() string { return m.value.Load().(string) }

func (m *tokenMode) set(mode string) error {
	switch mode {
	case modeLimited, modeRefusing, modeLying:
		m.value.Store(mode)
		return nil
	default:
		return fmt.Errorf("unknown token mode %q: want %s, %s or %s", mode, modeLimited, modeRefusing, modeLying)
	}
}

// tokenServer speaks the token protocol of distribution: GET with basic auth, and POST with a form as in OAuth2.
type tokenServer struct {
	users  *users
	mode   *tokenMode
	issuer *tokenIssuer
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name, password, given := tokenCredentials(r)
	if given && !s.users.authenticate(name, password) {
		_ = errcode.ServeJSON(w, errcode.ErrorCodeUnauthorized.WithMessage("incorrect username or password"))
		return
	}
	if !given {
		name = anonymous
	}
	asked := parseScopes(r.Form["scope"])
	granted, all := s.limit(name, asked)
	mode := s.mode.get()
	if mode == modeRefusing && !all {
		_ = errcode.ServeJSON(w, errcode.ErrorCodeDenied)
		return
	}
	if mode == modeLying {
		granted = asked
	}
	s.answer(w, name, granted)
}

func (s *tokenServer) answer(w http.ResponseWriter, name string, granted []*token.ResourceActions) {
	now := time.Now()
	signed, err := s.issuer.sign(name, granted, now)
	if err != nil {
		_ = errcode.ServeJSON(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token":        signed,
		"access_token": signed,
		"expires_in":   int(tokenTTL.Seconds()),
		"issued_at":    now.UTC().Format(time.RFC3339),
	})
}

// tokenCredentials also parses the request's form. A refresh token counts as a credential and is always wrong: this
// server gives none out.
func tokenCredentials(r *http.Request) (name, password string, given bool) {
	_ = r.ParseForm() // what cannot be parsed is not there
	if name, password, given = r.BasicAuth(); given {
		return name, password, true
	}
	if r.Method == http.MethodPost {
		given = r.PostForm.Has("username") || r.PostForm.Has("refresh_token")
		return r.PostForm.Get("username"), r.PostForm.Get("password"), given
	}
	return "", "", false
}

// parseScopes reads "repository:shop/cart:pull,push", several in one value or in several values. Others are skipped.
func parseScopes(values []string) []*token.ResourceActions {
	scopes := []*token.ResourceActions{}
	for _, scope := range strings.Fields(strings.Join(values, " ")) {
		kind, rest, _ := strings.Cut(scope, ":")
		colon := strings.LastIndex(rest, ":") // a name may hold a colon, if it starts with a host
		if colon < 0 {
			continue
		}
		scopes = append(scopes, &token.ResourceActions{Type: kind, Name: rest[:colon], Actions: strings.Split(rest[colon+1:], ",")})
	}
	return scopes
}

// limit returns what the user may have of the scopes, and whether that is all of them.
func (s *tokenServer) limit(name string, asked []*token.ResourceActions) (granted []*token.ResourceActions, all bool) {
	granted, all = []*token.ResourceActions{}, true
	for _, scope := range asked {
		var actions []string
		for _, action := range scope.Actions {
			if s.users.may(name, action, scope.Type, scope.Name) {
				actions = append(actions, action)
			} else {
				all = false
			}
		}
		if len(actions) > 0 {
			granted = append(granted, &token.ResourceActions{Type: scope.Type, Name: scope.Name, Actions: actions})
		}
	}
	return granted, all
}

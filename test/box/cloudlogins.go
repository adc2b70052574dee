package box

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// cloudLogins is the registry that takes what the clouds give, where there is one.
type cloudLogins struct {
	mu       sync.Mutex
	registry *Registry
	proxy    http.Handler
}

// Serve has the clouds serve a registry without TLS under the hosts of theirs, each login that they give is taken there until it ends.
// Both users may pull everything.
func (c *Cloud) Serve(ctx context.Context, registry *Registry) error {
	for _, name := range []string{"AWS", acrUser} {
		if err := registry.SetUser(ctx, User{Name: name, Password: randomWord(40), Pull: []string{""}}); err != nil {
			return fmt.Errorf("making the clouds' users: %w", err)
		}
	}
	c.logins.mu.Lock()
	defer c.logins.mu.Unlock()
	c.logins.registry = registry
	c.logins.proxy = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry.Basic})
	return nil
}

// ProxyURL is where a process reaches the hosts of the clouds, for what does not follow its environment.
func (c *Cloud) ProxyURL() string { return "http://" + c.proxy.address }

// gave has a login taken until its end.
func (l *cloudLogins) gave(name, password string, ends time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.registry == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return l.registry.AddLogin(ctx, name, password, ends)
}

// serve answers as the registry. It reports false where there is none.
func (l *cloudLogins) serve(w http.ResponseWriter, r *http.Request) bool {
	l.mu.Lock()
	proxy := l.proxy
	l.mu.Unlock()
	if proxy == nil {
		return false
	}
	proxy.ServeHTTP(w, r)
	return true
}

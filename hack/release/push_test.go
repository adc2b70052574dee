package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWhoMayNotPushIsToldBeforeAnythingIsBuilt runs a release against registries that refuse.
func TestWhoMayNotPushIsToldBeforeAnythingIsBuilt(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // no login
	for _, test := range []struct {
		name   string
		status int
		want   string
	}{
		{"no login", http.StatusUnauthorized, "log in with a user who may push there, by `docker login "},
		{"no right", http.StatusForbidden, "log in with a user who may push there, by `docker login "},
		{"a server that fails", http.StatusInternalServerError, "whether an image can be pushed to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				if request.URL.Path == "/v2/" {
					return
				}
				w.WriteHeader(test.status)
			}))
			defer registry.Close()
			r := release{root: "../..", folder: t.TempDir(), version: "v0.0.1", push: true, image: strings.TrimPrefix(registry.URL, "http://") + "/platform/regcred"}
			if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	r := release{root: "../..", folder: t.TempDir(), version: "v0.0.1", push: true, image: placeholder}
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "--image must say where to push") {
		t.Errorf("%v", err)
	}
}

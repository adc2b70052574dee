package main

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// state is what the admin API can see and change.
type state struct {
	users    *users
	mode     tokenMode
	faults   faults
	requests *requestLog
}

func newState(o options) *state {
	everything := []string{""}
	s := &state{users: newUsers(o.users...), requests: newRequestLog()}
	s.users.put(user{Name: "admin", Password: o.adminPassword, Pull: everything, Push: everything})
	s.mode.value.Store(modeLimited)
	return s
}

// newAdminAPI serves:
//
//	GET    /users          the users, without passwords
//	PUT    /users/{name}   {"password", "pull": [prefix...], "push": [prefix...]}
//	DELETE /users/{name}
//	POST   /users/{name}/logins {"password", "ends": RFC 3339}   one more password, beside the others
//	PUT    /mode           {"token": "limited" | "refusing" | "lying"}
//	GET    /faults, PUT /faults [fault...], DELETE /faults
//	GET    /requests?since=N   the requests after number N, and the counters
//	DELETE /requests       forgets them; the numbers go on
func newAdminAPI(s *state) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.users.list()) })
	mux.HandleFunc("PUT /users/{name}", s.putUser)
	mux.HandleFunc("DELETE /users/{name}", s.deleteUser)
	mux.HandleFunc("POST /users/{name}/logins", s.postLogin)
	mux.HandleFunc("PUT /mode", s.putMode)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.faults.get()) })
	mux.HandleFunc("PUT /faults", s.putFaults)
	mux.HandleFunc("DELETE /faults", func(http.ResponseWriter, *http.Request) { s.faults.set(nil) })
	mux.HandleFunc("GET /requests", s.getRequests)
	mux.HandleFunc("DELETE /requests", func(http.ResponseWriter, *http.Request) { s.requests.clear() })
	return mux
}

func (s *state) putUser(w http.ResponseWriter, r *http.Request) {
	var one user
	if !readJSON(w, r, &one) {
		return
	}
	one.Name = r.PathValue("name")
	s.users.put(one)
}

func (s *state) deleteUser(w http.ResponseWriter, r *http.Request) {
	if !s.users.remove(r.PathValue("name")) {
		http.Error(w, "no such user", http.StatusNotFound)
	}
}

func (s *state) postLogin(w http.ResponseWriter, r *http.Request) {
	var one login
	if readJSON(w, r, &one) && !s.users.addLogin(r.PathValue("name"), one) {
		http.Error(w, "no such user", http.StatusNotFound)
	}
}

func (s *state) putMode(w http.ResponseWriter, r *http.Request) {
	var mode struct {
		Token string `json:"token"`
	}
	if !readJSON(w, r, &mode) {
		return
	}
	if err := s.mode.set(mode.Token); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *state) putFaults(w http.ResponseWriter, r *http.Request) {
	var list []fault
	if readJSON(w, r, &list) {
		s.faults.set(list)
	}
}

func (s *state) getRequests(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseInt(r.FormValue("since"), 10, 64)
	if err != nil && r.FormValue("since") != "" {
		http.Error(w, "since is not a number", http.StatusBadRequest)
		return
	}
	writeJSON(w, s.requests.since(since))
}

// readJSON refuses unknown fields, so that a misspelt fault fails its test at once.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

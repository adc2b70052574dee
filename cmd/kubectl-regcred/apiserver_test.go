package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// served are the kinds that an API server has, by their path.
var served = map[string][]metav1.APIResource{
	"/api/v1": {{Name: "pods", Kind: "Pod", Namespaced: true}, {Name: "secrets", Kind: "Secret", Namespaced: true}, {Name: "serviceaccounts", Kind: "ServiceAccount", Namespaced: true},
		{Name: "events", Kind: "Event", Namespaced: true}, {Name: "namespaces", Kind: "Namespace"}},
	"/apis/apps/v1": {{Name: "replicasets", Kind: "ReplicaSet", Namespaced: true}, {Name: "deployments", Kind: "Deployment", Namespaced: true}},
	"/apis/regcred.dev/v1alpha1": {{Name: "registrycredentials", Kind: "RegistryCredential"}, {Name: "vaultconnections", Kind: "VaultConnection"},
		{Name: "injectionindexes", Kind: "InjectionIndex"}},
	"/apis/admissionregistration.k8s.io/v1": {{Name: "validatingadmissionpolicies", Kind: "ValidatingAdmissionPolicy"}},
	"/apis/authorization.k8s.io/v1":         {{Name: "selfsubjectaccessreviews", Kind: "SelfSubjectAccessReview"}},
}

// apiServer answers over the wire, as far as a test says so: a real client asks it.
type apiServer struct {
	// lacks are the paths of groups that it does not have.
	lacks []string
	// objects are what it answers to GET, by path.
	objects map[string]runtime.Object
	// answers comes before all else, where it reports that it answered.
	answers func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	asked []string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if s.answers != nil && s.answers(w, r) {
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	object, there := s.objects[path]
	switch resources, known := served[path]; {
	case there:
		answer(w, http.StatusOK, object)
	case path == "/api":
		answer(w, http.StatusOK, &metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case path == "/apis":
		answer(w, http.StatusOK, s.groups())
	case known && !s.without(path):
		answer(w, http.StatusOK, &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: versionOf(path), APIResources: resources})
	default:
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	}
}

func (s *apiServer) without(path string) bool {
	for _, lacking := range s.lacks {
		if lacking == path {
			return true
		}
	}
	return false
}

func versionOf(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
}

func (s *apiServer) groups() *metav1.APIGroupList {
	list := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for path := range served {
		group, version, grouped := strings.Cut(versionOf(path), "/")
		if grouped && !s.without(path) {
			one := metav1.GroupVersionForDiscovery{GroupVersion: group + "/" + version, Version: version}
			list.Groups = append(list.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{one}, PreferredVersion: one})
		}
	}
	return list
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	answer(w, code, &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message})
}

// start gives access to the API server, as a kubeconfig does.
func (s *apiServer) start(t *testing.T) access {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	config := clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, &clientcmd.ConfigOverrides{ClusterInfo: clientcmdapi.Cluster{Server: server.URL}})
	return access{config, &serverClock{}}
}

package integration

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/pullsecret"
)

// judgeSecret says what is wrong with a change of a pull Secret that regcred made, "" where nothing is. registries are those that
// RegistryCredentials deliver there.
func judgeSecret(before, after *corev1.Secret, registries ...string) string {
	switch {
	case versionOf(before) == versionOf(after):
		return ""
	case before != nil && !pullsecret.OwnerOf(before).Ours:
		return "a foreign Secret was touched"
	case after == nil:
		return ""
	case before != nil && before.UID != after.UID:
		return "the Secret was recreated"
	case before != nil && maps.EqualFunc(before.Data, after.Data, bytes.Equal) && maps.Equal(before.Annotations, after.Annotations) && maps.Equal(before.Labels, after.Labels):
		return "a write that changes nothing"
	}
	if before != nil {
		for key, value := range before.Labels {
			if after.Labels[key] != value {
				return "the label " + key + " was changed"
			}
		}
	}
	config, err := dockerconfig.Parse(after.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		return "what was written is malformed: " + err.Error()
	}
	for registry := range config {
		if !slices.Contains(registries, registry) {
			return "an entry for " + registry + " was written"
		}
	}
	return ""
}

// judgeAccount says what is wrong with a change of a ServiceAccount that regcred made.
func judgeAccount(before, after *corev1.ServiceAccount) string {
	if before == nil || after == nil || before.UID != after.UID {
		if versionOf(before) != versionOf(after) {
			return "the ServiceAccount was made or removed"
		}
		return ""
	}
	ours := func(ref corev1.LocalObjectReference) bool { return ref.Name == "regcred" }
	theirs := slices.DeleteFunc(slices.Clone(before.ImagePullSecrets), ours)
	if !slices.Equal(theirs, slices.DeleteFunc(slices.Clone(after.ImagePullSecrets), ours)) {
		return fmt.Sprintf("others' entries went from %v to %v", before.ImagePullSecrets, after.ImagePullSecrets)
	}
	return ""
}

// judge looks at every object that the controllers write, just before and just after the write.
type judge struct {
	admin      client.Reader
	registries []string

	mu sync.Mutex
	// uids of the Secrets that were made, by namespace and name.
	uids  map[string]types.UID
	wrong []string
}

// wrap is a transport that judges.
func (j *judge) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		w, writes := writeOf(request)
		if !writes {
			return next.RoundTrip(request)
		}
		before, known := j.look(w)
		response, err := next.RoundTrip(request)
		if known && err == nil && response.StatusCode < http.StatusMultipleChoices {
			after, _ := j.look(w)
			j.hear(w, before, after)
		}
		return response, err
	})
}

// look reads what a write is about, nil where it does not exist, and reports whether this is of a kind that is judged.
func (j *judge) look(w write) (client.Object, bool) {
	var object client.Object
	switch w.resource {
	case "secrets":
		object = &corev1.Secret{}
	case "serviceaccounts":
		object = &corev1.ServiceAccount{}
	case "registrycredentials":
		object = &v1alpha1.RegistryCredential{}
	}
	name, _, _ := strings.Cut(w.name, "/")
	if object == nil || name == "" {
		return nil, false
	}
	if err := j.admin.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, object); err != nil {
		return nil, client.IgnoreNotFound(err) == nil
	}
	return object, true
}

// hear judges one write that the API server took.
func (j *judge) hear(w write, before, after client.Object) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if before != nil && after != nil && before.GetResourceVersion() == after.GetResourceVersion() {
		j.wrong = append(j.wrong, w.String()+": a write that changes nothing")
		return
	}
	var wrong string
	switch {
	case w.resource == "serviceaccounts":
		was, _ := before.(*corev1.ServiceAccount)
		is, _ := after.(*corev1.ServiceAccount)
		wrong = judgeAccount(was, is)
	case w.resource == "secrets" && w.namespace != operatorNamespace:
		was, _ := before.(*corev1.Secret)
		is, _ := after.(*corev1.Secret)
		if wrong = judgeSecret(was, is, j.registries...); is != nil && j.anew(w, is.UID) {
			wrong = "the Secret was recreated"
		}
	}
	if wrong != "" {
		j.wrong = append(j.wrong, w.String()+": "+wrong)
	}
}

// anew notes the identity of a Secret, and reports whether it had another one before.
func (j *judge) anew(w write, uid types.UID) bool {
	key := w.namespace + "/" + w.name
	known := j.uids[key]
	if j.uids == nil {
		j.uids = map[string]types.UID{}
	}
	j.uids[key] = uid
	return known != "" && known != uid
}

// verdict is everything that was wrong so far.
func (j *judge) verdict() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.wrong)
}

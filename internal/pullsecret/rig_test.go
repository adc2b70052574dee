package pullsecret

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
)

var (
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	yesterday = noon.Add(-24 * time.Hour)
)

// config gives a docker config with one entry for each key; the password is the given one.
func config(t testing.TB, password string, keys ...string) dockerconfig.Config {
	t.Helper()
	c := dockerconfig.Config{}
	for _, key := range keys {
		credential, err := dockerconfig.NewCredential("robot", password)
		if err != nil {
			t.Fatal(err)
		}
		c[key] = credential
	}
	return c
}

// filling is a docker config of about so many bytes, with passwords that a registry may give: that of key, and of repositories below it.
func filling(t testing.TB, bytes int, key string) dockerconfig.Config {
	t.Helper()
	const most = 100 << 10 // of an entry, which has its password twice, once as base64
	count := (bytes + most - 1) / most
	keys := []string{key}
	for i := 1; i < count; i++ {
		keys = append(keys, fmt.Sprint(key, "/", i))
	}
	return config(t, strings.Repeat("p", bytes/count*3/7), keys...)
}

// contribution of a RegistryCredential that was created so many hours before noon.
func contribution(name string, hoursOld int, revision string, config dockerconfig.Config) Contribution {
	return Contribution{Credential: name, Created: noon.Add(-time.Duration(hoursOld) * time.Hour), Revision: revision, Config: config}
}

// secret of ours, as Decide writes it for these contributions.
func secret(t testing.TB, contributions ...Contribution) *corev1.Secret {
	t.Helper()
	plan := Decide(Input{Namespace: "shop", Name: "regcred", Contributions: contributions, Exists: everybody, Now: yesterday})
	if plan.Action != Create {
		t.Fatalf("the first plan should create, it is %s", plan.Action)
	}
	plan.Secret.UID, plan.Secret.ResourceVersion = "uid", "7"
	return plan.Secret
}

func changed(s *corev1.Secret, change func(*corev1.Secret)) *corev1.Secret {
	s = s.DeepCopy()
	change(s)
	return s
}

// byHand is a pull Secret as kubectl create makes it.
func byHand(content string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "regcred", UID: "theirs", ResourceVersion: "3", CreationTimestamp: metav1.NewTime(yesterday)},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(content)},
	}
}

func everybody(string) bool { return true }

func only(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// keysOf are the docker config keys of a Secret, by the password or raw value under each.
func entriesOf(t testing.TB, s *corev1.Secret) map[string]string {
	t.Helper()
	if s == nil {
		return nil
	}
	raw, err := dockerconfig.ParseRaw(s.Data[corev1.DockerConfigJsonKey])
	if err != nil {
		t.Fatalf("the Secret holds no docker config: %v", err)
	}
	found := map[string]string{}
	for key, value := range raw {
		var entry struct {
			Password string `json:"password"`
		}
		if json.Unmarshal(value, &entry) != nil || entry.Password == "" {
			entry.Password = string(value)
		}
		found[key] = entry.Password
	}
	return found
}

func sourcesOf(s *corev1.Secret) map[string][]string {
	found := map[string][]string{}
	for name, source := range SourcesOf(s.Annotations) {
		found[name] = source.Keys
	}
	return found
}

// forget takes the record of what is in a Secret.
func forget(s *corev1.Secret) { delete(s.Annotations, v1alpha1.SourcesAnnotation) }

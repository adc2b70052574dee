package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"regcred.dev/regcred/hack/cluster/internal/box"
)

// runPod runs a pod whose image is pulled with a password, beside one whose password is wrong and one whose registry
// does not exist, and sees each end as it has to.
func runPod(t *testing.T, info box.Info) {
	t.Helper()
	pushImage(t, info, "app:1")
	putUser(t, info, "alice", "right")
	registry := info.Variables["BOX_REGISTRY_BASIC_IN_CLUSTER"]
	for _, password := range []string{"right", "wrong"} {
		kubectl(t, info, "create", "secret", "docker-registry", password, "--docker-server="+registry,
			"--docker-username=alice", "--docker-password="+password)
		kubectl(t, info, "run", password, "--image="+registry+"/app:1",
			"--overrides", fmt.Sprintf(`{"spec":{"imagePullSecrets":[{"name":%q}]}}`, password))
	}
	kubectl(t, info, "run", "nowhere", "--image=registry.invalid/app:1")

	kubectl(t, info, "wait", "pod/right", "--for=condition=Ready", "--timeout=60s")
	await(t, func() error { return pullFails(info, "wrong", "401 Unauthorized") })
	await(t, func() error { return pullFails(info, "nowhere", "no such host") })
}

// pullFails looks for the kubelet's words in the pod's events.
func pullFails(info box.Info, pod, want string) error {
	output, err := tryKubectl(info, "get", "events", "--field-selector=reason=Failed,involvedObject.name="+pod,
		"-o", "jsonpath={.items[*].message}")
	if err == nil && !strings.Contains(output, want) {
		err = fmt.Errorf("the pull of pod %s says %q, want %q in it", pod, output, want)
	}
	return err
}

// pushImage pushes the node's own sandbox image, which is as good as any.
func pushImage(t *testing.T, info box.Info, image string) {
	t.Helper()
	state := filepath.Dir(info.Variables["KUBECONFIG"])
	content, err := tarball.ImageFromPath(filepath.Join(state, "node", "pause.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(info.Variables["BOX_REGISTRY_BASIC"]+"/"+image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	administrator := &authn.Basic{Username: "admin", Password: "admin"}
	if err := remote.Write(reference, content, remote.WithAuth(administrator)); err != nil {
		t.Fatal(err)
	}
}

func putUser(t *testing.T, info box.Info, user, password string) {
	t.Helper()
	body := fmt.Sprintf(`{"password":%q,"pull":[""]}`, password)
	address := info.Variables["BOX_REGISTRY_ADMIN"] + "/users/" + user
	request, err := http.NewRequest(http.MethodPut, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("set a user's password: %s", response.Status)
	}
}

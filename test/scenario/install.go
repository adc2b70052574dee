package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/box"
)

// operatorRepository of the image that is built from the operator's binary. Its registry lets anybody pull it.
const operatorRepository = "regcred/regcred"

// overlay builds on the default installation what this cluster needs: names that the incident uses, and a registry that speaks
// plain http.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [DEFAULT]
images:
- {name: regcred, newName: REPOSITORY, IMAGE}
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "regcred,registry-creds", list: [regcred, registry-creds]}
- target: {kind: Deployment, name: regcred}
  patch: |
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--insecure-registries=REGISTRIES"}
    - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--vault-addresses=VAULT"}
    - {op: add, path: /spec/template/spec/dnsPolicy, value: Default}
- target: {kind: NetworkPolicy, name: regcred}
  patch: |
    - {op: add, path: /spec/egress/1/ports/-, value: {protocol: TCP, port: 5000}}
transformers: [REPLACEMENTS]
`

// Install pushes an image with the operator's binary and installs it as config/default says. It returns when the operator works.
func (s *Scenario) Install(ctx context.Context) error {
	tag, err := s.pushOperator(ctx)
	if err != nil {
		return fmt.Errorf("push the operator's image: %w", err)
	}
	folder, err := s.WriteOverlay("newTag: " + tag)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := s.Kubectl(ctx, "apply", "--server-side", "-k", folder); err != nil {
		return fmt.Errorf("install regcred: %w", err)
	}
	return Await(ctx, 2*time.Minute, s.OperatorReady)
}

// OperatorImage is the operator's image without a tag, as the node names it.
func (s *Scenario) OperatorImage() string { return s.Registry + "/" + operatorRepository }

// PushOperator pushes the operator's image under a tag. Anybody may pull it.
func (s *Scenario) PushOperator(ctx context.Context, tag string, image remote.Taggable) error {
	if err := s.Box.Registry.SetUser(ctx, box.User{Name: box.Anonymous, Pull: []string{"regcred/"}}); err != nil {
		return err
	}
	return s.Box.Registry.Push(ctx, operatorRepository+":"+tag, image)
}

func (s *Scenario) pushOperator(ctx context.Context) (tag string, err error) {
	image, err := box.Image(s.Binary, box.ImageOptions{})
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	tag = digest.Hex[:12]
	return tag, s.PushOperator(ctx, tag, image)
}

// WriteOverlay writes a kustomization of the operator into a new folder. version says which image, as kustomize has it: "newTag: v1" or
// "digest: sha256:...".
func (s *Scenario) WriteOverlay(version string) (folder string, err error) {
	config, err := configFolder()
	if err != nil {
		return "", err
	}
	return s.WriteOverlayOf(config, version)
}

// WriteOverlayOf does the same for another version's folder config.
func (s *Scenario) WriteOverlayOf(config, version string) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "regcred-overlay-"); err != nil {
		return "", err
	}
	folder, err = filepath.EvalSymlinks(folder)
	if err != nil {
		return "", err
	}
	base, err := filepath.Rel(folder, config)
	if err != nil {
		return "", err
	}
	text := strings.NewReplacer(
		"DEFAULT", filepath.Join(base, "default"), "REPLACEMENTS", filepath.Join(base, "replacements"),
		"REPOSITORY", s.OperatorImage(), "IMAGE", version,
		"REGISTRIES", s.Registry+","+s.Box.Registry.TokenInCluster, "VAULT", s.Box.Vault.AddressInCluster,
	).Replace(overlay)
	return folder, os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)
}

// configFolder is the folder config of the repository that the working directory lies in.
func configFolder() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		config := filepath.Join(folder, "config")
		if _, err := os.Stat(filepath.Join(config, "default", "kustomization.yaml")); err == nil {
			return config, nil
		}
	}
	return "", errors.New("the folder config/default was not found: run this within the repository")
}

// Kubectl runs kubectl of the box. What it prints is in the error only.
func (s *Scenario) Kubectl(ctx context.Context, arguments ...string) error {
	assets, err := box.Assets()
	if err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, filepath.Join(assets, "kubectl"), arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

// OperatorReady reports whether all replicas of the operator are ready, and none of the version before is left.
func (s *Scenario) OperatorReady(ctx context.Context) error {
	var deployment appsv1.Deployment
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: SystemNamespace, Name: "regcred"}, &deployment); err != nil {
		return err
	}
	status, want := deployment.Status, *deployment.Spec.Replicas
	if status.ObservedGeneration != deployment.Generation || status.UpdatedReplicas != want || status.Replicas != want || status.ReadyReplicas != want {
		return fmt.Errorf("the operator has %d replicas, of which %d are of this version and %d ready; want %d", status.Replicas, status.UpdatedReplicas,
			status.ReadyReplicas, want)
	}
	return nil
}

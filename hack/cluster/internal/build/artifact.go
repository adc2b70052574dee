// Package build makes the binaries of the box and keeps them in a cache outside the source tree.
//
// Every artifact is stored under a key derived from all that goes into it, so it is built once for each state of
// its sources and never again, however many boxes and test runs use it.
package build

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Artifact is one folder of binaries that a single go build makes.
type Artifact struct {
	// Name is how the artifact is called on the command line and in the cache.
	Name string
	// Module is the folder of its Go module, relative to the sources of the cluster.
	Module string
	// Inputs is the folder whose files decide whether it has to be built again; empty means the whole module.
	Inputs string
	// Shared are further folders whose files decide, relative to the sources of the cluster: modules that this one is made of.
	Shared []string
	// Packages are the main packages, as go build takes them.
	Packages []string
	// Tags are build tags.
	Tags []string
	// Links are names under which the first binary is to be found beside its own.
	Links []string
	// Stamp tells the linker flags that put a version into the binaries.
	Stamp func(versions map[string]string) (string, error)
	// Estimate is how long a build from an empty Go cache takes on two cores.
	Estimate string
	// OnlyForNode says that a box without a node does without it.
	OnlyForNode bool
	// OnlyByName says that no box has it: it is built where it is asked for.
	OnlyByName bool
}

// Artifacts are all parts of the box, the quick ones first.
var Artifacts = []Artifact{
	{
		Name: "pause", Module: ".", Inputs: "pause", Packages: []string{"./pause"},
		Estimate: "a few seconds",
	},
	{
		Name: "registry", Module: "registry", Packages: []string{"."},
		Estimate: "a minute",
	},
	{
		Name: "vault", Module: "vault", Packages: []string{"."},
		Estimate: "4 minutes",
	},
	{
		Name: "containerd", Module: "containerd", OnlyForNode: true,
		Packages: []string{
			"github.com/containerd/containerd/v2/cmd/containerd",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containerd/containerd/v2/cmd/ctr",
		},
		Tags:     []string{"no_btrfs", "no_zfs", "no_devmapper", "no_aufs", "grpcnotrace"},
		Stamp:    stampContainerd,
		Estimate: "2 minutes",
	},
	{
		Name: "kubernetes", Module: "kubernetes", Packages: []string{"."},
		Tags:     []string{"grpcnotrace"},
		Links:    []string{"etcd", "kube-apiserver", "kubectl"}, // what envtest looks for
		Stamp:    stampKubernetes,
		Estimate: "10 minutes",
	},
	{
		Name: "oldest", Module: "oldest", Packages: []string{"."}, OnlyByName: true,
		Tags:     []string{"grpcnotrace"},
		Links:    []string{"kube-apiserver"},
		Stamp:    stampKubernetes,
		Estimate: "5 minutes",
	},
}

// vaults are the versions of Vault that a box can have, the first by default. Vault 1.21 is under the Business Source License 1.1 of
// HashiCorp: it is built and run by tests alone, and is no part of anything that is released.
var vaults = []struct {
	version  string
	artifact Artifact
}{
	{"1.14", Artifact{Name: "vault", Module: "vault", Packages: []string{"."}, Estimate: "4 minutes"}},
	{"1.21", Artifact{Name: "vault", Module: "vault121", Shared: []string{"vault"}, Packages: []string{"."}, Estimate: "6 minutes"}},
}

// withVault gives the artifacts with this version of Vault in the place of the default one.
func withVault(version string) ([]Artifact, error) {
	var known []string
	for _, v := range vaults {
		if v.version == version || version == "" {
			all := slices.Clone(Artifacts)
			all[slices.IndexFunc(all, func(a Artifact) bool { return a.Name == v.artifact.Name })] = v.artifact
			return all, nil
		}
		known = append(known, v.version)
	}
	return nil, fmt.Errorf("there is no Vault %q for the box; BOX_VAULT_VERSION can be: %s", version, strings.Join(known, ", "))
}

// Select returns the artifacts with the given names; without names, those that a box needs. vault is the version of Vault as
// BOX_VAULT_VERSION has it, or empty.
func Select(names []string, node bool, vault string) ([]Artifact, error) {
	all, err := withVault(vault)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return slices.DeleteFunc(all, func(a Artifact) bool { return a.OnlyByName || a.OnlyForNode && !node }), nil
	}
	var selected []Artifact
	for _, name := range names {
		i := slices.IndexFunc(all, func(a Artifact) bool { return a.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q to build; there are: %s", name, strings.Join(artifactNames(), ", "))
		}
		selected = append(selected, all[i])
	}
	return selected, nil
}

func artifactNames() []string {
	var names []string
	for _, a := range Artifacts {
		names = append(names, a.Name)
	}
	return names
}

// arguments are those of the go command, all but the place where the result goes.
func (a Artifact) arguments(source string) ([]string, error) {
	ldflags := "-s -w"
	if a.Stamp != nil {
		versions, err := requiredVersions(filepath.Join(source, a.Module, "go.mod"))
		if err != nil {
			return nil, err
		}
		stamp, err := a.Stamp(versions)
		if err != nil {
			return nil, err
		}
		ldflags += " " + stamp
	}
	args := []string{"build", "-buildvcs=false", "-trimpath", "-ldflags", ldflags}
	if len(a.Tags) > 0 {
		args = append(args, "-tags", strings.Join(a.Tags, ","))
	}
	return args, nil
}

// requiredVersions maps each module that the go.mod file requires to its version.
func requiredVersions(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, r := range file.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	return versions, nil
}

// stampKubernetes gives kubelet, API server and kubectl the version that they report and compare with each other.
func stampKubernetes(versions map[string]string) (string, error) {
	version := versions["k8s.io/kubernetes"]
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("the module requires no release of k8s.io/kubernetes (version %q)", version)
	}
	const at = "-X k8s.io/component-base/version."
	return strings.Join([]string{
		at + "gitVersion=" + version,
		at + "gitMajor=" + parts[0],
		at + "gitMinor=" + parts[1],
		at + "gitTreeState=clean",
		at + "gitCommit=unknown",
		at + "buildDate=1970-01-01T00:00:00Z",
	}, " "), nil
}

func stampContainerd(versions map[string]string) (string, error) {
	const module = "github.com/containerd/containerd/v2"
	if versions[module] == "" {
		return "", fmt.Errorf("the module does not require %s", module)
	}
	return "-X " + module + "/version.Version=" + versions[module], nil
}

// Package node is the box's node: containerd and a kubelet in namespaces of their own.
package node

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

// Name is the name of the Node.
const Name = "node1"

const (
	containerdSocket = "/run/containerd/containerd.sock"
	pauseImage       = "box.invalid/pause:1"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*"))

// Config is what the node's first process gets to know.
type Config struct {
	// Folder holds the rendered files.
	Folder string
	// Logs is the folder for the logs of containerd, kubelet and pods.
	Logs string
	// Containerd is the folder of containerd, its shim and ctr.
	Containerd string
	// Kubernetes is the binary of all Kubernetes components.
	Kubernetes string
	// Pause is the binary of the pods' sandbox.
	Pause string
	// CNIBinaries is the folder of the network plugins.
	CNIBinaries string
	// Kubeconfig and CAFile are the kubelet's way to the API server, and whom it trusts.
	Kubeconfig, CAFile string
	// Cgroup is the cgroup that holds all pods, below each hierarchy's root.
	Cgroup string
	// PlainRegistries are the registries (host:port) that speak plain HTTP.
	PlainRegistries []string
	// Names are other hosts under which containerd reaches such a registry, as registry-1.docker.io and docker.io are one.
	Names map[string]string
}

// values are a Config's, and with it all that the templates name.
type values struct {
	Config
	ContainerdSocket, PauseImage, NodeIP, Bridge, PodSubnet string
}

// HostsFolder holds one folder for each registry, named like it, with a hosts.toml.
func (c Config) HostsFolder() string { return filepath.Join(c.Folder, "registries") }

// CNIFolder holds the network configuration.
func (c Config) CNIFolder() string { return filepath.Join(c.Folder, "cni") }

// ResolvConf is the resolv.conf of the node and its pods.
func (c Config) ResolvConf() string { return filepath.Join(c.Folder, "resolv.conf") }

// PodLogs is where the kubelet keeps the containers' logs.
func (c Config) PodLogs() string { return filepath.Join(c.Logs, "pods") }

func (c Config) file() string { return filepath.Join(c.Folder, "node.json") }

// Write renders every file that the node needs and returns the path of the one that names the rest.
func (c Config) Write() (string, error) {
	v := values{c, containerdSocket, pauseImage, network.NodeIP, network.Bridge, network.PodSubnet}
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", err
	}
	files := map[string][]byte{
		c.file():       content,
		c.ResolvConf(): []byte("nameserver " + network.NodeIP + "\noptions attempts:1 timeout:1\n"),
	}
	for path, name := range map[string]string{
		filepath.Join(c.Folder, "containerd.toml"):      "containerd.toml",
		filepath.Join(c.Folder, "kubelet.yaml"):         "kubelet.yaml",
		filepath.Join(c.CNIFolder(), "10-box.conflist"): "cni.json",
	} {
		if files[path], err = render(name, v); err != nil {
			return "", err
		}
	}
	for _, registry := range c.PlainRegistries {
		if files[filepath.Join(c.HostsFolder(), registry, "hosts.toml")], err = render("hosts.toml", registry); err != nil {
			return "", err
		}
	}
	for name, registry := range c.Names {
		if files[filepath.Join(c.HostsFolder(), name, "hosts.toml")], err = render("hosts.toml", registry); err != nil {
			return "", err
		}
	}
	for path, content := range files {
		if err := writeFile(path, content); err != nil {
			return "", err
		}
	}
	return c.file(), writeImage(c.Pause, c.imageFile())
}

func (c Config) imageFile() string { return filepath.Join(c.Folder, "pause.tar") }

// Read returns the Config that Write wrote.
func Read(path string) (Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := json.Unmarshal(content, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func render(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, name, data)
	return out.Bytes(), err
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

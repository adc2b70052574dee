package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func writeConfig(t *testing.T) (Config, string) {
	t.Helper()
	folder := t.TempDir()
	pause := filepath.Join(folder, "pause")
	if err := os.WriteFile(pause, []byte("binary"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := Config{
		Folder: filepath.Join(folder, "node"), Logs: filepath.Join(folder, "logs"), Pause: pause,
		CNIBinaries: "/usr/lib/cni", CAFile: "/box/ca.crt", Cgroup: "/regcred-test",
		PlainRegistries: []string{"10.88.0.1:5000", "10.88.0.1:5001"},
		Names:           map[string]string{"REGISTRY.BOX.EXAMPLE": "10.88.0.1:5000"},
	}
	file, err := config.Write()
	if err != nil {
		t.Fatal(err)
	}
	return config, file
}

func TestWrittenConfigIsReadBack(t *testing.T) {
	config, file := writeConfig(t)
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Folder != config.Folder || got.Cgroup != config.Cgroup || len(got.PlainRegistries) != 2 {
		t.Errorf("read %+v, wrote %+v", got, config)
	}
}

func TestRenderedFilesNameTheBox(t *testing.T) {
	config, _ := writeConfig(t)
	for name, wants := range map[string][]string{
		"kubelet.yaml": {
			"cgroupRoot: /regcred-test\n",
			"clientCAFile: /box/ca.crt}",
			"containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n",
			"podLogsDir: " + config.Logs + "/pods\n",
		},
		"containerd.toml": {
			"address = '/run/containerd/containerd.sock'\n",
			"bin_dirs = ['/usr/lib/cni']\n",
			"config_path = '" + config.HostsFolder() + "'\n",
		},
		"registries/10.88.0.1:5001/hosts.toml":       {"[host.'http://10.88.0.1:5001']\n"},
		"registries/REGISTRY.BOX.EXAMPLE/hosts.toml": {"[host.'http://10.88.0.1:5000']\n"},
		"cni/10-box.conflist":                        {`"bridge": "cni0"`, `"subnet": "10.88.0.0/24"`},
		"resolv.conf":                                {"nameserver 10.88.0.1\n"},
	} {
		content, err := os.ReadFile(filepath.Join(config.Folder, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(string(content), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, content)
			}
		}
	}
}

func TestPauseImageRunsTheBinary(t *testing.T) {
	config, _ := writeConfig(t)
	image, err := tarball.ImageFromPath(config.imageFile(), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(file.Config.Entrypoint, " "); got != "/pause" || file.OS != "linux" {
		t.Errorf("the image runs %q on %q", got, file.OS)
	}
}

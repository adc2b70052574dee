package payload

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/registry"
)

var update = flag.Bool("update", false, "write the golden file of what is delivered anew")

// deliveredFile lists what is delivered, for which image, and the login that a kubelet is to send for it. The kubelet's own keyring
// is asked about each line: see hack/cluster/kubernetes/keyring.
const deliveredFile = "testdata/delivered.tsv"

// spelling is how a registry is written in a spec and in an image, and whether a kubelet uses the one for the other.
type spelling struct {
	listed v1alpha1.Registry
	image  string
	used   bool
}

func spellings() []spelling {
	return []spelling{
		{"docker.io", "nginx", true}, {"docker.io", "bitnami/nginx:1", true}, {"docker.io", "docker.io/bitnami/nginx", true}, {"docker.io", "index.docker.io/bitnami/nginx", true},
		{"docker.io", "registry-1.docker.io/bitnami/nginx", false}, {"docker.io", "registry.hub.docker.com/library/nginx", false}, {"docker.io", "mirror.gcr.io/library/nginx", false},
		{"docker.io", "public.ecr.aws/docker/library/nginx", false}, {"docker.io/bitnami", "bitnami/nginx", true}, {"docker.io/bitnami", "nginx", false}, {"index.docker.io", "nginx", true},
		{"index.docker.io/bitnami", "bitnami/nginx", true}, {"hub.docker.com", "nginx", true}, {"docker.io/library", "nginx", true}, {"docker.io", "Docker.io/library/nginx", false},
		{"registry-1.docker.io", "registry-1.docker.io/bitnami/nginx:1", true}, {"registry-1.docker.io", "bitnami/nginx", false}, {"registry-1.docker.io", "Registry-1.docker.io/bitnami/nginx", false},
		{"registry-1.docker.io/bitnami", "registry-1.docker.io/bitnami/nginx", true}, {"registry-1.docker.io/bitnami", "registry-1.docker.io/library/nginx", false},
		{"Registry-1.docker.io", "Registry-1.docker.io/bitnami/nginx", true}, {"registry.hub.docker.com", "registry.hub.docker.com/library/nginx", true}, {"*.docker.io", "registry-1.docker.io/x/y", true},
		{"*.docker.io", "nginx", false}, {"mirror.gcr.io", "mirror.gcr.io/library/nginx", true}, {"mirror.gcr.io", "nginx", false}, {"public.ecr.aws", "public.ecr.aws/docker/library/nginx", true},
		{"gcr.io", "gcr.io/project/app", true}, {"gcr.io", "eu.gcr.io/project/app", false}, {"*.gcr.io", "eu.gcr.io/project/app", true}, {"*.gcr.io", "gcr.io/project/app", false},
		{"gcr.io/project", "europe-docker.pkg.dev/project/app", false}, {"*.pkg.dev", "europe-docker.pkg.dev/project/repository/app", true}, {"*-docker.pkg.dev", "europe-docker.pkg.dev/project/repository/app", true},
		{"europe-docker.pkg.dev/project", "europe-docker.pkg.dev/project-2/repository/app", true}, {"europe-docker.pkg.dev/project/", "europe-docker.pkg.dev/project-2/repository/app", false},
		{"*.dkr.ecr.*.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", true}, {"company.azurecr.io", "company.azurecr.io/app", true}, {"nvcr.io/company", "nvcr.io/company/team/app:1", true},
		{"Registry.Company.io", "Registry.Company.io/app", true}, {"Registry.Company.io", "registry.company.io/app", false}, {"registry.company.io", "REGISTRY.company.io/app", false},
		{"NEXUS", "NEXUS/team/app", true}, {"nexus:8082", "nexus:8082/app", true}, {"NEXUS:8082/team", "NEXUS:8082/team/app", true}, {"*.Company.io", "a.Company.io/app", true}, {"*.Company.io", "a.company.io/app", false},
		{"registry.company.io", "registry.company.io:5000/app", false}, {"registry.company.io:443", "registry.company.io/app", false}, {"registry.company.io:5000", "registry.company.io:5000/app", true},
		{"registry.company.io:5000/", "registry.company.io:5000/app", true}, {"localhost:5000", "localhost:5000/app", true}, {"localhost", "localhost/app", true}, {"10.0.0.1:5000", "10.0.0.1:5000/app", true},
		{"[::1]:5000", "[::1]:5000/team/app", true}, {"[2001:db8::1]:5000/team", "[2001:db8::1]:5000/team/app", true}, {"[2001:DB8::1]:5000", "[2001:DB8::1]:5000/team/app", true},
		{"[2001:DB8::1]:5000", "[2001:db8::1]:5000/team/app", false}, {"[::1]:5000", "[::1]:5001/team/app", false}, {"[0:0:0:0:0:0:0:1]:5000", "[::1]:5000/team/app", false},
		{"quay.io/core", "quay.io/coreos/etcd", true}, {"quay.io/core/", "quay.io/coreos/etcd", false}, {"*.jfrog.io", "a.jfrog.io/docker/app", true}, {"*.jfrog.io", "a.b.jfrog.io/docker/app", false},
	}
}

// delivered is one line of the file for each entry that is delivered of a shape, and one for each spelling.
func delivered(t *testing.T) []string {
	lines := []string{"# what it is\timage\tthe docker config that is delivered\tthe login that a kubelet sends (JSON), null where it uses no entry"}
	row := func(name, image string, made Payload, login any) {
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s", name, image, made.Config.Render(), encode(login)))
	}
	for _, shape := range allShapes() {
		made, err := Render(fieldsOf(t, shape.fields), wants(shape.keys, shape.username, shape.registries...))
		if err != nil {
			t.Fatalf("%s: %v", shape.name, err)
		}
		for _, key := range sortedKeys(made.Config) {
			username, password, _ := strings.Cut(shape.want[key], ":")
			row(shape.name, anyImageOf(key), made, []string{username, password})
		}
	}
	for _, spelling := range spellings() {
		made, err := Render(Fields{"username": "robot", "password": "pw"}, wants(Keys{}, "", spelling.listed))
		if err != nil {
			t.Fatalf("%s: %v", spelling.listed, err)
		}
		var login any
		if spelling.used {
			login = []string{"robot", "pw"}
		}
		row("registry "+string(spelling.listed), spelling.image, made, login)
	}
	return lines
}

func TestWhatIsDeliveredIsWhatTheKubeletWasAskedAbout(t *testing.T) {
	want := strings.Join(delivered(t), "\n") + "\n"
	if *update {
		if err := os.MkdirAll(filepath.Dir(deliveredFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(deliveredFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(deliveredFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what is delivered: write it anew with -update, and run the tests of hack/cluster/kubernetes/keyring", deliveredFile)
	}
}

func TestEverySpellingIsUsedForItsImagesAndNoOthers(t *testing.T) {
	for _, spelling := range spellings() {
		made, err := Render(Fields{"username": "robot", "password": "pw"}, wants(Keys{}, "", spelling.listed))
		if err != nil {
			t.Errorf("%s: %v", spelling.listed, err)
			continue
		}
		keys := sortedKeys(made.Config)
		if used := len(registry.MostSpecific(keys, spelling.image)) > 0; used != spelling.used {
			t.Errorf("%s is published as %q, and used for %s: %v", spelling.listed, keys, spelling.image, used)
		}
	}
}

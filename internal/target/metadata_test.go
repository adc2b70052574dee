package target

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestMarksOfKubernetesAndToolsAreNeverWritten(t *testing.T) {
	for key, want := range map[string]bool{
		"controller.devfile.io/devworkspace_pullsecret": true, "argocd.argoproj.io/secret-type": true, "team": true, "jenkins.io/credentials-type": true, "tekton.dev/docker-0": true,
		"mykubernetes.io/x": true, "kubernetes.io.example/x": true,
		"kubernetes.io/x": false, "app.kubernetes.io/managed-by": false, "k8s.io/x": false, "hnc.x-k8s.io/x": false, "regcred.dev/managed": false, "x.regcred.dev/y": false,
		"meta.helm.sh/release-name": false, "argocd.argoproj.io/instance": false, "argocd.argoproj.io/tracking-id": false, "kustomize.toolkit.fluxcd.io/name": false,
		"reflector.v1.k8s.emberstack.com/reflection-allowed": false, "clustersecret.io": false, "my.clustersecret.io": false, "management.cattle.io/project-scoped-secret-copy": false,
		"": false, "a b": false, "/x": false, "x/": false, "a/b/c": false, "ÄÖ": false,
	} {
		target := &v1alpha1.Target{
			SecretLabels: map[string]v1alpha1.LabelValue{key: "v"}, SecretAnnotations: map[string]v1alpha1.AnnotationValue{key: "v"},
		}
		metadata, err := MetadataOf(target), CheckMetadata(target)
		if (len(metadata.Labels) == 1) != want || (len(metadata.Annotations) == 1) != want || (err == nil) != want {
			t.Errorf("%q: %v, %v", key, metadata, err)
		}
		if err != nil && !strings.Contains(err.Error(), "secretAnnotations") {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestOnlyWhatIsWrongIsLeftOut(t *testing.T) {
	target := &v1alpha1.Target{SecretLabels: map[string]v1alpha1.LabelValue{"team": "shop", "k8s.io/x": "v"}}
	if diff := cmp.Diff(map[string]string{"team": "shop"}, MetadataOf(target).Labels); diff != "" {
		t.Error(diff)
	}
	if err := CheckMetadata(target); err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "team") {
		t.Errorf("%v", err)
	}
	long := &v1alpha1.Target{SecretLabels: map[string]v1alpha1.LabelValue{strings.Repeat("x", 5000): "v", "y y": "v"}}
	if err := CheckMetadata(long); err == nil || len(err.Error()) > 500 || strings.Count(err.Error(), "NAME or DOMAIN/NAME") != 2 {
		t.Errorf("a long key hides what is wrong with it: %v", err)
	}
	for i := range 100 {
		long.SecretLabels[strings.Repeat(" ", i+1)] = "v"
	}
	if err := CheckMetadata(long); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a hundred wrong keys are told in %d bytes", len(err.Error()))
	}
	if err := CheckMetadata(&v1alpha1.Target{}); err != nil {
		t.Error(err)
	}
}

func TestThePolicyHasTheSameDomains(t *testing.T) {
	policy, err := os.ReadFile("../../config/admission/secrets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`matches\('\^\(\[\^/\]\*\[\.\]\)\?\((kubernetes[^)]*clustersecret[^)]*)\)\(/\|\$\)'\)`).FindSubmatch(policy)
	if list == nil {
		t.Fatal("the policy has no list of domains")
	}
	refused := regexp.MustCompile(`^([^/]*[.])?(` + string(list[1]) + `)(/|$)`)
	for _, key := range []string{"team", "helm.sh", "my.helm.sh", "myhelm.sh", "helm.sh/x", "my.helm.sh/x", "a/helm.sh", "helm.sh.example/x"} {
		if got := refused.MatchString(key); got != Reserved(key) {
			t.Errorf("the policy refuses %s: %t", key, got)
		}
	}
	domains := strings.Split(strings.ReplaceAll(string(list[1]), "[.]", "."), "|")
	slices.Sort(domains)
	want := slices.Sorted(slices.Values(reserved))
	if diff := cmp.Diff(want, domains); diff != "" {
		t.Error(diff)
	}
}

package integration

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// nameLimits are the values of config/default/limits.yaml, as they arrive in the places that enforce them.
type nameLimits struct {
	// Of the operator's flags.
	Flags map[string]string
	// Of the operator's ClusterRole.
	RoleSecrets, RoleServiceAccounts []string
	// Of the optional role for owners: its groups and resources.
	RoleOwners []string
	// Of each policy: its variables that hold lists, and its conditions.
	Policies map[string]map[string]string
}

func TestLimitsReachFlagsRoleAndPolicies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		overlay string
		want    nameLimits
	}{
		{
			name:    "as shipped",
			overlay: "resources: [DEFAULT]",
			want:    wantLimits("regcred-system", "regcred", "default", "kube-system,kube-public,kube-node-lease"),
		},
		{
			name: "with kinds of owners",
			overlay: `
resources: [DEFAULT, OWNERS]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    recoveryOwnerKinds: {commaSeparated: "a.example/A,b.example/B", apiGroups: [a.example, b.example], resources: [as, bs]}
transformers: [REPLACEMENTS]`,
			want: withOwnerKinds(wantLimits("regcred-system", "regcred", "default", "kube-system,kube-public,kube-node-lease"),
				"a.example/A,b.example/B", "a.example", "b.example", "as", "bs"),
		},
		{
			name: "set by an overlay, in another namespace",
			overlay: `
namespace: platform
resources: [DEFAULT]
patches:
- patch: |
    apiVersion: regcred.dev/local
    kind: Limits
    metadata: {name: regcred-limits}
    secretNames: {commaSeparated: "regcred,registry-creds", list: [regcred, registry-creds]}
    serviceAccountNames: {commaSeparated: "default,builder", list: [default, builder]}
    protectedNamespaces: {commaSeparated: "kube-system,vault"}
transformers: [REPLACEMENTS]`,
			want: wantLimits("platform", "regcred,registry-creds", "default,builder", "kube-system,vault"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			manifests, _, err := runKubectl(t, "kustomize", writeOverlay(t, test.overlay))
			if err != nil {
				t.Fatal(err)
			}
			got := limitsOf(t, decodeManifests(t, manifests))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("wanted (-) and rendered (+):\n%s", diff)
			}
		})
	}
}

func withOwnerKinds(limits nameLimits, kinds string, role ...string) nameLimits {
	limits.Flags["RECOVERY_OWNER_KINDS"], limits.RoleOwners = kinds, role
	limits.Policies["regcred-pod-delete"]["ownerKinds"] = "'" + kinds + "'.split(',')"
	return limits
}

func wantLimits(namespace, secrets, accounts, protected string) nameLimits {
	list := func(names string) string { return "'" + names + "'.split(',')" }
	identity := func(also map[string]string) map[string]string {
		values := map[string]string{"our-identity": "request.userInfo.username == 'system:serviceaccount:" + namespace + ":regcred'"}
		maps.Copy(values, also)
		return values
	}
	policy := func(also map[string]string) map[string]string {
		values := identity(also)
		values["protectedNamespaces"] = list(protected)
		return values
	}
	return nameLimits{
		Flags: map[string]string{
			"SECRET_NAMES": secrets, "SERVICE_ACCOUNT_NAMES": accounts, "PROTECTED_NAMESPACES": protected,
			"VAULT_SERVICE_ACCOUNT_NAMES": "regcred-vault",
		},
		RoleSecrets:         strings.Split(secrets, ","),
		RoleServiceAccounts: strings.Split(accounts, ","),
		Policies: map[string]map[string]string{
			"regcred-secrets": policy(map[string]string{
				"secretNames":       list(secrets),
				"not-own-namespace": "request.namespace != '" + namespace + "'",
			}),
			"regcred-serviceaccounts": policy(map[string]string{"secretNames": list(secrets), "serviceAccountNames": list(accounts)}),
			"regcred-pod-delete":      policy(map[string]string{"ownerKinds": list("")}),
			"regcred-pod-update":      policy(nil),
			"regcred-records":         identity(map[string]string{"own-namespace": "request.namespace == '" + namespace + "'"}),
			"regcred-leases":          identity(map[string]string{"ownNamespace": "'" + namespace + "'"}),
			"regcred-tokens": identity(map[string]string{
				"ownNamespace": "'" + namespace + "'", "vaultServiceAccountNames": list("regcred-vault"), "vaultAudiences": list("vault"),
			}),
			"regcred-kinds":  identity(nil),
			"regcred-events": identity(nil),
		},
	}
}

func limitsOf(t *testing.T, objects []runtime.Object) nameLimits {
	t.Helper()
	got := nameLimits{Flags: map[string]string{}, Policies: map[string]map[string]string{}}
	for _, object := range objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			for _, variable := range o.Spec.Template.Spec.Containers[0].Env {
				if variable.Value != "" {
					got.Flags[variable.Name] = variable.Value
				}
			}
		case *rbacv1.ClusterRole:
			if o.Name == "regcred" {
				got.RoleSecrets, got.RoleServiceAccounts = namesOf(o, "secrets"), namesOf(o, "serviceaccounts")
			}
			if o.Name == "regcred-owners" {
				got.RoleOwners = slices.Concat(o.Rules[0].APIGroups, o.Rules[0].Resources)
			}
		case *admissionv1.ValidatingAdmissionPolicy:
			got.Policies[o.Name] = listsOf(o)
		}
	}
	return got
}

func namesOf(role *rbacv1.ClusterRole, resource string) []string {
	var names []string
	for _, rule := range role.Rules {
		if rule.Resources[0] == resource {
			names = append(names, rule.ResourceNames...)
		}
	}
	return names
}

func listsOf(policy *admissionv1.ValidatingAdmissionPolicy) map[string]string {
	values := map[string]string{}
	for _, condition := range policy.Spec.MatchConditions {
		values[condition.Name] = condition.Expression
	}
	for _, variable := range policy.Spec.Variables {
		if strings.Contains(variable.Expression, ".split(") || variable.Name == "ownNamespace" {
			values[variable.Name] = variable.Expression
		}
	}
	return values
}

// writeOverlay writes a kustomization that builds on the one of this repository into a folder of its own. The folders of
// config/ are named by their names in capitals.
func writeOverlay(t *testing.T, kustomization string) (folder string) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "replacements", "wide", "injection", "owners"} {
		absolute, err := filepath.Abs(configFolder(name))
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(folder, absolute)
		if err != nil {
			t.Fatal(err)
		}
		kustomization = strings.ReplaceAll(kustomization, strings.ToUpper(name), relative)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// decodeManifests reads the objects of built-in kinds.
func decodeManifests(t *testing.T, manifests string) []runtime.Object {
	t.Helper()
	var objects []runtime.Object
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifests)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

package checkup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Policies are the admission policies that bound the operator, as config/admission installs them.
var Policies = []string{
	"regcred-events", "regcred-kinds", "regcred-leases", "regcred-pod-delete", "regcred-pod-update", "regcred-records", "regcred-secrets",
	"regcred-serviceaccounts", "regcred-tokens",
}

// Findings are what all checks found, in the order in which they build on each other. Each check finds something.
func Findings(f Facts) []Finding {
	var all []Finding
	const credential, connection = "RegistryCredential", "VaultConnection"
	for _, one := range []struct {
		check func(Facts) []Finding
		needs []string // kinds without which there is nothing to look at: that they are missing is said once
	}{
		{kinds, nil}, {schemas, []string{credential, connection}}, {operator, nil}, {lease, nil}, {clock, nil}, {policies, nil}, {owners, nil},
		{connections, []string{connection}}, {fence, []string{connection}}, {registries, []string{credential}}, {credentials, []string{credential}},
		{injection, []string{credential}}, {rights, nil},
	} {
		if !slices.ContainsFunc(one.needs, func(kind string) bool { return !slices.Contains(f.Kinds, kind) }) {
			all = append(all, one.check(f)...)
		}
	}
	for i := range all {
		all[i].Message, all[i].Next = foreign.Message(all[i].Message), foreign.Message(all[i].Next)
	}
	return all
}

// HasProblem reports whether a finding is a problem.
func HasProblem(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Problem })
}

// clockSkew is how far clocks may differ. The API server tells whole seconds, and an answer takes time.
const clockSkew = 5 * time.Second

const reinstall = "install regcred again, by its chart or by config/default with its transformers and limits"

func kinds(f Facts) []Finding {
	const check = "API"
	var missing []string
	for _, kind := range []string{"RegistryCredential", "VaultConnection"} {
		if !slices.Contains(f.Kinds, kind) {
			missing = append(missing, kind)
		}
	}
	if len(missing) > 0 {
		return []Finding{{check, Problem, fmt.Sprintf("the API server does not know %s in version %s", strings.Join(missing, " and "), v1alpha1.GroupVersion.Version),
			"install the CRDs of this version (config/crd), or use the kubeconfig of the right cluster"}}
	}
	return []Finding{{check, OK, "the API server knows RegistryCredential and VaultConnection in version " + v1alpha1.GroupVersion.Version, ""}}
}

func operator(f Facts) []Finding {
	const check = "Operator"
	if f.Deployments.Error != "" {
		return unknown(check, f.Deployments.Error)
	}
	if len(f.Deployments.Value) == 0 {
		return []Finding{{check, Problem, "namespace " + f.Namespace + " has no Deployment with the label app.kubernetes.io/name=regcred",
			"name the namespace in which the operator runs with --operator-namespace, or install it"}}
	}
	var found []Finding
	for _, d := range f.Deployments.Value {
		message := fmt.Sprintf("Deployment %s in namespace %s: %d of %d pods are available", d.Name, f.Namespace, d.Available, d.Wanted)
		if d.Version != "" {
			message += ", version " + d.Version
		}
		switch next := fmt.Sprintf("see why: kubectl describe pods -n %s -l app.kubernetes.io/name=regcred", f.Namespace); {
		case d.Wanted == 0:
			found = append(found, Finding{check, Problem, message, fmt.Sprintf("run it: kubectl scale deployment %s -n %s --replicas=2", d.Name, f.Namespace)})
		case d.Available == 0:
			found = append(found, Finding{check, Problem, message, next})
		case d.Available < d.Wanted:
			found = append(found, Finding{check, Warning, message, next})
		default:
			found = append(found, Finding{check, OK, message, ""})
		}
	}
	return found
}

func lease(f Facts) []Finding {
	const check = "Leader"
	next := fmt.Sprintf("read its log: kubectl logs -n %s -l app.kubernetes.io/name=regcred", f.Namespace)
	l := f.Lease.Value
	switch {
	case f.Lease.Error != "":
		return unknown(check, f.Lease.Error)
	case !l.Exists:
		return []Finding{{check, Problem, "no replica of the operator was ever elected in namespace " + f.Namespace, next}}
	case l.Holder == "":
		return []Finding{{check, Problem, "no replica of the operator leads: the last one gave its lease back", next}}
	case !l.Renewed && l.Age > l.Lasts:
		return []Finding{{check, Problem, fmt.Sprintf("%s led and did not renew its lease for %s: nothing is read and nothing is written", l.Holder, l.Age.Round(time.Second)), next}}
	case f.Deployments.Error == "" && len(f.Deployments.Value) == 0 && !l.Renewed:
		return []Finding{{check, Problem, fmt.Sprintf("%s renewed its lease %s ago, and the operator has no Deployment any more: nothing is read and nothing is written",
			l.Holder, max(0, l.Age).Round(time.Second)), "see what the check Operator says"}}
	case !l.Renewed && l.Age < 0:
		return []Finding{{check, Warning, fmt.Sprintf("%s leads, and its lease was renewed in the future", l.Holder), "compare the API server's clock with that of the nodes"}}
	}
	return []Finding{{check, OK, fmt.Sprintf("%s leads and renews its lease", l.Holder), ""}}
}

func policies(f Facts) []Finding {
	const check = "Policies"
	switch {
	case f.Policies.Error != "":
		return unknown(check, f.Policies.Error)
	case f.Bindings.Error != "":
		return unknown(check, f.Bindings.Error)
	}
	var found []Finding
	var missing, unbound []string
	for _, name := range Policies {
		policy, there := f.Policies.Value[name]
		binds := func(b Binding) bool { return b.Policy == name && b.Denies }
		switch {
		case !there:
			missing = append(missing, name)
		case !anyOf(f.Bindings.Value, binds):
			unbound = append(unbound, name)
		case policy.Ignores:
			found = append(found, Finding{check, Problem, "ValidatingAdmissionPolicy " + name + " has failurePolicy Ignore: what it cannot evaluate passes", reinstall})
		case len(policy.Warnings) > 0:
			found = append(found, Finding{check, Warning, "ValidatingAdmissionPolicy " + name + ": the API server warns: " + policy.Warnings[0], reinstall})
		}
	}
	if len(unbound) > 0 {
		found = slices.Insert(found, 0, Finding{check, Problem, policiesWords(unbound, "has no binding that denies, so it has no effect", "have no binding that denies, so they have no effect"), reinstall})
	}
	if len(missing) > 0 {
		found = slices.Insert(found, 0, Finding{check, Problem, policiesWords(missing, "is missing", "are missing") + ": nothing bounds what the operator may do there", reinstall})
	}
	if len(found) == 0 {
		found = append(found, Finding{check, OK, fmt.Sprintf("all %d admission policies are there and deny", len(Policies)), ""})
	}
	return found
}

// policiesWords is one sentence about one policy or several.
func policiesWords(names []string, one, several string) string {
	if len(names) == 1 {
		return "ValidatingAdmissionPolicy " + names[0] + " " + one
	}
	return "ValidatingAdmissionPolicies " + strings.Join(names, ", ") + " " + several
}

// owners reports kinds of owners that are listed and of no use: pods of an owner that cannot be read are left alone (OwnerUnknown).
func owners(f Facts) []Finding {
	const check = "Owners"
	if f.Owners.Error != "" {
		return unknown(check, f.Owners.Error)
	}
	var found []Finding
	for _, owner := range f.Owners.Value {
		switch {
		case !owner.Served:
			found = append(found, Finding{check, Warning, fmt.Sprintf("the limits list %s as an owner of pods, and the API server does not know that kind", owner.Kind),
				"correct recoveryOwnerKinds, or install the kind"})
		case !owner.Readable:
			found = append(found, Finding{check, Problem, fmt.Sprintf("no ClusterRole regcred-owners lets the operator read %s: its stuck pods are not restarted", owner.Kind),
				"add its group and resource to podRecovery.ownerKinds of the chart. Without the chart, add it to recoveryOwnerKinds in the limits, and config/owners to the resources"})
		}
	}
	switch {
	case len(f.Owners.Value) == 0:
		return []Finding{{check, OK, "pods of no custom resource are restarted: the limits list none", ""}}
	case len(found) == 0:
		return []Finding{{check, OK, fmt.Sprintf("the operator may read owners of all %d kinds that its limits list", len(f.Owners.Value)), ""}}
	}
	return found
}

func connections(f Facts) []Finding {
	const check = "Vault"
	if f.Connections.Error != "" {
		return unknown(check, f.Connections.Error)
	}
	if len(f.Connections.Value) == 0 {
		return []Finding{{check, Problem, "there is no VaultConnection, so the operator cannot read Vault", "write one: docs/vault.md has a manifest for each method of login"}}
	}
	var found []Finding
	for i := range f.Connections.Value {
		connection := &f.Connections.Value[i]
		place := fmt.Sprintf("VaultConnection %s (%s)", connection.Name, connection.Spec.Address)
		ready := meta.FindStatusCondition(connection.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case ready == nil || connection.Status.ObservedGeneration < connection.Generation:
			found = append(found, Finding{check, Warning, place + ": the operator did not look at it yet", "see what the check Leader says, and ask again in a minute"})
		case ready.Status != metav1.ConditionTrue:
			found = append(found, Finding{check, Problem, place + ": " + ready.Reason + ": " + ready.Message, "see reason " + ready.Reason + " in docs/vault.md"})
		default:
			found = append(found, Finding{check, OK, place + ": " + ready.Message, ""})
		}
	}
	return found
}

// fence reports what the operator itself found when it tried its bounds.
func fence(f Facts) []Finding {
	const check = "Fence"
	if f.Connections.Error != "" {
		return unknown(check, f.Connections.Error)
	}
	for i := range f.Connections.Value {
		if c := meta.FindStatusCondition(f.Connections.Value[i].Status.Conditions, v1alpha1.ConditionUnfenced); c != nil && c.Status == metav1.ConditionTrue {
			return []Finding{{check, Problem, c.Message, reinstall}}
		}
	}
	return []Finding{{check, OK, "no object reports that an admission policy has no effect (Unfenced)", ""}}
}

func credentials(f Facts) []Finding {
	const check = "Credentials"
	if f.Credentials.Error != "" {
		return unknown(check, f.Credentials.Error)
	}
	found, lost := withoutConnection(check, f)
	var unready, working, untested []string
	for i := range f.Credentials.Value {
		object := &f.Credentials.Value[i]
		if !lost[object.Name] && neverProven(object) {
			untested = append(untested, object.Name)
		}
		switch {
		case lost[object.Name], object.Spec.Suspend, meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady):
		case meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReconciling):
			working = append(working, object.Name)
		default:
			unready = append(unready, object.Name)
		}
	}
	if len(working) > 0 {
		found = append(found, Finding{check, Warning, fmt.Sprintf("%d of %d RegistryCredentials are not Ready yet: %s",
			len(working), len(f.Credentials.Value), strings.Join(working, ", ")), "if that lasts, see why: kubectl regcred status"})
	}
	if len(unready) > 0 {
		found = append(found, Finding{check, Problem, fmt.Sprintf("%d of %d RegistryCredentials are not Ready: %s", len(unready), len(f.Credentials.Value), strings.Join(unready, ", ")),
			"see what is wrong: kubectl regcred status"})
	}
	if len(untested) > 0 {
		found = append(found, Finding{check, Warning, fmt.Sprintf("of %d of %d RegistryCredentials no registry ever accepted the value in use: %s", len(untested), len(f.Credentials.Value), strings.Join(untested, ", ")),
			"look whether host and port in spec.registries are those of the images, and see why: kubectl regcred status"})
	}
	if len(found) == 0 {
		found = append(found, Finding{check, OK, fmt.Sprintf("all RegistryCredentials that should be Ready are, of %d", len(f.Credentials.Value)), ""})
	}
	return found
}

// neverProven reports whether a value is in use that no registry is known to have accepted, though it is to be tested: perhaps the name of the
// registry is wrong, and no pod can pull with it.
func neverProven(object *v1alpha1.RegistryCredential) bool {
	c := object.Status.Credential
	return c != nil && c.VerifiedTime.IsZero() && object.Spec.VerificationMode() != v1alpha1.VerifyDisabled
}

// withoutConnection finds RegistryCredentials that read through a VaultConnection that does not exist, and names them.
func withoutConnection(check string, f Facts) (found []Finding, names map[string]bool) {
	known, names := map[string]bool{}, map[string]bool{}
	for i := range f.Connections.Value {
		known[f.Connections.Value[i].Name] = true
	}
	for i := range f.Credentials.Value {
		object := &f.Credentials.Value[i]
		if v := object.Spec.Source.Vault; v != nil && f.Connections.Error == "" && !known[v.ConnectionName()] {
			found = append(found, Finding{check, Problem, fmt.Sprintf("RegistryCredential %s reads through VaultConnection %s, which does not exist", object.Name, v.ConnectionName()),
				"create that VaultConnection, or correct spec.source.vault.connection"})
			names[object.Name] = true
		}
	}
	return found, names
}

func rights(f Facts) []Finding {
	const check = "Your rights"
	if f.Denied.Error != "" {
		return unknown(check, f.Denied.Error)
	}
	var found []Finding
	for _, right := range f.Denied.Value {
		found = append(found, Finding{check, Unknown, fmt.Sprintf("you may not %s: %s", right.What, right.Without), "ask for " + right.Role})
	}
	if len(found) == 0 {
		found = append(found, Finding{check, OK, "you may do all that the commands of this plugin need", ""})
	}
	return found
}

func unknown(check, why string) []Finding {
	return []Finding{{check, Unknown, "not known: " + why, "ask somebody who may read it"}}
}

func anyOf[T any](all map[string]T, is func(T) bool) bool {
	for _, one := range all {
		if is(one) {
			return true
		}
	}
	return false
}

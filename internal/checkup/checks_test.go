package checkup_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/checkup"
)

// sound is an installation in which all is well.
func sound() checkup.Facts {
	f := checkup.Facts{Namespace: "regcred-system", Kinds: []string{"RegistryCredential", "VaultConnection"}}
	f.Deployments.Value = []checkup.Deployment{{Name: "regcred", Wanted: 2, Available: 2, Version: "v1"}}
	f.Lease.Value = checkup.Lease{Exists: true, Holder: "regcred-1", Age: time.Second, Lasts: 12 * time.Second}
	f.Policies.Value, f.Bindings.Value = map[string]checkup.Policy{}, map[string]checkup.Binding{}
	for _, name := range checkup.Policies {
		f.Policies.Value[name], f.Bindings.Value[name] = checkup.Policy{}, checkup.Binding{Policy: name, Denies: true}
	}
	f.Connections.Value = []v1alpha1.VaultConnection{{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Status: v1alpha1.VaultConnectionStatus{
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Message: "logged in"}}}}}
	f.Credentials.Value = []v1alpha1.RegistryCredential{{ObjectMeta: metav1.ObjectMeta{Name: "company"},
		Spec: v1alpha1.RegistryCredentialSpec{Source: v1alpha1.Source{Vault: &v1alpha1.VaultSource{}}},
		Status: v1alpha1.RegistryCredentialStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}}}}
	return f
}

// injected is what there is where two RegistryCredentials ask for the policy and all is well, but for a change.
func injected(change func(*checkup.Injection)) checkup.Injection {
	i := checkup.Injection{Asking: 2, Exists: true, AsMeant: true, Bytes: 1 << 10, Limit: 256 << 10, Age: 3 * time.Minute}
	change(&i)
	return i
}

func TestEachFaultIsFoundWithANextStep(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*checkup.Facts)
		check string
		level checkup.Level
		says  string
	}{
		{"a kind is not known", func(f *checkup.Facts) { f.Kinds = f.Kinds[:1] }, "API", checkup.Problem, "does not know VaultConnection"},
		{"no kind is known", func(f *checkup.Facts) { f.Kinds = nil }, "API", checkup.Problem, "does not know RegistryCredential and VaultConnection"},
		{"the operator was uninstalled a moment ago", func(f *checkup.Facts) { f.Deployments.Value = nil }, "Leader", checkup.Problem, "regcred-1 renewed its lease 1s ago, and the operator has no Deployment any more"},
		{"all policies are missing", func(f *checkup.Facts) { f.Policies.Value = nil }, "Policies", checkup.Problem, "ValidatingAdmissionPolicies regcred-events, regcred-kinds, "},
		{"all bindings are missing", func(f *checkup.Facts) { f.Bindings.Value = nil }, "Policies", checkup.Problem, "have no binding that denies, so they have no effect"},
		{"a CRD is older than the plugin", func(f *checkup.Facts) {
			f.Missing.Value = map[string][]string{"VaultConnection": {"spec.a", "spec.b", "spec.c", "spec.d"}}
		}, "CRDs", checkup.Problem, "lacks 4 fields that this version of the plugin knows, such as spec.a, spec.b, spec.c"},
		{"CRDs may not be read", func(f *checkup.Facts) { f.Missing.Error = "you may not" }, "CRDs", checkup.Unknown, "you may not"},
		{"the clock is ahead", func(f *checkup.Facts) { f.ClockOff.Value = time.Minute }, "Clock", checkup.Warning, "1m0s ahead of"},
		{"the clock is behind", func(f *checkup.Facts) { f.ClockOff.Value = -time.Minute }, "Clock", checkup.Warning, "1m0s behind"},
		{"the API server does not tell its time", func(f *checkup.Facts) { f.ClockOff.Error = "no time" }, "Clock", checkup.Unknown, "no time"},
		{"the operator does not reach a registry", func(f *checkup.Facts) {
			f.Credentials.Value[0].Status.Conditions = append(f.Credentials.Value[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonUnproven, Message: "no such host"})
		}, "Registries", checkup.Warning, "RegistryCredential company: no such host"},
		{"no operator is installed there", func(f *checkup.Facts) { f.Deployments.Value = nil }, "Operator", checkup.Problem, "has no Deployment"},
		{"the operator was scaled down", func(f *checkup.Facts) { f.Deployments.Value[0].Wanted, f.Deployments.Value[0].Available = 0, 0 }, "Operator", checkup.Problem, "0 of 0"},
		{"what others wrote is cleaned", func(f *checkup.Facts) {
			f.Connections.Value[0].Status.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "x\x1b[2J", Message: "y\x1b[2J"}
		}, "Vault", checkup.Problem, "x [2J: y [2J"},
		{"no pod of the operator runs", func(f *checkup.Facts) { f.Deployments.Value[0].Available = 0 }, "Operator", checkup.Problem, "0 of 2"},
		{"the clock is just too far ahead", func(f *checkup.Facts) { f.ClockOff.Value = 5*time.Second + 1 }, "Clock", checkup.Warning, "ahead of"},
		{"the clock is just too far behind", func(f *checkup.Facts) { f.ClockOff.Value = -5*time.Second - 1 }, "Clock", checkup.Warning, "behind"},
		{"a registry of a credential does not say whether it takes it", func(f *checkup.Facts) {
			f.Credentials.Value[0].Status.Conditions = append(f.Credentials.Value[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonHeld, Message: "it waits"})
		}, "Registries", checkup.Warning, "RegistryCredential company: it waits"},
		{"a connection without the condition that matters", func(f *checkup.Facts) { f.Connections.Value[0].Status.Conditions = nil }, "Vault", checkup.Warning, "did not look"},
		{"one pod of the operator runs", func(f *checkup.Facts) { f.Deployments.Value[0].Available = 1 }, "Operator", checkup.Warning, "1 of 2"},
		{"deployments may not be read", func(f *checkup.Facts) { f.Deployments.Error = "you may not read Deployments" }, "Operator", checkup.Unknown, "you may not"},
		{"no leader was ever elected", func(f *checkup.Facts) { f.Lease.Value = checkup.Lease{} }, "Leader", checkup.Problem, "ever elected"},
		{"the leader went and no other came", func(f *checkup.Facts) { f.Lease.Value.Holder = "" }, "Leader", checkup.Problem, "gave its lease back"},
		{"the leader died", func(f *checkup.Facts) { f.Lease.Value.Age = time.Hour + 300*time.Millisecond }, "Leader", checkup.Problem, "for 1h0m0s"},
		{"the leader's clock is a moment ahead", func(f *checkup.Facts) { f.Lease.Value.Age = -1 }, "Leader", checkup.Warning, "in the future"},
		{"the index was changed just now", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.AsMeant, i.Age = false, 0 })
		}, "Injection", checkup.Warning, "InjectionIndex regcred, changed just now, is not"},
		{"the index was changed a while ago", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.AsMeant, i.Age = false, 61*time.Second+300*time.Millisecond })
		}, "Injection", checkup.Warning, "InjectionIndex regcred, changed 1m1s ago, is not"},
		{"the index is a little more than four fifths full", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Bytes = i.Limit*4/5 + 1024 })
		}, "Injection", checkup.Warning, "nearly full: 206 of 256 KiB"},
		{"the leader's clock is ahead", func(f *checkup.Facts) { f.Lease.Value.Age = -time.Hour }, "Leader", checkup.Warning, "in the future"},
		{"a policy is missing", func(f *checkup.Facts) { delete(f.Policies.Value, "regcred-tokens") }, "Policies", checkup.Problem, "regcred-tokens is missing"},
		{"a binding is missing", func(f *checkup.Facts) { delete(f.Bindings.Value, "regcred-tokens") }, "Policies", checkup.Problem, "no binding that denies"},
		{"a binding only audits", func(f *checkup.Facts) { f.Bindings.Value["regcred-tokens"] = checkup.Binding{Policy: "regcred-tokens"} }, "Policies", checkup.Problem, "no binding that denies"},
		{"a policy lets pass what it cannot evaluate", func(f *checkup.Facts) { f.Policies.Value["regcred-tokens"] = checkup.Policy{Ignores: true} }, "Policies", checkup.Problem, "Ignore"},
		{"a policy does not compile", func(f *checkup.Facts) {
			f.Policies.Value["regcred-tokens"] = checkup.Policy{Warnings: []string{"no such field"}}
		}, "Policies", checkup.Warning, "no such field"},
		{"policies may not be read", func(f *checkup.Facts) { f.Policies.Error = "you may not" }, "Policies", checkup.Unknown, "you may not"},
		{"a kind of owner has no role", func(f *checkup.Facts) { f.Owners.Value = []checkup.Owner{{Kind: "a.b/C", Served: true}} }, "Owners", checkup.Problem, "lets the operator read a.b/C"},
		{"a kind of owner is not known", func(f *checkup.Facts) { f.Owners.Value = []checkup.Owner{{Kind: "a.b/C"}} }, "Owners", checkup.Warning, "does not know"},
		{"which owners are listed may not be read", func(f *checkup.Facts) { f.Owners.Error = "you may not" }, "Owners", checkup.Unknown, "you may not"},
		{"there is no connection", func(f *checkup.Facts) { f.Connections.Value = nil }, "Vault", checkup.Problem, "no VaultConnection"},
		{"a connection was not looked at", func(f *checkup.Facts) { f.Connections.Value[0].Generation = 1 }, "Vault", checkup.Warning, "did not look"},
		{"a connection is refused", func(f *checkup.Facts) {
			f.Connections.Value[0].Status.Conditions[0] = metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonLoginFailed, Message: "wrong role"}
		}, "Vault", checkup.Problem, "LoginFailed: wrong role"},
		{"the operator found that nothing bounds it", func(f *checkup.Facts) {
			f.Connections.Value[0].Status.Conditions = append(f.Connections.Value[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionTrue, Message: "not bounded"})
		}, "Fence", checkup.Problem, "not bounded"},
		{"a credential names a connection that is not there", func(f *checkup.Facts) { f.Credentials.Value[0].Spec.Source.Vault.Connection = "other" }, "Credentials", checkup.Problem, "VaultConnection other, which does not exist"},
		{"a credential is not ready", func(f *checkup.Facts) { f.Credentials.Value[0].Status.Conditions = nil }, "Credentials", checkup.Problem, "1 of 1 RegistryCredentials are not Ready: company"},
		{"a credential is being worked on", func(f *checkup.Facts) {
			f.Credentials.Value[0].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue}}
		}, "Credentials", checkup.Warning, "are not Ready yet: company"},
		{"a value is in use that no registry accepted", func(f *checkup.Facts) {
			f.Credentials.Value[0].Status.Credential = &v1alpha1.CredentialStatus{Revision: "1"}
		}, "Credentials", checkup.Warning, "of 1 of 1 RegistryCredentials no registry ever accepted the value in use: company"},
		{"credentials may not be read", func(f *checkup.Facts) { f.Credentials.Error = "you may not" }, "Credentials", checkup.Unknown, "you may not"},
		{"the index may not be read", func(f *checkup.Facts) { f.Injection.Error = "you may not" }, "Injection", checkup.Unknown, "you may not"},
		{"the policy for pods is missing", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Fault, i.Remedy = "the policy is not there", "install it" })
		}, "Injection", checkup.Problem, "new pods get the pull Secret only where their ServiceAccount still names it, because the policy is not there"},
		{"the policy for pods may not be read", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.PolicyUnread = "you may not" })
		}, "Injection", checkup.Unknown, "you may not"},
		{"the index is missing", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Exists, i.AsMeant = false, false })
		}, "Injection", checkup.Problem, "is not there"},
		{"the index is not what is asked for", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.AsMeant = false })
		}, "Injection", checkup.Warning, "changed 3m0s ago, is not what this version would write for 2 RegistryCredentials"},
		{"the index is full", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.LeftOut = []string{"a", "b"} })
		}, "Injection", checkup.Problem, "no room for 2 RegistryCredentials: a, b"},
		{"the index is nearly full", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Bytes = 210 << 10 })
		}, "Injection", checkup.Warning, "nearly full: 210 of 256 KiB"},
		{"the index outlived its operator", func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Asking = 0 })
		}, "Injection", checkup.Warning, "still names Secrets"},
		{"the user lacks a right", func(f *checkup.Facts) {
			f.Denied.Value = []checkup.Right{{What: "fly", Without: "you walk", Role: "wings"}}
		}, "Your rights", checkup.Unknown, "you may not fly: you walk"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := sound()
			test.spoil(&f)
			findings := checkup.Findings(f)
			at := slices.IndexFunc(findings, func(found checkup.Finding) bool { return found.Check == test.check && found.Level != checkup.OK })
			if at < 0 {
				t.Fatalf("nothing was found: %+v", findings)
			}
			for _, found := range findings {
				if strings.ContainsAny(found.Message+found.Next, "\x1b") {
					t.Errorf("it acts on a terminal: %+v", found)
				}
			}
			if found := findings[at]; found.Level != test.level || !strings.Contains(found.Message, test.says) || found.Next == "" {
				t.Errorf("got %+v", found)
			}
			if slices.ContainsFunc(findings, func(found checkup.Finding) bool { return found.Check == test.check && found.Level == checkup.OK }) {
				t.Errorf("beside the fault the check says that all is well: %+v", findings)
			}
			if checkup.HasProblem(findings) != (test.level == checkup.Problem) {
				t.Errorf("a problem: %t, of %+v", checkup.HasProblem(findings), findings)
			}
		})
	}
}

func TestWhatIsSoundHasNoFault(t *testing.T) {
	for name, change := range map[string]func(*checkup.Facts){
		"all is well":                    func(*checkup.Facts) {},
		"the index is what is asked for": func(f *checkup.Facts) { f.Injection.Value = injected(func(*checkup.Injection) {}) },
		"the index is filled by four fifths": func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Bytes = i.Limit * 4 / 5 })
		},
		"nobody asks, and the index is empty": func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) { i.Asking, i.Empty = 0, true })
		},
		"the operator found that it is bounded": func(f *checkup.Facts) {
			f.Connections.Value[0].Status.Conditions = append(f.Connections.Value[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionFalse})
		},
		"the clock is as far off as it may be":   func(f *checkup.Facts) { f.ClockOff.Value = -5 * time.Second },
		"the clock is as far ahead as it may be": func(f *checkup.Facts) { f.ClockOff.Value = 5 * time.Second },
		"the lease is as old as it may be":       func(f *checkup.Facts) { f.Lease.Value.Age = f.Lease.Value.Lasts },
		"a registry answered, and it is told as held": func(f *checkup.Facts) {
			f.Credentials.Value[0].Status.Conditions = append(f.Credentials.Value[0].Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonHeld})
		},
		"kinds of owners that the operator may read": func(f *checkup.Facts) {
			f.Owners.Value = []checkup.Owner{{Kind: "a.b/C", Served: true, Readable: true}}
		},
		"clocks differ the other way, and the lease moves":         func(f *checkup.Facts) { f.Lease.Value.Age, f.Lease.Value.Renewed = -time.Hour, true },
		"a credential of a source that this version does not know": func(f *checkup.Facts) { f.Credentials.Value[0].Spec.Source.Vault = nil },
		"clocks differ, and the lease moves":                       func(f *checkup.Facts) { f.Lease.Value.Age, f.Lease.Value.Renewed = time.Hour, true },
		"a credential is suspended on purpose": func(f *checkup.Facts) {
			f.Credentials.Value[0].Spec.Suspend, f.Credentials.Value[0].Status.Conditions = true, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := sound()
			change(&f)
			findings := checkup.Findings(f)
			checks := map[string]bool{}
			for _, found := range findings {
				checks[found.Check] = true
				if found.Level != checkup.OK || found.Next != "" {
					t.Errorf("got %+v", found)
				}
			}
			if len(checks) != 13 {
				t.Errorf("%d checks say something: %v", len(checks), checks)
			}
		})
	}
}

// TestThePoliciesAreThoseThatAreInstalled compares the list with config/admission.
func TestThePoliciesAreThoseThatAreInstalled(t *testing.T) {
	files, err := filepath.Glob("../../config/admission/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var installed []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "\n---\n") {
			var object metav1.PartialObjectMetadata
			if err := yaml.Unmarshal([]byte(part), &object); err != nil {
				t.Fatal(err)
			}
			if object.Kind == "ValidatingAdmissionPolicy" {
				installed = append(installed, object.Name)
			}
		}
	}
	slices.Sort(installed)
	if !slices.Equal(installed, checkup.Policies) {
		t.Errorf("config/admission installs %v, and the list is %v", installed, checkup.Policies)
	}
}

func TestOnlyRegistriesThatWereAskedCountAsAnswering(t *testing.T) {
	for _, test := range []struct {
		name   string
		status metav1.ConditionStatus
		reason string
		says   string
	}{
		{"nothing was published yet", metav1.ConditionUnknown, v1alpha1.ReasonNothingPublished, "for 0 of 1 RegistryCredentials"},
		{"verification is off", metav1.ConditionUnknown, v1alpha1.ReasonVerificationOff, "for 0 of 1 RegistryCredentials"},
		{"the registry refuses", metav1.ConditionFalse, v1alpha1.ReasonRejected, "for 1 of 1 RegistryCredentials"},
		{"the registry accepts", metav1.ConditionTrue, "Accepted", "for 1 of 1 RegistryCredentials"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := sound()
			verified := metav1.Condition{Type: v1alpha1.ConditionVerified, Status: test.status, Reason: test.reason}
			f.Credentials.Value[0].Status.Conditions = append(f.Credentials.Value[0].Status.Conditions, verified)
			if !slices.ContainsFunc(checkup.Findings(f), func(found checkup.Finding) bool {
				return found.Check == "Registries" && strings.Contains(found.Message, test.says)
			}) {
				t.Errorf("found %+v", checkup.Findings(f))
			}
		})
	}
}

// Whoever may not read something is told so for each check that needs it, and no other check is worse for it.
func TestWhatMayNotBeReadIsSaidToBeUnknown(t *testing.T) {
	for what, test := range map[string]struct {
		deny   func(*checkup.Facts)
		checks []string
	}{
		"policies":    {func(f *checkup.Facts) { f.Policies.Error = "you may not" }, []string{"Policies"}},
		"bindings":    {func(f *checkup.Facts) { f.Bindings.Error = "you may not" }, []string{"Policies"}},
		"rights":      {func(f *checkup.Facts) { f.Denied.Error = "you may not" }, []string{"Your rights"}},
		"leases":      {func(f *checkup.Facts) { f.Lease.Error = "you may not" }, []string{"Leader"}},
		"credentials": {func(f *checkup.Facts) { f.Credentials.Error = "you may not" }, []string{"Credentials", "Registries"}},
		"connections": {func(f *checkup.Facts) { f.Connections.Error = "you may not" }, []string{"Vault", "Fence"}},
	} {
		f := sound()
		test.deny(&f)
		unknown := map[string]bool{}
		for _, finding := range checkup.Findings(f) {
			if finding.Level == checkup.Unknown && strings.Contains(finding.Message, "you may not") {
				unknown[finding.Check] = true
			} else if finding.Level == checkup.Problem {
				t.Errorf("%s: %+v", what, finding)
			}
		}
		for _, check := range test.checks {
			if !unknown[check] {
				t.Errorf("%s: the check %s does not say that it is not known", what, check)
			}
		}
	}
}

func TestARegistryCredentialWithoutItsConnectionIsToldOnce(t *testing.T) {
	f := sound()
	f.Credentials.Value[0].Spec.Source.Vault.Connection, f.Credentials.Value[0].Status.Conditions = "other", nil
	var found []checkup.Finding
	for _, one := range checkup.Findings(f) {
		if one.Check == "Credentials" {
			found = append(found, one)
		}
	}
	if len(found) != 1 || !strings.Contains(found[0].Message, "which does not exist") {
		t.Errorf("%+v", found)
	}
}

func TestTheVersionOfAnOperatorIsToldWhereItIsKnown(t *testing.T) {
	for version, want := range map[string]bool{"v1": true, "": false} {
		f := sound()
		f.Deployments.Value[0].Version = version
		at := slices.IndexFunc(checkup.Findings(f), func(found checkup.Finding) bool { return found.Check == "Operator" })
		if message := checkup.Findings(f)[at].Message; strings.Contains(message, "version") != want {
			t.Errorf("of version %q it says %q", version, message)
		}
	}
}

func TestWhatIsToldOfOwnersThatMayBeRead(t *testing.T) {
	for want, kinds := range map[string][]checkup.Owner{"of all 1 kinds": {{Kind: "a.b/C", Served: true, Readable: true}}, "the limits list none": nil} {
		f := sound()
		f.Owners.Value = kinds
		if !slices.ContainsFunc(checkup.Findings(f), func(found checkup.Finding) bool {
			return found.Check == "Owners" && strings.Contains(found.Message, want)
		}) {
			t.Errorf("%d kinds: %+v", len(kinds), checkup.Findings(f))
		}
	}
}

// Whoever may not read VaultConnections cannot say that one is missing.
func TestAConnectionThatMayNotBeReadIsNotSaidToBeMissing(t *testing.T) {
	f := sound()
	f.Connections.Value, f.Connections.Error = nil, "you may not"
	for _, found := range checkup.Findings(f) {
		if found.Level == checkup.Problem {
			t.Errorf("%+v", found)
		}
	}
}

func TestWhatToDoAboutAnOperatorThatWasScaledDownIsToScaleItUp(t *testing.T) {
	f := sound()
	f.Deployments.Value[0].Wanted, f.Deployments.Value[0].Available = 0, 0
	at := slices.IndexFunc(checkup.Findings(f), func(found checkup.Finding) bool { return found.Check == "Operator" })
	if next := checkup.Findings(f)[at].Next; !strings.Contains(next, "kubectl scale deployment regcred -n regcred-system --replicas=2") {
		t.Error(next)
	}
}

func TestASchemaThatSaysNothingOfWhatIsInAListLacksNothingThere(t *testing.T) {
	schema := schemaOf(t, "regcred.dev_registrycredentials.yaml")
	status := schema["properties"].(map[string]any)["status"].(map[string]any)["properties"].(map[string]any)
	failures := status["namespaces"].(map[string]any)["properties"].(map[string]any)["failures"].(map[string]any)
	delete(failures, "items")
	if missing := checkup.MissingFields("RegistryCredential", schema); len(missing) > 0 {
		t.Errorf("%q", missing)
	}
}

// One cause is one line: whoever reads nine looks for nine faults.
func TestOneCauseIsToldOnce(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*checkup.Facts)
		check string
	}{
		"the CRDs are missing": {func(f *checkup.Facts) {
			const why = "the API server does not know it"
			f.Kinds, f.Missing.Error, f.Connections.Error, f.Credentials.Error, f.Injection.Error = nil, why, why, why, why
		}, "API"},
		"all policies are missing": {func(f *checkup.Facts) { f.Policies.Value, f.Bindings.Value = nil, nil }, "Policies"},
		"the policy for pods is missing": {func(f *checkup.Facts) {
			f.Injection.Value = injected(func(i *checkup.Injection) {
				i.Fault, i.Remedy, i.Exists, i.AsMeant = "it is not there", "install it", false, false
			})
		}, "Injection"},
	} {
		f := sound()
		test.spoil(&f)
		var told []checkup.Finding
		for _, found := range checkup.Findings(f) {
			if found.Level != checkup.OK {
				told = append(told, found)
			}
		}
		if len(told) != 1 || told[0].Check != test.check {
			t.Errorf("%s: %+v", name, told)
		}
	}
}

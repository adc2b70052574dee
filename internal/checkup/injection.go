package checkup

import (
	"fmt"
	"strings"
	"time"
)

// Injection is what there is for RegistryCredentials with spec.target.attach: Pods.
type Injection struct {
	// Asking is how many RegistryCredentials have that, LeftOut are those of them that the index has no room for.
	Asking  int
	LeftOut []string
	// Fault says what is wrong with the admission policy, and Remedy what to do. Empty where it stands, or where PolicyUnread says why that is
	// not known.
	Fault, Remedy, PolicyUnread string
	// Exists says that the InjectionIndex is there, AsMeant that it is what the RegistryCredentials ask for, and Empty that nothing is in it.
	Exists, AsMeant, Empty bool
	// Bytes are what they need, of Limit.
	Bytes, Limit int
	// Age is how long ago the index last changed. Zero where that is not known.
	Age time.Duration
}

// nearlyFull is from when on people are told that the index fills, in percent.
const nearlyFull = 80

// injection looks at the admission policy and at the index that it reads.
func injection(f Facts) []Finding {
	const check = "Injection"
	if f.Injection.Error != "" {
		return unknown(check, f.Injection.Error)
	}
	i := f.Injection.Value
	if i.Asking == 0 {
		return unasked(check, i)
	}
	var found []Finding
	if i.Fault != "" {
		found = append(found, Finding{check, Problem, fmt.Sprintf("%d RegistryCredentials have spec.target.attach: Pods, and new pods get the pull Secret only where their ServiceAccount still names it, because %s", i.Asking, i.Fault), i.Remedy})
	}
	if i.PolicyUnread != "" {
		found = append(found, unknown(check, i.PolicyUnread)...)
	}
	if i.Fault == "" || i.Exists { // the index comes with the policy's role
		found = append(found, index(check, i)...)
	}
	if len(found) == 0 {
		found = append(found, Finding{check, OK, fmt.Sprintf("InjectionIndex regcred is what %d RegistryCredentials with spec.target.attach: Pods ask for: %s", i.Asking, i.size()), ""})
	}
	return found
}

func unasked(check string, i Injection) []Finding {
	if i.Exists && !i.Empty {
		return []Finding{{check, Warning, "no RegistryCredential has spec.target.attach: Pods, and InjectionIndex regcred still names Secrets that the policy adds to pods",
			"see what the check Leader says; if regcred was removed, run: kubectl delete injectionindex regcred"}}
	}
	return []Finding{{check, OK, "no RegistryCredential has spec.target.attach: Pods", ""}}
}

func index(check string, i Injection) []Finding {
	const next = "see what the check Leader says, and the operator's log: it writes the index within a second"
	var found []Finding
	switch {
	case !i.Exists:
		return []Finding{{check, Problem, "InjectionIndex regcred is not there: new pods get no pull Secret from the policy", next}}
	case !i.AsMeant:
		found = append(found, Finding{check, Warning, fmt.Sprintf("InjectionIndex regcred, %s, is not what this version would write for %d RegistryCredentials", i.changed(), i.Asking),
			next + ". Or plugin and operator are of different versions: kubectl regcred version"})
	}
	switch {
	case len(i.LeftOut) > 0:
		found = append(found, Finding{check, Problem, fmt.Sprintf("InjectionIndex regcred has no room for %d RegistryCredentials: %s", len(i.LeftOut), strings.Join(i.LeftOut, ", ")),
			"select by a label instead of by many names, or set spec.target.attach to ServiceAccounts"})
	case i.Bytes*100 > i.Limit*nearlyFull:
		found = append(found, Finding{check, Warning, "InjectionIndex regcred is nearly full: " + i.size(), "select by a label instead of by many names"})
	}
	return found
}

func (i Injection) size() string {
	return fmt.Sprintf("%d of %d KiB, %s", (i.Bytes+1023)>>10, i.Limit>>10, i.changed())
}

func (i Injection) changed() string {
	if i.Age <= 0 {
		return "changed just now"
	}
	return fmt.Sprintf("changed %s ago", i.Age.Round(time.Second))
}

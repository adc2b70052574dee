package diagnosis

import "regcred.dev/regcred/internal/pullerror"

// unproven: nothing is done for a credential that cannot pull this image. Where the kubelet's message leaves open whether the
// image exists at all, only a proof counts.
func unproven(facts *Facts, c *Credential, _ Entry, f Finding) *Finding {
	ambiguous := f.Class == pullerror.NotFoundOrDenied || f.Class == pullerror.Forbidden
	switch {
	case f.Digest != "":
		return nil
	case facts.Onlooker && ambiguous:
		return f.as(Wait, AskingRegistry, "the kubelet's message leaves open whether %s exists or is denied: the operator asks the registry, and acts if RegistryCredential %s can pull it",
			f.Image, c.Name)
	case !c.Provable && !ambiguous:
		return nil
	case !c.Provable:
		return f.as(Report, Unproven, "the registry does not say whether %s exists or is denied, and RegistryCredential %s was not tested with it", f.Image, c.Name).
			advise("see whether the image exists; if it does, delete the pod where its owner recreates it")
	}
	if probe, asked := facts.Probes[f.question()]; asked {
		return probed(c, f, probe, ambiguous)
	}
	f.questions = append(f.questions, f.question())
	return f.as(Wait, AskingRegistry, "the registry is asked whether RegistryCredential %s can pull %s", c.Name, f.Image).again(soon)
}

// probed is what follows from a registry's answer.
func probed(c *Credential, f Finding, probe Probe, ambiguous bool) *Finding {
	switch probe.Access {
	case AccessAllowed:
		return nil
	case AccessDenied:
		return f.as(Report, PullDenied, "the account of RegistryCredential %s may not pull %s: %s", c.Name, f.Image, probe.Message).advise(grant).again(later)
	case AccessRefused:
		return f.as(Report, CredentialRejected, "the registry refuses the value of RegistryCredential %s: %s", c.Name, probe.Message).
			advise("store a good value at its source").again(later)
	case AccessNotFound:
		return f.as(Report, ImageNotFound, "the registry does not have %s: %s", f.Image, probe.Message).advise("correct the image's name or tag, or push it").again(later)
	}
	if !ambiguous {
		return nil
	}
	return f.as(Report, Unproven, "it could not be settled whether %s exists or is denied: %s", f.Image, probe.Message).advise("look at the state of the registry").again(later)
}

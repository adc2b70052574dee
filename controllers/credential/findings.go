package credential

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/rotation"
)

// findingsInMessage is how many findings a condition tells; the others are counted.
const findingsInMessage = 3

// unusableForm tells of forms that no kubelet can ever use: in the source and the spec, which were put right where that is
// possible; of registries that images in use miss by a port, by upper case letters or by another name of the same service; and of entries that are kept in pull Secrets.
func (f *facts) unusableForm() metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionUnusableForm, Status: metav1.ConditionFalse}
	findings := slices.Concat(f.run.state.Reads.Findings, f.imagesOfOthers(), f.nearMisses(), f.kept())
	if len(findings) == 0 || f.run.object.Spec.Suspend {
		return c
	}
	c.Status, c.Reason = metav1.ConditionTrue, string(findings[0].Reason)
	var told []string
	for _, finding := range findings[:min(len(findings), findingsInMessage)] {
		told = append(told, finding.String())
	}
	c.Message = strings.Join(told, "; ")
	if more := len(findings) - findingsInMessage; more > 0 {
		c.Message += fmt.Sprintf("; and %d more", more)
	}
	return c
}

// imagesOfOthers are the images of spec.verification that no registry of the spec covers: they are never asked for.
func (f *facts) imagesOfOthers() []dockerconfig.Finding {
	var findings []dockerconfig.Finding
	if f.run.object.Spec.Verification == nil {
		return nil
	}
	for _, image := range f.run.object.Spec.Verification.Images {
		if !coveredBy(f.run.object.Spec.Registries, image) {
			findings = append(findings, dockerconfig.Finding{Reason: dockerconfig.ReasonUnmatchable, Message: fmt.Sprintf(
				"spec.verification.images: %s belongs to none of spec.registries and is not tested: correct one of them", image)})
		}
	}
	return findings
}

// coveredBy reports whether a kubelet would use an entry for one of the registries for an image.
func coveredBy(registries []v1alpha1.Registry, image string) bool {
	return slices.ContainsFunc(registries, func(listed v1alpha1.Registry) bool {
		key, err := registry.CanonicalKey(string(listed))
		return err == nil && registry.Matches(key, image)
	})
}

var nearMissReasons = map[registry.Miss]dockerconfig.Reason{
	registry.MissPort: dockerconfig.ReasonPortMissing, registry.MissOtherPort: dockerconfig.ReasonPortDiffers, registry.MissCase: dockerconfig.ReasonLetterCaseDiffers, registry.MissName: dockerconfig.ReasonOtherName,
}

// nearMisses are the registries of the spec that serve no image in use and would if they were written as in one.
func (f *facts) nearMisses() []dockerconfig.Finding {
	var findings []dockerconfig.Finding
	if f.run.object.Spec.VerificationMode() != v1alpha1.VerifyPull {
		return nil // what was found before is not looked at again
	}
	for _, test := range f.tests() {
		image, err := registry.ParseImage(test.NearMiss)
		if err != nil {
			continue
		}
		key, err := registry.CanonicalKey(test.Registry)
		miss := registry.Misses(key, test.NearMiss)
		if err != nil || miss == "" {
			continue
		}
		found := dockerconfig.Finding{Reason: nearMissReasons[miss], Message: fmt.Sprintf(
			"spec.registries: %s serves no image in the target namespaces, and %s is in use there: %s; if this is meant, list %s",
			test.Registry, test.NearMiss, miss.Rule(), image.Registry)}
		if !slices.Contains(findings, found) { // the published value and one that waits find the same
			findings = append(findings, found)
		}
	}
	return findings
}

// portDoubts ask whether a registry is written as it is meant, where images in use miss it.
var portDoubts = map[registry.Miss]string{
	registry.MissPort: "is the port missing in spec.registries", registry.MissOtherPort: "is the port wrong in spec.registries",
	registry.MissCase: "are these letters meant in spec.registries", registry.MissName: "is that name meant in spec.registries",
}

// besideImages adds to what a test at a registry said what images in use say of the registry's name. Where it nearly is that of an image, that comes
// first: what else is said, such as of a CA, is about the wrong place then.
func besideImages(said string, test *rotation.Test) string {
	key, err := registry.CanonicalKey(test.Registry)
	image, unreadable := registry.ParseImage(test.NearMiss)
	if doubt := portDoubts[registry.Misses(key, test.NearMiss)]; err == nil && unreadable == nil && doubt != "" && test.Verdict == "" {
		doubt = fmt.Sprintf("images in use in the target namespaces are from %s, and none is from %s: %s?", foreign.Name(image.Registry), foreign.Name(test.Registry), doubt)
		if said == "" {
			return doubt
		}
		return doubt + " If not: " + said
	}
	return said + imagesElsewhere(test)
}

// imagesElsewhere says from where the images in use are, where none of them is from the registry of a test. It follows another sentence, and
// is empty where that is not known.
func imagesElsewhere(test *rotation.Test) string {
	if len(test.Elsewhere) == 0 {
		return ""
	}
	return fmt.Sprintf(". No image in use in the target namespaces is from %s: they are from %s. If it is meant for those, correct spec.registries",
		foreign.Name(test.Registry), strings.Join(test.Elsewhere, ", "))
}

// tests are what registries said of the value in use and of one that waits.
func (f *facts) tests() []rotation.Test {
	s := &f.run.state
	accounts := slices.Clone(s.Accounts)
	if s.Waiting != nil {
		accounts = append(accounts, s.Waiting.Accounts...)
	}
	var tests []rotation.Test
	for _, account := range accounts {
		tests = append(tests, s.Tests[account.Print])
	}
	return tests
}

// kept are the entries in pull Secrets that nobody can use, one for each kind, with the first namespace and their number.
func (f *facts) kept() []dockerconfig.Finding {
	var findings []dockerconfig.Finding
	for _, found := range f.summary.Findings {
		place := fmt.Sprintf("Secret %s of namespace %s", f.run.object.Spec.Target.Name(), found.Namespace)
		if more := found.Namespaces - 1; more > 0 {
			place += fmt.Sprintf(" and %d more", more)
		}
		findings = append(findings, dockerconfig.Finding{Reason: found.Finding.Reason, Message: fmt.Sprintf("%s: %s", place, found.Finding)})
	}
	return findings
}

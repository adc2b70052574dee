package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/source"
)

// Spec is what the machine needs of a RegistryCredential.
type Spec struct {
	Suspended bool
	// Generation of the object.
	Generation int64
	// SpecHash names source, keys and registries, Place the source alone.
	SpecHash, Place string
	// Mode and Images say what a registry is asked.
	Mode   v1alpha1.VerificationMode
	Images []string
	// Refresh, Verify and Hold are the periods of the spec.
	Refresh, Verify, Hold time.Duration
	// RefreshRequest is the value of the annotation that asks for a read now, as the status repeats it: an answered one is recognised.
	RefreshRequest string
	// PublishRevision is the value of the annotation by which a person publishes a revision that is held back.
	PublishRevision string
	// Random in [0,1) spreads reads of different places.
	Random float64

	// asked are the questions that were made already.
	asked map[string]string
}

// SpecOf is what the machine needs of an object, except Random.
func SpecOf(object *v1alpha1.RegistryCredential) *Spec {
	spec := &object.Spec
	s := &Spec{
		Suspended: spec.Suspend, Generation: object.Generation,
		SpecHash: hashOf(spec.Registries, spec.Source),
		Place:    hashOf(nil, source.PlaceOf(spec)),
		Mode:     spec.VerificationMode(),
		Refresh:  spec.RefreshPeriod(), Verify: spec.VerificationPeriod(), Hold: spec.Hold(),
		RefreshRequest:  foreign.Name(object.Annotations[v1alpha1.RefreshRequestedAtAnnotation]),
		PublishRevision: object.Annotations[v1alpha1.PublishAnnotation],
	}
	if spec.Target.PerHost() { // other keys make another value
		s.SpecHash = hashOf(spec.Registries, []any{spec.Source, spec.Target.EntryPer})
	}
	if spec.Verification != nil {
		s.Images = spec.Verification.Images
	}
	return s
}

// hashOf names what a value is read for: another source or other registries make another value.
func hashOf(registries []v1alpha1.Registry, from any) string {
	encoded, err := json.Marshal(struct {
		Registries []v1alpha1.Registry
		Source     any
	}{registries, from})
	if err != nil {
		panic("strings always encode: " + err.Error())
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}

// imagesFor are the images of the spec that an account is for, sorted.
func (s *Spec) imagesFor(account Account) []string {
	var images []string
	for _, image := range s.Images {
		if slices.ContainsFunc(account.Keys, func(key string) bool { return registry.Matches(key, image) }) {
			images = append(images, image)
		}
	}
	slices.Sort(images)
	return images
}

// Question names what a registry is asked about an account: with another question an earlier answer is void. A Spec is not for use by
// several goroutines, because it remembers the questions.
func (s *Spec) Question(account Account) string {
	id := account.Host + "\n" + strings.Join(account.Keys, "\n")
	if known, ok := s.asked[id]; ok {
		return known
	}
	parts := append([]string{account.Host, string(s.Mode)}, s.imagesFor(account)...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	if s.asked == nil {
		s.asked = map[string]string{}
	}
	s.asked[id] = hex.EncodeToString(sum[:8])
	return s.asked[id]
}

func (s *Spec) verifies() bool { return s.Mode != v1alpha1.VerifyDisabled }

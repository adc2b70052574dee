package credential

import (
	"fmt"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/rotation"
)

// specObstacle says what the changed spec waits for, and that what is in use serves all namespaces meanwhile.
func (f *facts) specObstacle() obstacle {
	serves := fmt.Sprintf("revision %s stays in use in %d of %d namespaces", f.run.state.Revision, f.synced(), f.selected())
	switch until := f.run.judgement.Until; {
	case f.run.state.Waiting == nil || !f.run.holds():
		return obstacle{v1alpha1.ReasonProgressing, "the spec changed, and the source is read for it; meanwhile " + serves, false}
	case f.run.unasked(f.now):
		return obstacle{v1alpha1.ReasonProgressing, fmt.Sprintf("the spec changed, and %s; meanwhile %s", f.run.askedAbout(), serves), false}
	case f.run.judgement.Fate == rotation.Hold && !until.IsZero():
		return obstacle{v1alpha1.ReasonHeld, fmt.Sprintf("the spec changed, and its value, revision %s, waits for the registry until %s at the latest: see Verified. Meanwhile %s",
			f.run.state.Waiting.Revision, until.UTC().Format(time.RFC3339), serves), false}
	}
	return obstacle{v1alpha1.ReasonHeld, fmt.Sprintf("the spec changed, and its value, revision %s, waits until the registry accepts it: see Verified. Meanwhile %s",
		f.run.state.Waiting.Revision, serves), false}
}

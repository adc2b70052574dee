package source_test

import (
	"errors"
	"fmt"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/source"
)

func TestAsErrorKeepsWhatIsKnown(t *testing.T) {
	known := source.Stalled(v1alpha1.ReasonSecretNotFound, "nothing is there")
	if got := source.AsError(fmt.Errorf("reading: %w", known)); got != known {
		t.Errorf("got %+v", got)
	}
	if got := source.AsError(nil); got != nil {
		t.Errorf("no error became %+v", got)
	}
}

func TestAsErrorTakesWhatIsUnknownForAnOutage(t *testing.T) {
	cause := errors.New("no route")
	got := source.AsError(cause)
	if got.Reason != v1alpha1.ReasonUnavailable || got.Stalled || !errors.Is(got, cause) {
		t.Errorf("got %+v", got)
	}
}

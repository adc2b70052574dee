package dockerconfig

import (
	"fmt"
	"strings"
	"testing"
)

func TestFieldsBesideTheEntriesAreKeptWithinBounds(t *testing.T) {
	var fields []string
	for i := range 60_000 {
		fields = append(fields, fmt.Sprintf(`"f%05d":0`, i))
	}
	current := []byte(`{"auths":{},"credHelpers":{"a.example":"x"},` + strings.Join(fields, ",") + `}`)
	kept := string(Kept(current))
	if got := strings.Count(kept, ":0"); got != mostFields-1 || !strings.Contains(kept, `,"credHelpers":{"a.example":"x"}`) {
		t.Errorf("%d fields are kept of %.100s", got, kept)
	}
	rendered, err := RenderKeeping(current, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := RenderKeeping(rendered, nil)
	if err != nil || string(again) != string(rendered) {
		t.Errorf("rendered again it differs: %v", err)
	}
}

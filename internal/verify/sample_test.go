package verify

import (
	"testing"

	"regcred.dev/regcred/internal/dockerconfig"
)

func sample(t *testing.T) dockerconfig.Credential {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", "password")
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

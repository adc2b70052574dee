package vault

import (
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestARefusedSecretIsNotSentAndTheMessageNamesTheCommand(t *testing.T) {
	rig := newRig(t, "http://127.0.0.1:1")
	rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = unmarked })
	rig.setValue(unmarked+"/id", "secret-id")
	_, err := rig.Check(t.Context(), rig.connection)
	if err == nil || !strings.Contains(err.Error(), "label secret "+unmarked+" regcred.dev/vault-auth=true") {
		t.Errorf("the error is %v", err)
	}
}

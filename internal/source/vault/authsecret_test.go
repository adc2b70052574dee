package vault

import (
	"strings"
	"testing"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestARefusedSecretIsNotSentAndTheMessageNamesTheCommandWhateverIsInIt(t *testing.T) {
	for name, key := range map[string]string{"with the key": "id", "without the key": "other"} {
		rig := newRig(t, "http://127.0.0.1:1")
		rig.change(func(s *v1alpha1.VaultConnectionSpec) { s.Auth.AppRole.SecretID.Name = unmarked })
		rig.setValue(unmarked+"/"+key, "secret-id")
		_, err := rig.Check(t.Context(), rig.connection)
		if err == nil || !strings.Contains(err.Error(), "label secret "+unmarked+" regcred.dev/vault-auth=true") || strings.Contains(err.Error(), "has no value under key") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

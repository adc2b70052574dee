package v1alpha1

import "testing"

func TestAModeIsWhatTheSpecSaysOrItsDefault(t *testing.T) {
	for _, test := range []struct {
		name         string
		spec         RegistryCredentialSpec
		verification VerificationMode
		recovery     PodRecoveryMode
	}{
		{"nothing is said", RegistryCredentialSpec{}, VerifyPull, RecoveryRestart},
		{"nothing is said in what is there", RegistryCredentialSpec{Verification: &Verification{}, PodRecovery: &PodRecovery{}}, VerifyPull, RecoveryRestart},
		{"it is said", RegistryCredentialSpec{Verification: &Verification{Mode: VerifyLogin}, PodRecovery: &PodRecovery{Mode: RecoveryReport}}, VerifyLogin, RecoveryReport},
		{"it was stored when Disabled was called Off", RegistryCredentialSpec{Verification: &Verification{Mode: "Off"}, PodRecovery: &PodRecovery{Mode: "Off"}}, VerifyDisabled, RecoveryDisabled},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.spec.VerificationMode(); got != test.verification {
				t.Errorf("verification: got %s", got)
			}
			if got := test.spec.RecoveryMode(); got != test.recovery {
				t.Errorf("pod recovery: got %s", got)
			}
		})
	}
}

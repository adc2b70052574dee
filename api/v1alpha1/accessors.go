package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// formerlyOff is what modes were called that are Disabled now. It is refused in what is written, but objects that were stored before
// still say it, and must not begin to be tested or to have pods restarted.
const formerlyOff = "Off"

// RefreshPeriod is how often the source is read. Defaults to 60 seconds.
func (s *RegistryCredentialSpec) RefreshPeriod() time.Duration {
	return seconds(s.RefreshPeriodSeconds, 60)
}

// Policy is what becomes of the entries when the object is deleted. Defaults to Retain.
func (s *RegistryCredentialSpec) Policy() DeletionPolicy {
	if s.DeletionPolicy == "" {
		return DeletionRetain
	}
	return s.DeletionPolicy
}

// RecoveryMode is what happens to stuck pods. Defaults to Restart.
func (s *RegistryCredentialSpec) RecoveryMode() PodRecoveryMode {
	switch {
	case s.PodRecovery == nil || s.PodRecovery.Mode == "":
		return RecoveryRestart
	case s.PodRecovery.Mode == formerlyOff:
		return RecoveryDisabled
	}
	return s.PodRecovery.Mode
}

// RepullMode is whether images of stuck pods may be pinned to their own digest. Defaults to Disabled.
func (s *RegistryCredentialSpec) RepullMode() RepullMode {
	if s.PodRecovery == nil || s.PodRecovery.Repull == "" {
		return RepullDisabled
	}
	return s.PodRecovery.Repull
}

// VerificationMode is how the credential is tested. Defaults to Pull.
func (s *RegistryCredentialSpec) VerificationMode() VerificationMode {
	switch {
	case s.Verification == nil || s.Verification.Mode == "":
		return VerifyPull
	case s.Verification.Mode == formerlyOff:
		return VerifyDisabled
	}
	return s.Verification.Mode
}

// VerificationPeriod is how often the published credential is tested again. Defaults to 600 seconds.
func (s *RegistryCredentialSpec) VerificationPeriod() time.Duration {
	if s.Verification == nil {
		return seconds(nil, 600)
	}
	return seconds(s.Verification.PeriodSeconds, 600)
}

// Hold is how long an unproven new value is held back. Defaults to 120 seconds.
func (s *RegistryCredentialSpec) Hold() time.Duration {
	if s.Verification == nil {
		return seconds(nil, 120)
	}
	return seconds(s.Verification.HoldSeconds, 120)
}

// Name of the pull Secret. Defaults to "regcred".
func (t *Target) Name() string {
	if t.SecretName == "" {
		return DefaultSecretName
	}
	return t.SecretName
}

// Accounts are the ServiceAccounts that get the pull Secret. Defaults to [default]; an empty list means none.
func (t *Target) Accounts() []string {
	if t.ServiceAccounts == nil {
		return []string{DefaultServiceAccount}
	}
	return *t.ServiceAccounts
}

// Existing is what to do with a Secret that is there already. Defaults to Refuse.
func (t *Target) Existing() ExistingSecrets {
	if t.ExistingSecrets == "" {
		return ExistingRefuse
	}
	return t.ExistingSecrets
}

// PerHost reports whether entries are published under the hosts of the registries. They are not by default.
func (t *Target) PerHost() bool { return t.EntryPer == EntryPerHost }

// ConnectionName of the VaultConnection. Defaults to "default".
func (v *VaultSource) ConnectionName() string {
	if v.Connection == "" {
		return DefaultConnection
	}
	return v.Connection
}

// EngineKind of the mount. Defaults to KVv2.
func (v *VaultSource) EngineKind() Engine {
	if v.Engine == "" {
		return EngineKVv2
	}
	return v.Engine
}

// Posts reports whether the engine is asked with POST. It is asked with GET by default.
func (v *VaultSource) Posts() bool { return v.Request != nil && v.Request.Method == VaultPost }

// KeyNames are the keys of the secret, with their defaults filled in.
func (v *VaultSource) KeyNames() VaultKeys {
	keys := VaultKeys{}
	if v.Keys != nil {
		keys = *v.Keys
	}
	if keys.Auth != "" || keys.DockerConfig != "" {
		return keys
	}
	if keys.Username == "" && v.Username == "" {
		keys.Username = "username"
	}
	if keys.Password == "" {
		keys.Password = "password"
	}
	return keys
}

// GetConditions returns the conditions of the object.
func (r *RegistryCredential) GetConditions() *[]metav1.Condition { return &r.Status.Conditions }

// GetConditions returns the conditions of the object.
func (c *VaultConnection) GetConditions() *[]metav1.Condition { return &c.Status.Conditions }

func seconds(value *int32, fallback int32) time.Duration {
	if value == nil {
		return time.Duration(fallback) * time.Second
	}
	return time.Duration(*value) * time.Second
}

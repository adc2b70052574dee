package credential

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/registry"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
	"regcred.dev/regcred/internal/verify"
)

// valueOf is a snapshot as the state machine sees it.
func valueOf(spec *rotation.Spec, salt []byte, snapshot source.Snapshot) rotation.Value {
	value := rotation.Value{
		Config: snapshot.Config, Revision: snapshot.Revision, SpecHash: spec.SpecHash, Place: spec.Place,
		Written:  rotation.Written{Version: snapshot.Version, CreatedTime: snapshot.CreatedTime},
		ReadTime: snapshot.ReadTime, ExpireTime: snapshot.ExpireTime, RotateTime: snapshot.RotateTime, Minted: snapshot.Minted, Lease: snapshot.Lease,
	}
	complete(&value, salt)
	return value
}

// complete adds what follows from the content of a value: records of earlier versions lack it.
func complete(value *rotation.Value, salt []byte) {
	if value.Config == nil || value.Digest != "" {
		return
	}
	value.Digest, value.Accounts = digest(salt, value.Config), accountsOf(salt, value.Config)
}

// digest names keys and credentials together without giving them away.
func digest(salt []byte, config dockerconfig.Config) string {
	mac := hmac.New(sha256.New, salt)
	_, _ = mac.Write(config.Render()) // a hash never fails to write
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// accountsOf are the logins of a config, each once for a registry.
func accountsOf(salt []byte, config dockerconfig.Config) []rotation.Account {
	var accounts []rotation.Account
	for _, key := range slices.Sorted(maps.Keys(config)) {
		print := verify.Fingerprint(salt, key, config[key])
		i := slices.IndexFunc(accounts, func(a rotation.Account) bool { return a.Print == print })
		if i < 0 {
			i = len(accounts)
			accounts = append(accounts, rotation.Account{Print: print, Host: registry.Host(key)})
		}
		accounts[i].Keys = append(accounts[i].Keys, key)
	}
	return accounts
}

// covers reports whether a kubelet would use one of the keys for an image.
func covers(keys []string, image string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return registry.Matches(key, image) })
}

// contentOf finds the credential of an account in the values that are known.
func contentOf(s *rotation.State, account rotation.Account) (dockerconfig.Credential, bool) {
	values := []*rotation.Value{&s.Value}
	if s.Waiting != nil {
		values = append(values, &s.Waiting.Value)
	}
	if s.Older != nil {
		values = append(values, &s.Older.Value)
	}
	if s.Previous != nil {
		values = append(values, &s.Previous.Value)
	}
	for _, value := range values {
		for _, known := range value.Accounts {
			if known.Print == account.Print && value.Config != nil {
				return value.Config[known.Keys[0]], true
			}
		}
	}
	return dockerconfig.Credential{}, false
}

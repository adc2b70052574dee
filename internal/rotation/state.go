package rotation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/source"
)

// State is all that is known of one RegistryCredential: what is kept, and what the process remembers.
type State struct {
	Kept
	Memory
}

// Kept survives a restart of the operator. It is written before anything in it is acted on.
type Kept struct {
	// Format is the version of this record. See records.Format.
	Format int `json:"format,omitempty"`
	// Salt keys the digests of values and the prints of accounts.
	Salt []byte `json:"salt,omitempty"`
	// Value is the value in use. It is published where its Config is not nil.
	Value
	// Previous is the value that was in use before, nil where there was none.
	Previous *Previous `json:"previous,omitempty"`
	// Waiting is a value that was read and is not published yet, or was refused. After a restart one that is not minted has no Config until
	// it is read again.
	Waiting *Waiting `json:"candidate,omitempty"`
	// Tests are what registries said of values, by Account.Print.
	Tests map[string]Test `json:"tests,omitempty"`
	// Obsolete are the leases of earlier values that are still to be given back.
	Obsolete []Lease `json:"obsolete,omitempty"`
	// Fruitless counts the minted values in a row that were read while the registry refused the one before. See State.fruitlessWait.
	Fruitless int `json:"fruitless,omitempty"`
	// Answered is the last request of a person for which the source minted a value. See State.Recall.
	Answered string `json:"answered,omitempty"`
	// RestoredOver is the digest of the value from which Restore went back: that happens once for each value.
	RestoredOver string `json:"restoredOver,omitempty"`
}

// Published reports whether a value is in use.
func (k *Kept) Published() bool { return k.Config != nil }

// KeepsWaiting reports whether the content of the value that waits is to survive a restart: each read would make another one.
func (k *Kept) KeepsWaiting() bool {
	return k.Waiting != nil && k.Waiting.Minted && k.Waiting.Config != nil
}

// Memory is what one process remembers. All of it can be lost: then the source is read again.
type Memory struct {
	Reads Reads
	// Older is an answer that is older than what is known already, nil where the last answer was not.
	Older *Older
	// Testing are the tests that are under way, by Account.Print, with the time at which each began.
	Testing map[string]time.Time
	// DoubtTime is when a registry last refused a pod that has the value in use.
	DoubtTime time.Time
	// Delivered says that every selected namespace that can be served has the value in use.
	Delivered bool
	// Releases are the attempts to give leases back that failed, Renewals those to prolong them, by Lease.ID.
	Releases, Renewals map[string]Attempts
}

// Value is a credential that was read. Its encoding holds nothing secret: Config is kept apart.
type Value struct {
	// Config holds the entries.
	Config dockerconfig.Config `json:"-"`
	// Revision is the source's own name for the value, Digest a keyed digest of Config. Both are compared for equality only.
	Revision string `json:"revision,omitempty"`
	Digest   string `json:"digest,omitempty"`
	// SpecHash names the source, keys and registries that the value was read for, Place the source alone.
	SpecHash string `json:"specHash,omitempty"`
	Place    string `json:"place,omitempty"`
	// Written orders it among the answers of its place.
	Written
	// ReadTime is when the source was asked for the value, ExpireTime when it ends (zero where that is not known), and Minted that
	// each read makes a new one.
	ReadTime   time.Time `json:"readTime,omitzero"`
	ExpireTime time.Time `json:"expireTime,omitzero"`
	Minted     bool      `json:"minted,omitempty"`
	// RotateTime is when the source announces to replace the value. It is known from a read alone.
	RotateTime time.Time     `json:"-"`
	Lease      *source.Lease `json:"lease,omitempty"`
	// Accounts are what is tested: each value at each registry host, once.
	Accounts []Account `json:"accounts,omitempty"`
	Use
}

// Use is what became of a value since it was read. No read of the same value changes it.
type Use struct {
	// Generation is that of the object for which the value was put in use: who was selected by an earlier one is not given it. Zero where an
	// earlier version of regcred did that.
	Generation int64 `json:"generation,omitempty"`
	// ChangeTime is when the value was published. VerifiedTime is when the registries first accepted all of it, Proof how.
	ChangeTime   time.Time `json:"changeTime,omitzero"`
	VerifiedTime time.Time `json:"verifiedTime,omitzero"`
	Proof        Proof     `json:"proof,omitempty"`
	// RefusedTime is since when a registry refuses the value, whatever it was asked. Zero where none does, or all accepted it since.
	RefusedTime time.Time `json:"refusedTime,omitzero"`
}

// Account is one user name and password at one registry, under all docker config keys of it: ghcr.io/a and ghcr.io/b are one login.
type Account struct {
	// Print names host and value without giving them away.
	Print string `json:"print"`
	// Host is host[:port], or a key with a wildcard.
	Host string `json:"host"`
	// Keys are the docker config keys, sorted.
	Keys []string `json:"keys"`
}

// Previous is the value that was in use before.
type Previous struct {
	Value
	// ReplacedTime is when the present value took its place.
	ReplacedTime time.Time `json:"replacedTime"`
	// End says why it is no longer kept and tested. Empty while its Config is kept.
	End End `json:"end,omitempty"`
}

// End says why a previous value is no longer kept.
type End string

const (
	// EndRefused means that the registry refuses it and accepts the value in use.
	EndRefused End = "Refused"
	// EndExpired means that its own end has passed, or that its lease was given back.
	EndExpired End = "Expired"
	// EndNotKept means that it was kept for a day, and that no registry refused it by then.
	EndNotKept End = "NotKept"
)

// Waiting is a value that is not published yet.
type Waiting struct {
	Value
	// FirstSeen is when it was first read.
	FirstSeen time.Time `json:"firstSeen"`
	// HeldSince is since when values are held that took each other's place because each read makes another one. Zero where that is FirstSeen.
	HeldSince time.Time `json:"heldSince,omitzero"`
}

// Since is when the hold began: it is of the registry's silence, and not of one value.
func (w *Waiting) Since() time.Time {
	if w.HeldSince.IsZero() {
		return w.FirstSeen
	}
	return w.HeldSince
}

// Older is an answer of the source that is older than what is in use or waits: perhaps a standby that lags, perhaps a Vault that was
// restored from a backup.
type Older struct {
	Value
	Since time.Time
	Reads int
}

// Name is the same for answers that say the same: the digest, or the version of what each read makes another value of.
func (o *Older) Name() string {
	if o.Minted {
		return fmt.Sprintf("%d of %s", o.Version, o.CreatedTime.UTC().Format(time.RFC3339Nano))
	}
	return o.Digest
}

// Lease is a lease that is still to be given back.
type Lease struct {
	source.Lease
	// Since is when the value of the lease was replaced.
	Since time.Time `json:"since,omitzero"`
}

// Clone copies a state as deep as its methods change it.
func (s State) Clone() State {
	s.Tests, s.Testing = maps.Clone(s.Tests), maps.Clone(s.Testing)
	s.Obsolete, s.Releases, s.Renewals = slices.Clone(s.Obsolete), maps.Clone(s.Releases), maps.Clone(s.Renewals)
	s.Previous, s.Waiting, s.Older = clone(s.Previous), clone(s.Waiting), clone(s.Older)
	return s
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	copied := *p
	return &copied
}

// Begins is from when its end counts: from when it was read, or its lease was last prolonged.
func (v *Value) Begins() time.Time {
	if v.Lease == nil {
		return v.ReadTime
	}
	return latest(v.ReadTime, v.Lease.Obtained)
}

// at returns the accounts of a value that a kubelet would use where it used the given one: those with a key in common, else those of
// the same host.
func (v *Value) at(account Account) []Account {
	var sameKey, sameHost []Account
	for _, mine := range v.Accounts {
		if slices.ContainsFunc(mine.Keys, func(key string) bool { return slices.Contains(account.Keys, key) }) {
			sameKey = append(sameKey, mine)
		}
		if mine.Host == account.Host {
			sameHost = append(sameHost, mine)
		}
	}
	if len(sameKey) > 0 {
		return sameKey
	}
	return sameHost
}

func (v *Value) has(print string) bool {
	return slices.ContainsFunc(v.Accounts, func(a Account) bool { return a.Print == print })
}

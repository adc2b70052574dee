package records

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/removal"
	"regcred.dev/regcred/internal/rotation"
	"regcred.dev/regcred/internal/source"
)

const password = "s3cr3t-of-the-robot"

func record(t testing.TB) Record {
	t.Helper()
	credential, err := dockerconfig.NewCredential("robot", password)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	account := rotation.Account{Print: "print", Host: "registry.example", Keys: []string{"registry.example"}}
	value := rotation.Value{
		Config: dockerconfig.Config{"registry.example": credential}, Revision: "7", Digest: "d7", SpecHash: "abc", Place: "p",
		Written: rotation.Written{Version: 7, CreatedTime: at, LatestTime: at.Add(time.Minute), CountTime: at.Add(-time.Hour)}, ReadTime: at, ExpireTime: at.Add(time.Hour), Minted: true,
		Lease:    &source.Lease{Connection: "default", ID: "aws/creds/x/1", Renewable: true, Duration: time.Hour, Obtained: at},
		Accounts: []rotation.Account{account}, Use: rotation.Use{Generation: 3, ChangeTime: at, VerifiedTime: at.Add(time.Second), Proof: rotation.ProofPull},
	}
	before := value
	before.Revision, before.Digest, before.Lease = "6", "d6", nil
	waiting := value
	waiting.Revision, waiting.Digest, waiting.Lease = "8", "d8", &source.Lease{Connection: "default", ID: "aws/creds/x/2", Duration: time.Hour, Obtained: at}
	return Record{
		Credential: "company", UID: "uid-1", Kept: rotation.Kept{
			Format: Format, Salt: []byte{0, 255, 7}, Value: value,
			Previous: &rotation.Previous{Value: before, ReplacedTime: at}, Waiting: &rotation.Waiting{Value: waiting, FirstSeen: at},
			Tests: map[string]rotation.Test{"print": {
				Question: "q", Verdict: rotation.Accepted, Since: at, Time: at, Attempt: at, Repeats: 3, Registry: "registry.example", Message: "ok",
				Digests: map[string]string{"registry.example/app:1": "sha256:1"},
			}},
			Obsolete:     []rotation.Lease{{Lease: source.Lease{ID: "aws/creds/x/0", Duration: time.Minute, Obtained: at}, Since: at}},
			RestoredOver: "d5", Fruitless: 2, Answered: "2026-03-01T12:00:00Z",
		},
	}
}

func TestRecordsSurviveARestart(t *testing.T) {
	unpublished := Record{Credential: "company", UID: "uid-1", Kept: rotation.Kept{Format: Format, Salt: []byte{1}, Waiting: &rotation.Waiting{Value: rotation.Value{Revision: "1"}}}}
	withoutTheOneBefore := record(t)
	withoutTheOneBefore.Previous.Config = nil
	for name, want := range map[string]Record{
		"everything set": record(t), "nothing published yet": unpublished, "the content of the value before is not known": withoutTheOneBefore,
	} {
		t.Run(name, func(t *testing.T) {
			secret, err := encode(want, "regcred-system")
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(secret)
			if err != nil {
				t.Fatal(err)
			}
			// Credentials compare by their content, not by where it is in memory.
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b dockerconfig.Credential) bool { return a.Equal(b) })); diff != "" {
				t.Errorf("kept (-) and read again (+):\n%s", diff)
			}
			if got.Published() != want.Published() {
				t.Errorf("published is %t, want %t", got.Published(), want.Published())
			}
		})
	}
}

func TestARecordIsTheSameIfItIsKeptByTheSameBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Record)
		same   bool
	}{
		{"nothing is changed", func(*Record) {}, true},
		{"the minted value that waits has no content", func(r *Record) { r.Waiting.Config = nil }, false},
		{"another object", func(r *Record) { r.UID = "uid-2" }, false},
		{"the value in use has no content", func(r *Record) { r.Config = nil }, false},
		{"the value before has no content", func(r *Record) { r.Previous.Config = nil }, false},
		{"another value waits", func(r *Record) { r.Waiting.Digest = "d9" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := record(t)
			c.change(&changed)
			if got := Same(record(t), changed); got != c.same {
				t.Errorf("Same is %t, want %t", got, c.same)
			}
		})
	}
}

func TestTheContentOfAValueThatCanBeReadAgainIsNotKept(t *testing.T) {
	read := record(t)
	read.Waiting.Minted = false
	forgotten := read
	forgotten.Waiting = &rotation.Waiting{Value: read.Waiting.Value, FirstSeen: read.Waiting.FirstSeen}
	forgotten.Waiting.Config = nil
	if !Same(read, forgotten) {
		t.Error("its content makes a difference to the record")
	}
	secret, err := encode(read, "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	if _, kept := secret.Data[waitingKey]; kept {
		t.Error("its content is kept")
	}
}

func TestARecordSaysInWhichFormItIsKept(t *testing.T) {
	one := record(t)
	one.Format = 0 // as that of an object that was never kept
	secret, err := encode(one, "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decode(secret); err != nil || got.Format != Format {
		t.Errorf("format %d: %v", got.Format, err)
	}
}

// JSON has no times after the year 9999.
func TestWhatCannotBeWrittenDownIsNotKeptInParts(t *testing.T) {
	beyond := record(t)
	beyond.ExpireTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if Same(record(t), beyond) || Same(beyond, record(t)) || Same(beyond, beyond) {
		t.Error("it is the same as something")
	}
	server := newServer()
	store := server.leader()
	if err := store.Save(t.Context(), beyond); err == nil || !strings.Contains(err.Error(), "company") {
		t.Errorf("saved: %v", err)
	}
	store.records["company"] = &beyond
	if err := store.KeepRemovals(t.Context(), "company", removal.State{UID: "uid-1"}); err == nil || !strings.Contains(err.Error(), "company") {
		t.Errorf("kept with removals: %v", err)
	}
	if len(server.asked) > 0 {
		t.Errorf("the API server is asked for %q", server.asked)
	}
}

func TestTheMemoHoldsNoSecret(t *testing.T) {
	secret, err := encode(record(t), "regcred-system")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range secret.Data {
		if key != configKey && key != previousKey && key != waitingKey && strings.Contains(string(value), password) {
			t.Errorf("key %s holds the password", key)
		}
	}
	for _, value := range secret.Labels {
		if strings.Contains(value, password) {
			t.Error("a label holds the password")
		}
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	broken := map[string]func(*corev1.Secret){
		"a memo that is no JSON":           func(s *corev1.Secret) { s.Data[memoKey] = []byte(password) },
		"no memo":                          func(s *corev1.Secret) { delete(s.Data, memoKey) },
		"a memo of the wrong shape":        func(s *corev1.Secret) { s.Data[memoKey] = []byte(`{"revision":{"x":"` + password + `"}}`) },
		"a config that is no JSON":         func(s *corev1.Secret) { s.Data[configKey] = []byte(password) },
		"a config with a broken entry":     func(s *corev1.Secret) { s.Data[configKey] = []byte(`{"auths":{"a":{"auth":"` + password + `"}}}`) },
		"a value before that is no JSON":   func(s *corev1.Secret) { s.Data[previousKey] = []byte(password) },
		"a value that waits and is none":   func(s *corev1.Secret) { s.Data[waitingKey] = []byte(password) },
		"a config that is empty":           func(s *corev1.Secret) { s.Data[configKey] = nil },
		"the record of another credential": func(s *corev1.Secret) { s.Data[nameKey] = []byte("other") },
		"no name":                          func(s *corev1.Secret) { delete(s.Data, nameKey) },
		"no name, as the Secret has none": func(s *corev1.Secret) {
			delete(s.Data, nameKey)
			s.Name = secretName("")
		},
	}
	for name, damage := range broken {
		t.Run(name, func(t *testing.T) {
			secret, err := encode(record(t), "regcred-system")
			if err != nil {
				t.Fatal(err)
			}
			damage(secret)
			got, err := decode(secret)
			if err == nil {
				t.Fatalf("it is read all the same: %v", got)
			}
			if strings.Contains(err.Error(), password) {
				t.Error("the error holds what is in the record")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	secret, err := encode(record(f), "regcred-system")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(secret.Data[memoKey], secret.Data[configKey])
	f.Add([]byte(`{}`), []byte(`{"auths":{}}`))
	f.Fuzz(func(t *testing.T, memo, config []byte) {
		changed := secret.DeepCopy()
		changed.Data[memoKey], changed.Data[configKey] = memo, config
		got, err := decode(changed)
		if err != nil {
			return
		}
		again, err := encode(got, "regcred-system")
		if err != nil {
			t.Fatalf("what was read cannot be kept: %v", err)
		}
		if _, err := decode(again); err != nil {
			t.Fatalf("what was kept cannot be read: %v", err)
		}
	})
}

// How long a password may be is asked where it comes in. What an earlier version published is delivered still, and the value before hides none.
func TestAValueThatAnEarlierVersionKeptIsReadWhateverItsLength(t *testing.T) {
	long := []byte(`{"auths":{"registry.example":{"username":"robot","password":"` + strings.Repeat("p", dockerconfig.MaxLength+1) + `"}}}`)
	for _, key := range []string{configKey, previousKey, waitingKey} {
		secret, err := encode(record(t), "regcred-system")
		if err != nil {
			t.Fatal(err)
		}
		secret.Data[key] = long
		server := newServer()
		server.put(secret)
		store := server.leader()
		if err := store.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := store.Get("company"); !got.Published() || got.Lease == nil || got.Previous.Config == nil || got.Waiting.Config == nil {
			t.Errorf("with a long %s nothing is known of what is published: %t", key, got.Published())
		}
	}
}

package vault

import (
	"math"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/api/v1alpha1"
)

func TestWhatASpecSaysOfAValueIsFollowed(t *testing.T) {
	server := newScripted(t)
	server.handle("/v1/secret/data/a", answers(200, kv2Answer(map[string]any{"password": "pw\n", "token": "t"})))
	rig := newRig(t, server.URL)
	place := atKV2
	place.Username = "robot"
	snapshot := rig.mustRead(place)
	if login := snapshot.Config["registry.example"]; login.Username() != "robot" || login.Password() != "pw" || len(snapshot.Findings) == 0 {
		t.Errorf("%s, findings %v", login.Username(), snapshot.Findings)
	}
	if told := snapshot.Findings[0].Message; !strings.HasPrefix(told, "secret/a: ") {
		t.Errorf("the finding does not name the place: %q", told)
	}
	if want := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC); !snapshot.CreatedTime.Equal(want) || snapshot.Version != 7 {
		t.Errorf("created %s, version %d", snapshot.CreatedTime, snapshot.Version)
	}
	place.Keys = &v1alpha1.VaultKeys{Password: "token"}
	if login := rig.mustRead(place).Config["registry.example"]; login.Password() != "t" {
		t.Error("another key is taken than the spec names")
	}
	place.Keys = &v1alpha1.VaultKeys{DockerConfig: "token"}
	if told := rig.mustFail(place, v1alpha1.ReasonMalformed).Message; !strings.Contains(told, "vault kv patch -mount=secret a token=@config.json") {
		t.Errorf("it does not say how to store the file: %q", told)
	}
	place.Keys = &v1alpha1.VaultKeys{Password: "token"}
	request := requestOf(place)
	request.Registries, request.PerHost = []v1alpha1.Registry{"registry.example/team"}, true
	perHost, err := rig.Read(t.Context(), request)
	if _, there := perHost.Config["registry.example"]; err != nil || !there {
		t.Errorf("under the host there is nothing: %v", err)
	}
}

func TestALeaseOfNoTimeIsNotProlonged(t *testing.T) {
	snapshot, failure := snapshotFor(t, v1alpha1.EngineDynamic, `{"lease_id":"m/p/x","lease_duration":0,"renewable":true,"data":{"username":"u","password":"p"}}`)
	if failure != nil {
		t.Fatal(failure)
	}
	if snapshot.Lease == nil || snapshot.Lease.Renews() || !snapshot.ExpireTime.Equal(readAt.Add(longestLife)) {
		t.Errorf("it ends %s, lease %+v", snapshot.ExpireTime, snapshot.Lease)
	}
}

// The end of what a cloud gave is that of the login, whatever it was made of.
func TestAStaticRoleThatIsExchangedEndsWithTheLogin(t *testing.T) {
	server, r, cloud := exchanging(t)
	server.handle("/v1/aws/static-creds/a", answers(200, `{"data":{"access_key":"AKIA","secret_key":"s"}}`))
	snapshot := r.mustRead(ofCloud(v1alpha1.VaultSource{Mount: "aws", Path: "static-creds/a", Engine: v1alpha1.EngineDynamic}))
	if left := snapshot.ExpireTime.Sub(r.now()); left < cloud.life-time.Second || left > cloud.life || !snapshot.RotateTime.IsZero() || !snapshot.Minted {
		t.Errorf("it ends in %s, rotates %s, is made by the read: %t", left, snapshot.RotateTime, snapshot.Minted)
	}
}

func TestWhatHasTheFormOfKVVersion2(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       bool
	}{
		{"data and metadata with a version", `{"data":{"data":{},"metadata":{"version":1}}}`, true},
		{"data that is deleted", `{"data":{"data":null,"metadata":{"version":1}}}`, true},
		{"metadata without a version", `{"data":{"data":{},"metadata":{}}}`, false},
		{"metadata with a version that is a text", `{"data":{"data":{},"metadata":{"version":"1"}}}`, false},
		{"metadata without data", `{"data":{"metadata":{"version":1}}}`, false},
		{"metadata that is a text", `{"data":{"data":"a","metadata":"b"}}`, false},
		{"nothing", `{}`, false},
	} {
		var c content
		if err := decode([]byte(test.body), &c); err != nil {
			t.Fatal(err)
		}
		if got := nested(c.Data); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestHowAFileIsStoredAtAPlace(t *testing.T) {
	for engine, want := range map[v1alpha1.Engine]string{
		"": "vault kv patch -mount=m p k=@f", v1alpha1.EngineKVv2: "vault kv patch -mount=m p k=@f", v1alpha1.EngineKVv1: "vault kv put -mount=m p k=@f", v1alpha1.EngineDynamic: "",
	} {
		got, store := "", storeCommand(&v1alpha1.VaultSource{Mount: "m", Path: "p", Engine: engine})
		if store != nil {
			got = store("k", "f")
		}
		if got != want {
			t.Errorf("%s: %q", engine, got)
		}
	}
}

func TestWhenAStaticRoleWasLastRotated(t *testing.T) {
	for text, want := range map[string]time.Time{"2026-03-04T05:06:07Z": readAt, "yesterday": {}, "": {}} {
		if got := lastRotation(map[string]any{rotationField: text}); !got.Equal(want) {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestASessionIsUsedUpToItsEnd(t *testing.T) {
	s := &session{expires: readAt, renewAt: readAt.Add(-time.Minute)}
	for at, want := range map[time.Duration][2]bool{-time.Hour: {true, false}, -time.Minute - 1: {true, false}, -time.Minute: {true, true}, -1: {true, true}, 0: {false, true}} {
		if got := [2]bool{s.alive(readAt.Add(at)), s.due(readAt.Add(at))}; got != want {
			t.Errorf("%s from its end it is alive and due: %v", at, got)
		}
	}
	if free := (&session{}); !free.alive(readAt) || free.due(readAt) {
		t.Error("one without an end ends")
	}
}

func TestNewsOfAPlaceAreToldAndWhatNamesNoPathIsKnownAsSuch(t *testing.T) {
	server, _ := newBroadcasting(t)
	rig, s := unfollowed(t, server)
	for _, test := range []struct {
		name    string
		message []byte
		names   bool
		told    int
	}{
		{"nonsense", []byte("nonsense"), false, 0},
		{"an event of a path that nobody reads", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/other"), true, 0},
		{"an event of a path that is read", eventOf("kv-v2/data-write", "", "secret/", "path", "secret/data/a"), true, 1},
	} {
		if names := s.take(test.message); names != test.names || len(rig.take()) != test.told {
			t.Errorf("%s: it names a path: %t", test.name, names)
		}
	}
}

// The name of a value stands in an annotation of each Secret that has it, in a record and in a status.
func TestAVersionThatIsNoCountNamesNoValue(t *testing.T) {
	const byContent = 16 // digits
	for name, version := range map[string]string{
		"long": strings.Repeat("1", 1<<18), "larger than any count": "9223372036854775808", "no whole number": "7.5", "an exponent": "1e3",
		"none": "0", "less than none": "-7",
	} {
		snapshot, failure := snapshotFor(t, v1alpha1.EngineKVv2, versioned(version))
		if failure != nil {
			t.Fatal(failure)
		}
		if len(snapshot.Revision) != byContent || strings.Contains(snapshot.Revision, "-") || snapshot.Version != 0 {
			t.Errorf("%s: the name has %d bytes, and the version is %d", name, len(snapshot.Revision), snapshot.Version)
		}
	}
	for version, want := range map[string]int64{"1": 1, "9223372036854775807": math.MaxInt64} {
		snapshot, failure := snapshotFor(t, v1alpha1.EngineKVv2, versioned(version))
		if failure != nil || snapshot.Version != want || !strings.HasPrefix(snapshot.Revision, version+"-") {
			t.Errorf("%s: %v, the name is %q, and the version %d", version, failure, snapshot.Revision, snapshot.Version)
		}
	}
}

func versioned(version string) string {
	return `{"data":{"data":{"username":"u","password":"p"},"metadata":{"version":` + version + `,"created_time":"2026-01-02T03:04:05Z"}}}`
}

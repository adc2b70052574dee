package box

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"regcred.dev/regcred/hack/cluster/internal/network"
)

func TestFolderOf(t *testing.T) {
	for name, valid := range map[string]bool{
		"default": true, "a": true, "two-2": true,
		"": false, "..": false, "a/b": false, "Upper": false, "-a": false, strings.Repeat("a", 33): false,
	} {
		if _, err := FolderOf("/state", name); (err == nil) != valid {
			t.Errorf("%q: %v, want valid: %t", name, err, valid)
		}
	}
}

func TestBoxesOfOneNameInTwoPlacesHaveTheirOwnCgroups(t *testing.T) {
	if one, two := Folder("/a/default").cgroup(), Folder("/b/default").cgroup(); one == two {
		t.Errorf("both have %s", one)
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	folder := Folder(t.TempDir())
	lock, err := folder.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.tryLock(); !errors.Is(err, ErrRunning) {
		t.Errorf("a second one gets %v, want %v", err, ErrRunning)
	}
	lock.Close()
	if lock, err = folder.tryLock(); err != nil {
		t.Errorf("after its end: %v", err)
	}
	lock.Close()
}

func TestABoxIsForgottenWithItsLogsOnceItIsGone(t *testing.T) {
	folder := Folder(t.TempDir() + "/box")
	if err := folder.Forget(); err != nil {
		t.Errorf("one that never was: %v", err)
	}
	lock, err := folder.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder.Logs(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := folder.Forget(); !errors.Is(err, ErrRunning) {
		t.Errorf("while it runs: %v, want %v", err, ErrRunning)
	}
	if _, err := os.Stat(folder.Logs()); err != nil {
		t.Errorf("the logs of a running box: %v", err)
	}
	lock.Close()
	if err := folder.Forget(); err != nil {
		t.Errorf("after its end: %v", err)
	}
	if _, err := os.Stat(string(folder)); !os.IsNotExist(err) {
		t.Errorf("a folder is left: %v", err)
	}
}

func TestALockThatWasRemovedIsNobodys(t *testing.T) {
	folder := Folder(t.TempDir())
	lock, err := folder.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := os.Remove(lock.Name()); err != nil {
		t.Fatal(err)
	}
	if folder.holds(lock) {
		t.Error("it is held though others find none")
	}
	another, err := folder.tryLock()
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if folder.holds(lock) || !folder.holds(another) {
		t.Error("the old lock counts beside a new one")
	}
}

func TestNoBoxIsNotRunning(t *testing.T) {
	folder := Folder(t.TempDir() + "/none")
	if _, err := folder.Running(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v, want %v", err, ErrNotRunning)
	}
	if was, err := folder.Down(t.Context()); was || err != nil {
		t.Errorf("down: was running %t, error %v", was, err)
	}
	if _, err := os.Stat(string(folder)); !os.IsNotExist(err) {
		t.Errorf("asking has made a folder: %v", err)
	}
}

func TestServingCertificateIsTrustedUnderEachAddress(t *testing.T) {
	folder := Folder(t.TempDir())
	if err := writePKI(folder); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(folder.pkiFile("apiserver.crt"), folder.pkiFile("apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(folder.pkiFile("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, host := range []string{"127.0.0.1", network.NodeIP, network.ServiceIP, "kubernetes.default.svc"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestTokenFileHoldsEachUser(t *testing.T) {
	users := newUsers()
	records, err := csv.NewReader(strings.NewReader(users.tokenFile())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []user{users.admin, users.controllerManager, users.scheduler, users.kubelet}
	if len(records) != len(want) {
		t.Fatalf("%d records, want %d", len(records), len(want))
	}
	for i, record := range records {
		if got := (user{record[1], record[3], record[0]}); got != want[i] {
			t.Errorf("record %d is for %s in %q, want %s in %q", i, got.name, got.group, want[i].name, want[i].group)
		}
	}
}

func TestLoopbackPortsDiffer(t *testing.T) {
	a, err := loopbackAddresses()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range []int{a.apiServer, a.etcd, a.etcdPeer, a.controllerManager, a.scheduler} {
		if port == 0 || seen[port] {
			t.Errorf("port %d is none or given twice: %+v", port, a)
		}
		seen[port] = true
	}
}

func TestFollow(t *testing.T) {
	tests := map[string]struct {
		said         string
		wantErr      string
		wantProgress string
	}{
		"thanks when the box is ready": {said: "step one\nready\n", wantProgress: "step one\n"},
		"tells why there is no box":    {said: "step one\nfailed: etcd ended\nand more\n", wantErr: "etcd ended\nand more", wantProgress: "step one\n"},
		"notices a silent end":         {said: "step one\n", wantErr: "without a word", wantProgress: "step one\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			answer := make(chan string, 1)
			go func() {
				io.WriteString(theirs, test.said)
				if test.wantErr != "" {
					theirs.Close()
				}
				said, _ := io.ReadAll(theirs)
				answer <- string(said)
			}()
			var progress bytes.Buffer
			err := follow(ours, &progress)
			ours.Close()
			if test.wantErr == "" {
				if said := <-answer; err != nil || said != lineThanks+"\n" {
					t.Errorf("error %v, and it answers %q", err, said)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("error %v, want %q in it", err, test.wantErr)
			}
			if progress.String() != test.wantProgress {
				t.Errorf("progress %q, want %q", progress.String(), test.wantProgress)
			}
		})
	}
}

func TestPollSaysWhyItGaveUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	because := errors.New("connection refused")
	err := poll(ctx, func() error { return because })
	if !errors.Is(err, because) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want both reasons", err)
	}
}

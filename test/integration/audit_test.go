package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

// auditPolicy lets an API server note every request of the operator: who, what, when and with which outcome, and no content.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, users: ["` + operatorUser + `"]}
- {level: None}
`

// audit is the API server's own log of what the operator asked of it.
type audit struct{ file string }

// newAudit also gives the flags of the API server that keeps the log.
func newAudit(t *testing.T) (*audit, []string) {
	t.Helper()
	folder := t.TempDir()
	policy := filepath.Join(folder, "policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &audit{file: filepath.Join(folder, "audit.log")}
	return a, []string{"audit-policy-file=" + policy, "audit-log-path=" + a.file}
}

// audited is one request, when it was answered.
type audited struct {
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	UserAgent  string    `json:"userAgent"`
	Received   time.Time `json:"requestReceivedTimestamp"`
	Answered   time.Time `json:"stageTimestamp"`
	Object     struct {
		Resource string `json:"resource"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

func (a audited) succeeded() bool { return a.Response.Code >= 200 && a.Response.Code < 300 }

// writes leaves out what only reads, dry runs, the lease, and questions that are asked by POST.
func (a audited) writes() bool {
	switch {
	case a.Verb == "get", a.Verb == "list", a.Verb == "watch", strings.Contains(a.RequestURI, "dryRun=All"):
		return false
	case a.Object.Resource == "leases", strings.HasSuffix(a.Object.Resource, "reviews"):
		return false
	}
	return true
}

// by reports whether a program of that name sent the request.
func (a audited) by(program string) bool { return strings.HasPrefix(a.UserAgent, program+"/") }

// renews reports whether the request took or kept the leader's lease.
func (a audited) renews() bool {
	return a.Object.Resource == "leases" && (a.Verb == "update" || a.Verb == "create") && a.succeeded()
}

func (a audited) String() string {
	return fmt.Sprintf("%s %s %s: %d at %s", a.UserAgent, a.Verb, a.RequestURI, a.Response.Code, a.Received.Format(time.StampMicro))
}

// requests so far, in the order in which they were answered.
func (a *audit) requests(t *testing.T) []audited {
	t.Helper()
	log, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	var all []audited
	for line := range box.WholeLines(log) {
		var one audited
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("a line of the audit log: %v", err)
		}
		all = append(all, one)
	}
	return all
}

package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// An Audit counts the requests that reach Vault while it runs, through an audit device of its own. Values stay hashed
// in its file: paths, operations and errors are in the clear.
type Audit struct {
	vault  *Vault
	device string
	folder string
}

// An AuditedRequest is one request that Vault has answered.
type AuditedRequest struct {
	Operation string // read, update, delete, list ...
	Path      string // as secret/data/platform/registry
	Error     string // empty if it succeeded
	Time      time.Time
}

// StartAudit starts counting. Vault has to run on this machine.
func (v *Vault) StartAudit(ctx context.Context) (*Audit, error) {
	folder, err := os.MkdirTemp("", "box-audit-")
	if err != nil {
		return nil, err
	}
	a := &Audit{vault: v, device: filepath.Base(folder), folder: folder}
	err = v.client.Sys().EnableAuditWithOptionsWithContext(ctx, a.device, &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": a.file()},
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return a, nil
}

func (a *Audit) file() string { return filepath.Join(a.folder, "audit.log") }

// Stop removes the audit device and its file.
func (a *Audit) Stop(ctx context.Context) error {
	return errors.Join(a.vault.client.Sys().DisableAuditWithContext(ctx, a.device), os.RemoveAll(a.folder))
}

// Count counts the requests with an operation ("" is any) to a path, or below it if it ends with a slash.
func (a *Audit) Count(operation, path string) (int, error) {
	requests, err := a.Requests()
	if err != nil {
		return 0, err
	}
	count := 0
	for _, r := range requests {
		below := strings.HasSuffix(path, "/") && strings.HasPrefix(r.Path, path)
		if (operation == "" || r.Operation == operation) && (below || r.Path == path) {
			count++
		}
	}
	return count, nil
}

// Requests returns the requests since the start, oldest first. Vault writes its log before it answers, so a request
// whose answer has been seen is there.
func (a *Audit) Requests() ([]AuditedRequest, error) {
	log, err := os.ReadFile(a.file())
	if err != nil {
		return nil, err
	}
	var requests []AuditedRequest
	for line := range WholeLines(log) {
		var entry struct {
			Type    string
			Time    time.Time
			Error   string
			Request struct{ Operation, Path string }
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		ownSetUp := strings.HasPrefix(entry.Request.Path, "sys/audit/")
		if entry.Type == "response" && !ownSetUp {
			requests = append(requests, AuditedRequest{
				Operation: entry.Request.Operation, Path: entry.Request.Path, Error: entry.Error, Time: entry.Time,
			})
		}
	}
	return requests, nil
}

package dockerconfig

import (
	"encoding/json"
	"errors"
	"fmt"
)

// WouldBreakPulls reports why a kubelet cannot read this content of a kubernetes.io/dockerconfigjson Secret, or nil.
// A kubelet that fails on one pull Secret of a pod pulls no image of that pod at all, whatever the other Secrets
// hold, and puts its error where the waiting reason belongs (pkg/credentialprovider/secrets). Entries at fault are
// joined as [*EntryError]. For a kubernetes.io/dockercfg Secret pass the content through [FromDockercfg].
//
// A kubelet is lenient: it takes null, unknown fields, a repeated key (the last one counts), invalid UTF-8, and an
// entry without any credential.
func WouldBreakPulls(data []byte) error {
	if len(data) == 0 {
		return nil // the kubelet skips a Secret without content
	}
	var file kubeletFile
	if json.Unmarshal(data, &file) == nil {
		return nil
	}
	if !json.Valid(data) {
		return ErrInvalidJSON
	}
	return explainBreak(data)
}

// kubeletFile has the fields that a kubelet decodes. A wrong type in any of them is fatal.
type kubeletFile struct {
	Auths       map[string]kubeletEntry `json:"auths"`
	HTTPHeaders map[string]string       `json:"HttpHeaders"`
}

// kubeletEntry is an entry as a kubelet understands it: the auth field, where there is one, overrides username
// and password.
type kubeletEntry struct {
	username, password string
	// fields is the entry before auth was applied.
	fields entry
}

// UnmarshalJSON implements [json.Unmarshaler] with the faults that a kubelet finds fatal.
func (e *kubeletEntry) UnmarshalJSON(data []byte) error {
	var fatal struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Email    string `json:"email"`
		Auth     string `json:"auth"`
	}
	if err := json.Unmarshal(data, &fatal); err != nil {
		return ErrFieldType
	}
	*e = kubeletEntry{
		username: fatal.Username,
		password: fatal.Password,
		fields:   entry{Username: fatal.Username, Password: fatal.Password, Auth: fatal.Auth, Email: fatal.Email},
	}
	if fatal.Auth == "" {
		return nil
	}
	var err error
	e.username, e.password, err = decodeAuth(fatal.Auth)
	return err
}

// explainBreak finds what the kubelet stumbles over in valid JSON.
func explainBreak(data []byte) error {
	var file struct {
		Auths json.RawMessage `json:"auths"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("the docker config is %w", ErrNotObject)
	}
	var entries map[string]json.RawMessage
	if len(file.Auths) > 0 && json.Unmarshal(file.Auths, &entries) != nil {
		return fmt.Errorf(`"auths" is %w`, ErrNotObject)
	}
	var faults []error
	for _, key := range object(entries).keys() {
		var e kubeletEntry
		if err := e.UnmarshalJSON(entries[key]); err != nil {
			faults = append(faults, &EntryError{Key: key, Err: err})
		}
	}
	if len(faults) == 0 {
		return ErrFieldType
	}
	return errors.Join(faults...)
}

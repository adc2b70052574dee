package dockerconfig

import "log/slog"

// String implements [fmt.Stringer].
func (Credential) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Credential) GoString() string { return redacted }

// MarshalText implements [encoding.TextMarshaler], and with it the JSON, XML and YAML encoders.
func (Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Credential) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalLog implements the Marshaler of logr.
func (Credential) MarshalLog() any { return redacted }

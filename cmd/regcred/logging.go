package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/watchdog"
)

// boundWords bounds what a logger writes.
var boundWords = ctrlzap.RawZapOpts(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return boundedCore{core} }))

// setLogger has everything that logs, Kubernetes' client library included, write through one logger whose words are bounded.
func setLogger(level zapcore.Level, development bool) {
	ctrl.SetLogger(ctrlzap.New(ctrlzap.UseDevMode(development), ctrlzap.Level(level), ctrlzap.StacktraceLevel(zapcore.PanicLevel), boundWords))
	klog.SetLogger(ctrl.Log.WithName("client-go"))
}

// sourceStarts is what controller-runtime says of each watch at the start. Of those that are functions it knows the address alone, which
// tells nobody anything.
const sourceStarts = "Starting EventSource"

// boundedCore cuts and cleans what it is given: an error of the API server quotes the object that it refused, which others wrote. No
// place that logs has to think of that.
type boundedCore struct{ zapcore.Core }

// With implements [zapcore.Core].
func (c boundedCore) With(fields []zapcore.Field) zapcore.Core {
	return boundedCore{c.Core.With(bounded(fields))}
}

// Check implements [zapcore.Core].
func (c boundedCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if entry.Message == sourceStarts && !c.Enabled(zapcore.DebugLevel) {
		return checked
	}
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write implements [zapcore.Core].
func (c boundedCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message = foreign.Message(entry.Message)
	return c.Core.Write(entry, bounded(fields))
}

func bounded(fields []zapcore.Field) []zapcore.Field {
	kept := make([]zapcore.Field, 0, len(fields))
	for _, field := range fields {
		kept = append(kept, boundedField(field))
	}
	return kept
}

// boundedField leaves numbers, times and the operator's own stacks as they are.
func boundedField(field zapcore.Field) zapcore.Field {
	if field.Key == watchdog.StacksKey {
		return field
	}
	switch field.Type {
	case zapcore.StringType:
		field.String = foreign.Message(field.String)
	case zapcore.ErrorType, zapcore.StringerType, zapcore.ReflectType, zapcore.ByteStringType, zapcore.BinaryType,
		zapcore.ArrayMarshalerType, zapcore.ObjectMarshalerType, zapcore.InlineMarshalerType:
		return boundedValue(field)
	}
	return field
}

// boundedValue is a value as text, unless it is short: then it keeps its form. Of Kubernetes' objects controller-runtime writes the
// name alone.
func boundedValue(field zapcore.Field) zapcore.Field {
	switch value := field.Interface.(type) {
	case runtime.Object, types.NamespacedName, *types.NamespacedName, nil:
		return field
	case error, fmt.Stringer:
		return zap.String(field.Key, foreign.Message(fmt.Sprint(value))) // which survives a nil pointer
	case []byte:
		return zap.String(field.Key, foreign.Message(string(value)))
	default:
		encoded, err := json.Marshal(value)
		if err != nil || len(encoded) > foreign.MessageLength || bytes.ContainsRune(encoded, '\\') { // an escape: a control character, perhaps
			return zap.String(field.Key, foreign.Message(string(encoded)))
		}
		return field
	}
}

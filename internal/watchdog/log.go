package watchdog

import (
	"slices"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// logWith is a logger that adds keys and values to each line when it is written. Most requests are looked at without a word, and to
// prepare a logger for each costs more than such a look.
func logWith(about func() []any) logr.Logger {
	return logr.New(lateSink{ctrl.Log.GetSink(), about, nil})
}

// lateSink keeps what the lines of a logger name until one is written: what they are about, and values that were added.
type lateSink struct {
	logr.LogSink
	about  func() []any
	values []any
}

// Init implements [logr.LogSink]. The sink that writes was told before.
func (lateSink) Init(logr.RuntimeInfo) {}

// Info implements [logr.LogSink].
func (s lateSink) Info(level int, message string, values ...any) {
	s.LogSink.Info(level, message, slices.Concat(s.about(), s.values, values)...)
}

// Error implements [logr.LogSink].
func (s lateSink) Error(err error, message string, values ...any) {
	s.LogSink.Error(err, message, slices.Concat(s.about(), s.values, values)...)
}

// WithValues implements [logr.LogSink].
func (s lateSink) WithValues(values ...any) logr.LogSink {
	return lateSink{s.LogSink, s.about, slices.Concat(s.values, values)}
}

// WithName implements [logr.LogSink].
func (s lateSink) WithName(name string) logr.LogSink {
	return lateSink{s.LogSink.WithName(name), s.about, s.values}
}

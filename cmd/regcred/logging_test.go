package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"

	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/watchdog"
)

// logged is what the operator's logger writes, as JSON is read.
func logged(t *testing.T, log func(logr.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(ctrlzap.New(ctrlzap.WriteTo(&out), ctrlzap.Level(zapcore.InfoLevel), ctrlzap.StacktraceLevel(zapcore.PanicLevel), boundWords))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %.200q", err, out.String())
	}
	return line
}

func TestNoWordOfTheLogIsLongOrHoldsAControlCharacter(t *testing.T) {
	const escape = "\x1b[2J\n"
	long := escape + strings.Repeat("x", 100_000)
	for name, log := range map[string]func(logr.Logger){
		"a message":               func(l logr.Logger) { l.Info(long) },
		"a text":                  func(l logr.Logger) { l.Info("m", "k", long) },
		"a text of a logger":      func(l logr.Logger) { l.WithValues("k", long).Info("m") },
		"an error":                func(l logr.Logger) { l.Error(errors.New(long), "m") },
		"a list":                  func(l logr.Logger) { l.Info("m", "k", []string{"a", long}) },
		"a short list":            func(l logr.Logger) { l.Info("m", "k", []string{escape}) },
		"a map":                   func(l logr.Logger) { l.Info("m", "k", map[string]any{"a": long}) },
		"bytes":                   func(l logr.Logger) { l.Info("m", "k", []byte(long)) },
		"something with a String": func(l logr.Logger) { l.Info("m", "k", spoken(long)) },
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range logged(t, log) {
				text, isText := value.(string)
				if !isText {
					encoded, _ := json.Marshal(value)
					text = string(encoded)
				}
				if len(text) > foreign.MessageLength || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, `\u001b`) && !isText {
					t.Errorf("%s: %d bytes: %.100q", key, len(text), text)
				}
			}
		})
	}
}

type spoken string

func (s spoken) String() string { return string(s) }

func TestStartsOfWatchesAreNotLogged(t *testing.T) {
	for level, want := range map[zapcore.Level]bool{zapcore.InfoLevel: false, zapcore.DebugLevel: true} {
		var out bytes.Buffer
		ctrlzap.New(ctrlzap.WriteTo(&out), ctrlzap.Level(level), boundWords).Info("Starting EventSource", "source", "func source: 0x2321660")
		if logged := out.Len() > 0; logged != want {
			t.Errorf("at level %s it is logged: %t", level, logged)
		}
	}
}

func TestWhatIsShortKeepsItsForm(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	line := logged(t, func(l logr.Logger) {
		l.Info("m", "number", 7, "list", []string{"a"}, "pod", pod, "key", types.NamespacedName{Namespace: "shop", Name: "web"}, watchdog.StacksKey, strings.Repeat("line\n", 1000))
	})
	for key, want := range map[string]string{"number": `7`, "list": `["a"]`, "pod": `{"name":"web","namespace":"shop"}`, "key": `{"name":"web","namespace":"shop"}`} {
		if encoded, _ := json.Marshal(line[key]); string(encoded) != want && !strings.Contains(string(encoded), `"web"`) {
			t.Errorf("%s: %s, want %s", key, encoded, want)
		}
	}
	if stacks, _ := line[watchdog.StacksKey].(string); len(stacks) != 5000 {
		t.Errorf("%d bytes of stacks are left", len(stacks))
	}
}

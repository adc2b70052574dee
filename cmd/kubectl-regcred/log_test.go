package main

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestALogThatNobodySetShowsNoStackAfterHalfAMinute(t *testing.T) {
	if _, set := log.Log.WithName("any").GetSink().(log.NullLogSink); !set {
		t.Error("no logger is set")
	}
}

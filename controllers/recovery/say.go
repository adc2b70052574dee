package recovery

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"regcred.dev/regcred/internal/diagnosis"
)

// maxNote is the longest note of an event, in bytes (events.k8s.io/v1).
const maxNote = 1000

// say tells people at the pod what was seen of it, once, and only of pods whose registry is regcred's business.
func (r *Reconciler) say(ctx context.Context, g gathered, verdict diagnosis.Verdict) {
	if !r.memories.news(client.ObjectKeyFromObject(g.Pod), g.Pod.UID, verdict) {
		return
	}
	r.metrics().Decided(string(verdict.Action), string(verdict.Reason))
	log.FromContext(ctx).V(1).Info("Looked at a stuck pod", "action", verdict.Action, "reason", verdict.Reason, "message", verdict.Message)
	if verdict.RepullRefused && verdict.Action == diagnosis.Wait {
		r.event(g.Pod, corev1.EventTypeWarning, diagnosis.ActionForbidden, diagnosis.Repull, verdict.Text())
	}
	if verdict.Action != diagnosis.Report || len(verdict.Credentials()) == 0 {
		return
	}
	kind := corev1.EventTypeWarning
	if verdict.Reason == diagnosis.ReportOnly {
		kind = corev1.EventTypeNormal
	}
	r.event(g.Pod, kind, verdict.Reason, verdict.Action, verdict.Text())
}

// announce tells people at the pod what is about to be done.
func (r *Reconciler) announce(g gathered, verdict diagnosis.Verdict) {
	if r.memories.news(client.ObjectKeyFromObject(g.Pod), g.Pod.UID, verdict) {
		r.event(g.Pod, corev1.EventTypeNormal, verdict.Reason, verdict.Action, doing[verdict.Action]+verdict.Message)
	}
}

// doing and did say what is done about a pod: kubectl shows no action of an event.
var (
	doing = map[diagnosis.Action]string{
		diagnosis.Restart: "this pod is deleted, so that its owner creates another: ",
		diagnosis.Repull:  "its image is pinned to its digest, so that the kubelet pulls at once: ",
	}
	did = map[diagnosis.Action]string{diagnosis.Restart: "was deleted, so that its owner creates another", diagnosis.Repull: "pulls again"}
)

// done tells people at the top owner what was done: a deleted pod's own events are hard to find.
func (r *Reconciler) done(ctx context.Context, g gathered, verdict diagnosis.Verdict) {
	r.metrics().Decided(string(verdict.Action), string(verdict.Reason))
	log.FromContext(ctx).Info("Cured a stuck pod", "action", verdict.Action, "reason", verdict.Reason, "message", verdict.Message)
	if owner := g.top(); owner != nil {
		r.event(owner, corev1.EventTypeNormal, verdict.Reason, verdict.Action, "pod "+g.Pod.Name+" "+did[verdict.Action]+": "+verdict.Message)
	}
}

func (r *Reconciler) event(object client.Object, kind string, reason diagnosis.Reason, action diagnosis.Action, message string) {
	if len(message) > maxNote {
		message = strings.ToValidUTF8(message[:maxNote], "") + " ..."
	}
	r.Events.Eventf(object, nil, kind, string(reason), string(action), "%s", message)
}

func (r *Reconciler) metrics() Metrics {
	if r.Metrics == nil {
		return noMetrics{}
	}
	return r.Metrics
}

type noMetrics struct{}

func (noMetrics) Decided(string, string)          {}
func (noMetrics) Recovered(string, time.Duration) {}

// longest is for how long anything is remembered that was refused or answered. Who asks may have looked at the clock a little before that was noted.
const longest = max(refusedAgain, badFor, maxRetryAfter) + time.Minute

// toCome reports whether an end is to come. One that lies further ahead than any was noted by a clock that was set back since.
func toCome(end, now time.Time) bool {
	left := end.Sub(now)
	return left > 0 && left <= longest
}

// refusal remembers for a while that the API server does not allow something.
type refusal struct {
	mu    sync.Mutex
	until time.Time
}

func (f *refusal) set(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until = now.Add(refusedAgain)
}

func (f *refusal) holds(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return toCome(f.until, now)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/supportbundle"
	"regcred.dev/regcred/internal/version"
)

// reporter is under what name the operator writes events.
const reporter = "regcred"

// eventsBundled are the latest of a namespace that are in a bundle.
const eventsBundled = 500

// bundle gathers what is in a support bundle besides the facts.
func (g *gathering) bundle(ctx context.Context, facts checkup.Facts) supportbundle.Contents {
	c := supportbundle.Contents{Now: g.now().UTC(), Plugin: version.Get().String(), Server: g.server, Facts: facts}
	var pods corev1.PodList
	err := g.client.List(ctx, &pods, client.InNamespace(g.namespace), client.MatchingLabels{"app.kubernetes.io/name": "regcred"}, client.Limit(othersAtOnce))
	for i := range pods.Items {
		c.Pods = append(c.Pods, podFacts(&pods.Items[i]))
	}
	c.Notes = noteUnread(c.Notes, err, "pods in namespace "+g.namespace)
	for _, namespace := range []string{metav1.NamespaceDefault, g.namespace} {
		events, err := latestEvents(ctx, g.client, namespace, client.MatchingFields{"reportingComponent": reporter}, eventsBundled)
		for i := range events {
			e := &events[i]
			c.Events = append(c.Events, supportbundle.Event{Time: timeOfEvent(e), Kind: foreign.Name(e.InvolvedObject.Kind), Name: foreign.Name(e.InvolvedObject.Name),
				Type: foreign.Name(e.Type), Reason: foreign.Name(e.Reason), Message: foreign.Message(e.Message)})
		}
		c.Notes = noteUnread(c.Notes, err, "events in namespace "+namespace)
	}
	return c
}

// noteUnread says that something could not be read. A bundle of what could is worth having.
func noteUnread(notes []string, err error, what string) []string {
	switch {
	case err == nil:
		return notes
	case apierrors.IsForbidden(err):
		return append(notes, "you may not list "+what)
	}
	return append(notes, "list "+what+": "+foreign.Message(err.Error()))
}

func podFacts(pod *corev1.Pod) supportbundle.Pod {
	p := supportbundle.Pod{Name: foreign.Name(pod.Name), Phase: string(pod.Status.Phase)}
	for _, c := range pod.Status.Conditions {
		p.Ready = p.Ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	}
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		p.Restarts += status.RestartCount
		if status.State.Waiting != nil {
			p.Waiting = foreign.Name(status.State.Waiting.Reason)
		}
		if ended := status.LastTerminationState.Terminated; ended != nil {
			p.Ended = foreign.Name(fmt.Sprintf("%s, exit code %d", ended.Reason, ended.ExitCode))
		}
	}
	return p
}

// writeBundle writes a new file that nobody else can read. One that is there is left alone.
func writeBundle(path string, c supportbundle.Contents) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("--support-bundle: %s is there already: choose another name", foreign.Text(path, maxMessage))
	}
	if err != nil {
		return fmt.Errorf("--support-bundle: %w", err)
	}
	if err := errors.Join(supportbundle.Write(file, c), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("--support-bundle: %w", err), os.Remove(path))
	}
	return nil
}

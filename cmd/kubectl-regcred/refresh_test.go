package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/test/inmemory"
)

// requested is a RegistryCredential whose refresh "now" was asked for, of which the operator answered a request.
func requested(answered string, conditions ...metav1.Condition) *v1alpha1.RegistryCredential {
	object := &v1alpha1.RegistryCredential{ObjectMeta: metav1.ObjectMeta{Name: "company", Generation: 2, Annotations: map[string]string{v1alpha1.RefreshRequestedAtAnnotation: "now"}},
		Status: v1alpha1.RegistryCredentialStatus{ObservedGeneration: 2, LastHandledRefresh: answered, Credential: &v1alpha1.CredentialStatus{Revision: "7"}}}
	object.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionCredentialAvailable, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRead, Message: "good"},
		{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, Message: "good"},
		{Type: v1alpha1.ConditionRotationComplete, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonOldRefused, Message: "it is everywhere"},
	}
	for _, c := range conditions {
		for i := range object.Status.Conditions {
			if object.Status.Conditions[i].Type == c.Type {
				object.Status.Conditions[i] = c
			}
		}
	}
	return object
}

func watched(object *v1alpha1.RegistryCredential) client.WithWatch {
	return inmemory.ClusterOf(scheme).WithObjects(object).WithStatusSubresource(object).
		WithIndex(object, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).Build()
}

func TestARefreshEndsWithTheExitCodeOfWhatCameOfIt(t *testing.T) {
	unread := func(reason string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionCredentialAvailable, Status: metav1.ConditionFalse, Reason: reason, Message: "the source's words"}
	}
	for _, test := range []struct {
		name    string
		object  *v1alpha1.RegistryCredential
		waits   bool
		code    int
		says    string
		printed string
	}{
		{"every namespace has the value", requested("now"), false, 0, "", "Delivered: it is everywhere"},
		{"the operator answers that a key is missing", requested("now", unread(v1alpha1.ReasonKeyMissing)), false, exitProblem, "does not go on: KeyMissing: the source's words", ""},
		{"the operator does not answer, and could not read the source before", requested("before", unread(v1alpha1.ReasonSecretNotFound)), true, exitProblem,
			"SecretNotFound: the source's words", "s  Requested: waiting for the operator, which last could not read the source: SecretNotFound"},
		{"Vault is away for as long as it waits", requested("now", unread(v1alpha1.ReasonUnavailable)), true, exitProblem, "not done within 50ms: Unavailable: the source's words", "Read: Unavailable"},
		{"the operator does not answer", requested("before"), true, exitTimeout, "not done within 50ms: waiting for the operator. Whether it runs, says: kubectl regcred doctor", "s  Requested: waiting for the operator\n"},
		{"the registry is asked for as long as it waits", requested("now", metav1.Condition{Type: v1alpha1.ConditionRotationComplete, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProgressing}),
			true, exitTimeout, "the registry is asked about now", "Read: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where the time goes on once all that can be done is done
				var out bytes.Buffer
				r := &refresh{timeout: time.Hour, output: "text"}
				if test.waits {
					r.timeout = 50 * time.Millisecond
				}
				o := &outcome{Name: "company", Request: "now"}
				err := r.follow(t.Context(), watched(test.object), &writer{out: &out}, o)
				switch {
				case test.code == 0 && err != nil, test.code != 0 && (err == nil || exitCode(err) != test.code || !strings.Contains(err.Error(), test.says)):
					t.Errorf("it ends with %v", err)
				case !strings.Contains(out.String(), test.printed), strings.Contains(out.String(), "did not answer"), err != nil && strings.Contains(err.Error(), "did not answer"):
					t.Errorf("%v; it prints %s", err, out.String())
				}
				if o.Failed != (test.code == exitProblem) {
					t.Errorf("failed: %t", o.Failed)
				}
			})
		})
	}
}

func TestARefreshSaysWhetherTheSourceHadANewValue(t *testing.T) {
	then := metav1.NewTime(noon)
	later := metav1.NewTime(noon.Add(time.Minute))
	for _, test := range []struct {
		name     string
		before   string
		changed  *metav1.Time
		revision string
		changes  *metav1.Time
		want     string
	}{
		{"there was none", "", nil, "8", &then, "revision 8 is in use"},
		{"it has the same", "7", &then, "7", &then, "the source still has revision 7"},
		{"it has another", "7", &then, "8", &later, "revision 8 took the place of 7"},
		{"the same password was stored again", "7", &then, "8", &then, "user name and password of revision 8 are the same as before, in revision 7: nothing to rotate"},
		{"nobody knows when it was published", "7", nil, "8", nil, "revision 8 took the place of 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := requested("now")
			object.Status.Credential = &v1alpha1.CredentialStatus{Revision: test.revision, ChangeTime: test.changes}
			o := &outcome{Name: "company", Request: "now", RevisionBefore: test.before, changedBefore: test.changed}
			if err := (&refresh{timeout: time.Hour, output: "text"}).follow(t.Context(), watched(object), &writer{out: &bytes.Buffer{}}, o); err != nil {
				t.Fatal(err)
			}
			if got := o.rotated(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Two jobs that ask at the same time are both right, and neither needs a person.
func TestARefreshThatAnotherOneOvertakesIsFollowedByThat(t *testing.T) {
	for _, test := range []struct {
		name, asked, annotation, answered string
		waits                             bool
		says                              string
	}{
		{"somebody asked later, and the operator answered that", "before", "later", "later", false, ""},
		{"somebody asked later, and the operator answered what was asked before", "before", "later", "now", false, ""},
		{"somebody asked later, and the operator did not answer", "before", "later", "before", true, "not done within"},
		{"somebody asked first, and the operator answered that", "before", "now", "before", true, "not done within"},
		{"a tool puts the request before back, which was answered", "before", "before", "before", false, "a tool that reverts changes"},
		{"a tool takes the request away", "", "", "before", false, "a tool that reverts changes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := requested(test.answered)
			object.Annotations[v1alpha1.RefreshRequestedAtAnnotation] = test.annotation
			r := &refresh{timeout: time.Hour, output: "text"}
			if test.waits {
				r.timeout = 50 * time.Millisecond
			}
			o := &outcome{Name: "company", Request: "now", asked: test.asked}
			err := r.follow(t.Context(), watched(object), &writer{out: &bytes.Buffer{}}, o)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) || o.Request != "now" {
				t.Errorf("it ends with %v; the request is %q", err, o.Request)
			}
		})
	}
}

func TestWhoDoesNotWaitIsToldThatNothingIsRead(t *testing.T) {
	for name, test := range map[string]struct {
		o    outcome
		says bool
	}{"it is read": {outcome{Name: "company"}, false}, "it is suspended": {outcome{Name: "company", Failed: true, Message: "spec.suspend is true"}, true}} {
		var out bytes.Buffer
		test.o.requested(&writer{out: &out})
		if !strings.Contains(out.String(), "status company -w") || strings.Contains(out.String(), "does not go on: spec.suspend is true") != test.says {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

// The operator knows a request by its value: of two within a second the second one has to be another.
func TestEachRefreshIsARequestOfItsOwn(t *testing.T) {
	object := requested("before")
	object.TypeMeta = metav1.TypeMeta{Kind: "RegistryCredential", APIVersion: v1alpha1.GroupVersion.String()}
	object.Status.Pods = &v1alpha1.PodsStatus{Stuck: 3}
	var asked []string
	s := &apiServer{answers: func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/registrycredentials/company") {
			return false
		}
		if r.Method == http.MethodPatch {
			var patch struct {
				Metadata struct{ Annotations map[string]string }
			}
			if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
				t.Error(err)
			}
			object.Annotations = patch.Metadata.Annotations
			asked = append(asked, object.Annotations[v1alpha1.RefreshRequestedAtAnnotation])
		}
		answer(w, http.StatusOK, object)
		return true
	}}
	r := &refresh{access: s.start(t), output: "json"}
	for i := range 3 {
		var out bytes.Buffer
		var said outcome
		if err := errors.Join(r.run(t.Context(), &out, "company"), json.Unmarshal(out.Bytes(), &said)); err != nil {
			t.Fatal(err)
		}
		if len(asked) != i+1 || said.Request != asked[i] || said.RevisionBefore != "7" || said.StuckBefore != 3 || said.StuckPods != 3 {
			t.Errorf("asked is %q, and said %+v", asked, said)
		}
	}
	if slices.Sort(asked); len(slices.Compact(asked)) != 3 {
		t.Errorf("two requests are the same: %q", asked)
	}
}

// Pods come to be stuck while a refresh is under way, too.
func TestARefreshTellsOfTheMostPodsThatCouldNotPull(t *testing.T) {
	for before, want := range map[int32]int32{0: 3, 2: 3, 5: 5} {
		object := requested("now")
		object.Status.Pods = &v1alpha1.PodsStatus{Stuck: 3}
		o := &outcome{Name: "company", Request: "now", StuckBefore: before, StuckPods: before}
		err := (&refresh{timeout: time.Hour, output: "text"}).follow(t.Context(), watched(object), &writer{out: &bytes.Buffer{}}, o)
		if err != nil || o.StuckBefore != want || o.StuckPods != 3 {
			t.Errorf("%d could not pull at first: %v, %d before, %d now", before, err, o.StuckBefore, o.StuckPods)
		}
	}
}

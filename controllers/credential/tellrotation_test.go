package credential

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/announce"
)

func TestEventsTellOfARotation(t *testing.T) {
	status := func(revision, reason string) *v1alpha1.RegistryCredentialStatus {
		s := &v1alpha1.RegistryCredentialStatus{Namespaces: &v1alpha1.NamespacesStatus{Selected: 13, Synced: 13}}
		if revision != "1" && revision != "" {
			before := map[bool]string{true: "2", false: "1"}[revision == "4"]
			s.Previous = &v1alpha1.PreviousStatus{Revision: before, ReplacedTime: &metav1.Time{Time: time.Unix(200, 0)}}
		}
		if revision != "" {
			published := map[string]int64{"1": 100, "2": 200, "3, with the value of 2": 200, "4": 400}[revision]
			s.Credential = &v1alpha1.CredentialStatus{Revision: revision, ChangeTime: &metav1.Time{Time: time.Unix(published, 0)}}
		}
		if reason != "" {
			s.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRotationComplete, Status: metav1.ConditionFalse, Reason: reason, Message: "what it says"}}
		}
		return s
	}
	delivering, accepted, refused := status("2", v1alpha1.ReasonDelivering), status("2", v1alpha1.ReasonOldAccepted), status("2", v1alpha1.ReasonOldRefused)
	nowhere := accepted.DeepCopy()
	nowhere.Namespaces = &v1alpha1.NamespacesStatus{}
	for _, test := range []struct {
		name string
		said []*v1alpha1.RegistryCredentialStatus
		want []string
	}{
		{"the first value", []*v1alpha1.RegistryCredentialStatus{{}, status("1", v1alpha1.ReasonDelivering), status("1", v1alpha1.ReasonFirstValue)}, []string{"Delivered revision 1 is in all 13"}},
		{"a rotation to its end", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), delivering, accepted, refused}, []string{"Delivered revision 2", "OldRefused what it says"}},
		{"a rotation that one status tells of", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), refused}, []string{"Delivered revision 2", "OldRefused what it says"}},
		{"a namespace that comes later", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), accepted, delivering, accepted}, []string{"Delivered revision 2"}},
		{"a rotation that another process began", []*v1alpha1.RegistryCredentialStatus{delivering, accepted}, nil},
		{"the same value under a new revision", []*v1alpha1.RegistryCredentialStatus{refused, status("3, with the value of 2", v1alpha1.ReasonDelivering), status("3, with the value of 2", v1alpha1.ReasonOldRefused)}, nil},
		{"a namespace that comes after the end of a rotation", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), delivering, refused, delivering, refused},
			[]string{"Delivered revision 2", "OldRefused what it says"}},
		{"one rotation after the other", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), refused, status("4", v1alpha1.ReasonDelivering), status("4", v1alpha1.ReasonOldRefused)},
			[]string{"Delivered revision 2", "OldRefused what it says", "Delivered revision 4", "OldRefused what it says"}},
		{"one rotation after the other, and each status is of an end", []*v1alpha1.RegistryCredentialStatus{refused, status("4", v1alpha1.ReasonOldEnded)}, []string{"Delivered revision 4", "OldEnded what it says"}},
		{"no namespace is selected, and one is later", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), nowhere, delivering, accepted}, []string{"Delivered revision 2"}},
		{"no namespace is selected", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), nowhere, nowhere}, nil},
		{"a value of which the registry says nothing", []*v1alpha1.RegistryCredentialStatus{status("1", v1alpha1.ReasonFirstValue), delivering, status("2", v1alpha1.ReasonUnproven), accepted, refused},
			[]string{"Delivered revision 2", "OldRefused what it says"}},
		{"nothing is published", []*v1alpha1.RegistryCredentialStatus{{}, status("", v1alpha1.ReasonNothingPublished)}, nil},
		{"a status that was lost is written anew", []*v1alpha1.RegistryCredentialStatus{{}, refused}, []string{"Delivered revision 2"}},
		{"nothing changes", []*v1alpha1.RegistryCredentialStatus{refused, refused}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			r := &Reconciler{Events: announce.New(recorder), Now: time.Now}
			f := &facts{run: &run{object: &v1alpha1.RegistryCredential{}, memory: &memory{}}}
			f.run.state.ChangeTime = time.Now()
			for i := range test.said[1:] {
				f.summary.Selected = 0
				if n := test.said[i+1].Namespaces; n != nil {
					f.summary.Selected = int(n.Selected)
				}
				r.tellOfRotation(f, test.said[i], test.said[i+1])
			}
			saysOnly(t, recorder, test.want)
		})
	}
}

// saysOnly fails where other events were told than those that contain these words.
func saysOnly(t *testing.T, recorder *events.FakeRecorder, want []string) {
	t.Helper()
	close(recorder.Events)
	var got []string
	for event := range recorder.Events {
		got = append(got, event)
	}
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("told %q, want %q", got, want)
	}
}

package overview

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Row is one RegistryCredential in a table. Its JSON form is stable. It holds no secret.
type Row struct {
	Name string `json:"name"`
	// Ready is True, False or Unknown.
	Ready metav1.ConditionStatus `json:"ready"`
	// Synced of Selected namespaces have the value in use.
	Synced   int32 `json:"synced"`
	Selected int32 `json:"selected"`
	// Revision is the source's own name for the value in use, ChangeTime when it was published. Empty where nothing was.
	Revision   string     `json:"revision,omitempty"`
	ChangeTime *time.Time `json:"changeTime,omitempty"`
	Source     Source     `json:"source"`
	// ExpireTime is when the value ends, nil where that is not known.
	ExpireTime *time.Time `json:"expireTime,omitempty"`
	// StuckPods lack the credential. PodsAtRisk run and could not pull on another node; nil where that is not counted.
	StuckPods  int32  `json:"stuckPods"`
	PodsAtRisk *int32 `json:"podsAtRisk,omitempty"`
	// Problem is the gravest thing that is wrong, in one line. Empty where nothing is.
	Problem string `json:"problem,omitempty"`
}

// Source says how reads of the source go.
type Source struct {
	// Usable is whether the last read gave a usable credential, and since when that is so.
	Usable metav1.ConditionStatus `json:"usable"`
	Reason string                 `json:"reason"`
	Since  *time.Time             `json:"since,omitempty"`
	// PeriodSeconds is how often it is read.
	PeriodSeconds int64 `json:"periodSeconds"`
	Suspended     bool  `json:"suspended,omitempty"`
	// Made says that each read makes a credential, so that it is read, or its lease renewed, when that nears its end.
	Made bool `json:"made,omitempty"`
}

// RowOf is a RegistryCredential in a table at a time.
func RowOf(object *v1alpha1.RegistryCredential, now time.Time) Row {
	status := &object.Status
	row := Row{
		Name: object.Name, Ready: statusOf(status.Conditions, v1alpha1.ConditionReady), Source: sourceOf(object),
		Problem: foreign.Message(problemOf(object, now)),
	}
	if c := status.Credential; c != nil {
		row.Revision, row.ChangeTime, row.ExpireTime = foreign.Name(c.Revision), timeOf(c.ChangeTime), timeOf(c.ExpireTime)
	}
	if n := status.Namespaces; n != nil {
		row.Synced, row.Selected = n.Synced, n.Selected
	}
	if p := status.Pods; p != nil {
		row.StuckPods, row.PodsAtRisk = p.Stuck, p.AtRisk
	}
	return row
}

func sourceOf(object *v1alpha1.RegistryCredential) Source {
	s := Source{
		Usable: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing,
		PeriodSeconds: int64(object.Spec.RefreshPeriod() / time.Second), Suspended: object.Spec.Suspend,
	}
	if vault, value := object.Spec.Source.Vault, object.Status.Credential; vault != nil && value != nil {
		s.Made = (vault.EngineKind() == v1alpha1.EngineDynamic || vault.Exchange != nil) && !value.ExpireTime.IsZero()
	}
	if c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionCredentialAvailable); c != nil {
		s.Usable, s.Reason, s.Since = c.Status, foreign.Name(c.Reason), timeOf(&c.LastTransitionTime)
	}
	return s
}

// statusOf is the status of a condition, Unknown where it is not there.
func statusOf(conditions []metav1.Condition, kind string) metav1.ConditionStatus {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		return cmp.Or(c.Status, metav1.ConditionUnknown)
	}
	return metav1.ConditionUnknown
}

func timeOf(t *metav1.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

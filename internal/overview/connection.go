package overview

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
)

// Connection is one VaultConnection in a table. Its JSON form is stable. It holds no secret.
type Connection struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Ready is True, False or Unknown.
	Ready metav1.ConditionStatus `json:"ready"`
	// Method is the login method. LoginTime is when the last login succeeded, NextLoginTime when the next one is tried while they are refused,
	// and TokenExpireTime when a token ends that a person must replace. Nil where that is not known.
	Method          string     `json:"method,omitempty"`
	LoginTime       *time.Time `json:"loginTime,omitempty"`
	NextLoginTime   *time.Time `json:"nextLoginTime,omitempty"`
	TokenExpireTime *time.Time `json:"tokenExpireTime,omitempty"`
	// UsedBy is how many RegistryCredentials name it, nil where they were not counted yet.
	UsedBy        *int32 `json:"usedBy,omitempty"`
	ServerVersion string `json:"serverVersion,omitempty"`
	// Problem is the gravest thing that is wrong, in one line. Empty where nothing is.
	Problem string `json:"problem,omitempty"`
}

// ConnectionOf is a VaultConnection in a table at a time.
func ConnectionOf(object *v1alpha1.VaultConnection, now time.Time) Connection {
	status := &object.Status
	return Connection{
		Name: object.Name, Address: foreign.Name(object.Spec.Address), Ready: statusOf(status.Conditions, v1alpha1.ConditionReady),
		Method: foreign.Name(status.Method), LoginTime: timeOf(status.LoginTime), NextLoginTime: timeOf(status.NextLoginTime),
		TokenExpireTime: timeOf(status.TokenExpireTime), UsedBy: status.UsedBy, ServerVersion: foreign.Name(status.ServerVersion),
		Problem: foreign.Message(problemOfConnection(object, now)),
	}
}

// problemOfConnection is the gravest thing that is wrong with a VaultConnection and what to do about it, or nothing.
func problemOfConnection(object *v1alpha1.VaultConnection, now time.Time) string {
	status := &object.Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	switch {
	case status.ObservedGeneration == 0 || ready == nil:
		return "the operator did not look at it yet. If that lasts, ask: kubectl regcred doctor"
	case status.ObservedGeneration < object.Generation:
		return "the spec changed, and the operator did not look at that yet. If that lasts, ask: kubectl regcred doctor"
	case ready.Status != metav1.ConditionTrue:
		return ready.Reason + ": " + ready.Message
	}
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionUnfenced); c != nil && c.Status == metav1.ConditionTrue {
		return c.Reason + ": " + c.Message
	}
	if ends := timeOf(status.TokenExpireTime); ends != nil && ends.Sub(now) < endsSoon {
		return fmt.Sprintf("the token of spec.auth.token ends at %s: store another one in its Secret before", ends.Format(time.RFC3339))
	}
	return ""
}

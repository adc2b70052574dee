package overview_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/foreign"
	"regcred.dev/regcred/internal/overview"
)

// connected is a VaultConnection with which all is well, at noon.
func connected() *v1alpha1.VaultConnection {
	at := func(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }
	return &v1alpha1.VaultConnection{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 2},
		Spec:       v1alpha1.VaultConnectionSpec{Address: "https://vault.company.io:8200"},
		Status: v1alpha1.VaultConnectionStatus{
			ObservedGeneration: 2, ServerVersion: "1.20.4", Method: "token", UsedBy: ptr.To[int32](3),
			LoginTime: at(noon.Add(-time.Hour)), TokenExpireTime: at(noon.Add(30 * 24 * time.Hour)),
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonConnected}},
		},
	}
}

func TestWhatIsWrongWithAConnection(t *testing.T) {
	ready := func(status metav1.ConditionStatus, reason, message string) func(*v1alpha1.VaultConnection) {
		return func(o *v1alpha1.VaultConnection) {
			o.Status.Conditions[0].Status, o.Status.Conditions[0].Reason, o.Status.Conditions[0].Message = status, reason, message
		}
	}
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.VaultConnection)
		want   string
	}{
		{"all is well", func(*v1alpha1.VaultConnection) {}, ""},
		{"nobody looked at it", func(o *v1alpha1.VaultConnection) { o.Status = v1alpha1.VaultConnectionStatus{} }, "did not look at it yet"},
		{"what it says is no operator's", func(o *v1alpha1.VaultConnection) { o.Status.ObservedGeneration = 0 }, "did not look at it yet"},
		{"it lacks the condition that matters", func(o *v1alpha1.VaultConnection) { o.Status.Conditions = nil }, "did not look at it yet"},
		{"the policies are there", func(o *v1alpha1.VaultConnection) {
			o.Status.Conditions = append(o.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionFalse, Reason: "Fenced", Message: "fine"})
		}, ""},
		{"the spec changed since", func(o *v1alpha1.VaultConnection) { o.Generation++ }, "the spec changed"},
		{"the login is refused", ready(metav1.ConditionFalse, v1alpha1.ReasonLoginFailed, "Vault has no such role"), "LoginFailed: Vault has no such role"},
		{"the policies are missing", func(o *v1alpha1.VaultConnection) {
			o.Status.Conditions = append(o.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionUnfenced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPoliciesMissing, Message: "install them"})
		}, "PoliciesMissing: install them"},
		{"its token ends in two days", func(o *v1alpha1.VaultConnection) {
			o.Status.TokenExpireTime = &metav1.Time{Time: noon.Add(48 * time.Hour)}
		}, "ends at 2026-03-03T12:00:00Z: store another one"},
		{"its token ends in as long as nobody is told", func(o *v1alpha1.VaultConnection) {
			o.Status.TokenExpireTime = &metav1.Time{Time: noon.Add(7 * 24 * time.Hour)}
		}, ""},
		{"it has no token that ends", func(o *v1alpha1.VaultConnection) { o.Status.TokenExpireTime = nil }, ""},
		{"what others wrote is cleaned", ready(metav1.ConditionFalse, "x", strings.Repeat("\x1b[2J", 1000)), "x:  [2J"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := connected()
			test.change(object)
			got := overview.ConnectionOf(object, noon).Problem
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || len(got) > foreign.MessageLength {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestAConnectionTellsOfItsLogin(t *testing.T) {
	object := connected()
	object.Status.NextLoginTime = &metav1.Time{Time: noon.Add(time.Minute)}
	c := overview.ConnectionOf(object, noon)
	if c.Name != "default" || c.Address != "https://vault.company.io:8200" || c.Ready != metav1.ConditionTrue || c.Method != "token" || *c.UsedBy != 3 || c.ServerVersion != "1.20.4" {
		t.Errorf("%+v", c)
	}
	if !c.LoginTime.Equal(noon.Add(-time.Hour)) || !c.NextLoginTime.Equal(noon.Add(time.Minute)) || !c.TokenExpireTime.Equal(noon.Add(30*24*time.Hour)) {
		t.Errorf("%+v", c)
	}
}

// The address is a person's, the rest is what a server said.
func TestNothingOfAConnectionActsOnATerminal(t *testing.T) {
	object := connected()
	object.Spec.Address, object.Status.Method, object.Status.ServerVersion = "\x1ba", "\x1bm", "\x1bv"
	if c := overview.ConnectionOf(object, noon); c.Address != " a" || c.Method != " m" || c.ServerVersion != " v" {
		t.Errorf("%+v", c)
	}
}

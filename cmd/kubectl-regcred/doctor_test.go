package main

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"regcred.dev/regcred/internal/checkup"
	"regcred.dev/regcred/test/inmemory"
)

// Where something does not answer, the doctor is asked: what answers is looked at all the same.
func TestTheDoctorTellsWhatItFindsWhereOneQuestionHasNoAnswer(t *testing.T) {
	s := &apiServer{answers: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			refuse(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, "an authorizer is away")
		}
		return r.Method == http.MethodPost
	}}
	var out, complaints bytes.Buffer
	d := &doctor{access: s.start(t), operator: "regcred-system", output: "text", bundle: filepath.Join(t.TempDir(), "support.tar.gz")}
	err := d.run(t.Context(), &out, &complaints)
	if err != nil || !strings.Contains(complaints.String(), "Wrote ") {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	if !strings.Contains(out.String(), "the API server knows RegistryCredential") || !strings.Contains(out.String(), "whether you may list RegistryCredentials") {
		t.Error(out.String())
	}
}

func TestALeaseIsAsOldAsTheAPIServersClockSays(t *testing.T) {
	for name, off := range map[string]time.Duration{"they agree": 0, "this machine is ahead": 10 * time.Minute, "this machine is behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			clock := &serverClock{}
			clock.ahead.Store(int64(off))
			renewed := metav1.NewMicroTime(time.Now().Add(-off - 2*time.Second))
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "regcred-system", Name: operatorLease},
				Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("regcred-1"), LeaseDurationSeconds: ptr.To[int32](15), RenewTime: &renewed}}
			g := &gathering{client: inmemory.ClusterOf(scheme).WithObjects(lease).Build(), namespace: "regcred-system", now: clock.now}
			begun := time.Now()
			found := g.lease(t.Context())
			if age := found.Value.Age; age < time.Second || age > 10*time.Second || time.Since(begun) > renewWithin {
				t.Errorf("it was renewed %s ago, looked at for %s", age, time.Since(begun))
			}
			findings := checkup.Findings(checkup.Facts{Lease: found})
			for _, f := range findings {
				if f.Check == "Leader" && f.Level != checkup.OK && !strings.Contains(f.Message, "no Deployment") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

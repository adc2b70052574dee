package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/dockerconfig"
	"regcred.dev/regcred/internal/records"
)

// resumes goes through what the published revisions are kept for.
func resumes(t *testing.T, rig *deliveryRig) {
	t.Run("with the source down, a restarted operator serves what was published, also to a new namespace", func(t *testing.T) { restartedWithoutSource(t, rig) })
	t.Run("a fan-out that was cut short is completed by the next leader, with the source down", func(t *testing.T) { failover(t, rig) })
	t.Run("a record is written before anything is delivered", func(t *testing.T) { recordFirst(t, rig) })
	t.Run("of two that keep a record, the second must restart from what the first wrote", func(t *testing.T) { storeConflicts(t, rig) })
}

func restartedWithoutSource(t *testing.T, rig *deliveryRig) {
	values := &shelf{}
	first := rig.start(t, runOptions{shelf: values})
	team := rig.team(t, map[string]string{"resume": "yes"})
	values.put("resume", "one")
	rig.credential(t, "resume", "registry.example", withLabels("resume", "yes"))
	eventually(t, "the namespace is served", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	first.stop()

	if err := rig.admin.Delete(t.Context(), theirSecret(team)); err != nil {
		t.Fatal(err)
	}
	values.close(true)
	rig.start(t, runOptions{shelf: values})
	eventually(t, "a Secret that was lost meanwhile is back", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "one") })
	begin := time.Now()
	fresh := rig.team(t, map[string]string{"resume": "yes"})
	eventually(t, "a new namespace is served", func(ctx context.Context) error { return rig.served(ctx, fresh, "registry.example", "one") })
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the new namespace waited for %s", took)
	}
	eventually(t, "the status says that the source is down, and that what is published stays", func(ctx context.Context) error {
		return rig.says(ctx, "resume", v1alpha1.ConditionCredentialAvailable, metav1.ConditionFalse, v1alpha1.ReasonSealed, "stays in use")
	})
}

func failover(t *testing.T, rig *deliveryRig) {
	const count = 60
	values, notes := &shelf{}, &traffic{}
	first := rig.start(t, runOptions{shelf: values, transport: notes.wrap})
	teams := rig.teams(t, count, map[string]string{"failover": "yes"})
	values.put("failover", "one")
	rig.credential(t, "failover", "registry.example", withLabels("failover", "yes"))
	eventually(t, "all are served", func(ctx context.Context) error { return rig.ready(ctx, "failover") })
	before := len(notes.all(everyWriteIn(teams)))
	rig.rotate(t, values, "failover", "two")
	eventually(t, "the fan-out began", func(context.Context) error {
		if len(notes.all(everyWriteIn(teams))) < before+5 {
			return errors.New("not yet")
		}
		return nil
	})
	first.stop()
	values.close(true)
	rig.start(t, runOptions{shelf: values})
	for _, team := range teams {
		eventually(t, "the next one completes it", func(ctx context.Context) error { return rig.served(ctx, team, "registry.example", "two") })
	}
}

func recordFirst(t *testing.T, rig *deliveryRig) {
	values, notes := &shelf{}, &traffic{}
	rig.start(t, runOptions{shelf: values, transport: notes.wrap})
	team := servedTeam(t, rig, values, "resume-first")
	recorded := -1
	for i, w := range notes.all(everyWrite) {
		switch {
		case w.namespace == operatorNamespace && w.resource == "secrets" && w.code == http.StatusCreated:
			recorded = i
		case w.namespace == team && recorded < 0:
			t.Fatalf("%s came before the record", w)
		}
	}
	if recorded < 0 {
		t.Error("no record was written")
	}
}

func storeConflicts(t *testing.T, rig *deliveryRig) {
	clientset, err := kubernetes.NewForConfig(rig.operator)
	if err != nil {
		t.Fatal(err)
	}
	var heardByFirst []string
	first := records.NewStore(clientset.CoreV1(), operatorNamespace, func(name string) { heardByFirst = append(heardByFirst, name) })
	second := records.NewStore(clientset.CoreV1(), operatorNamespace, func(string) {})
	for _, store := range []*records.Store{first, second} {
		if err := store.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { rig.removeCredential(t, "store") })
	save := func(store *records.Store, revision, password string) error {
		login, err := dockerconfig.NewCredential("robot", password)
		if err != nil {
			t.Fatal(err)
		}
		record := store.Get("store")
		record.Credential, record.UID, record.Revision = "store", "uid", revision
		record.Config = dockerconfig.Config{"registry.example": login}
		return store.Save(t.Context(), record)
	}
	const password = "s3cr3t-of-the-robot"
	if err := save(second, "1", password); err != nil {
		t.Fatal(err)
	}
	err = save(first, "0", password)
	if err == nil {
		t.Fatal("the first one did not see what the second wrote, and must not overwrite it")
	}
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), password) {
		t.Error("the error holds the password")
	}
	if got := first.Get("store").Revision; got != "1" {
		t.Errorf("after the conflict it goes on from revision %q, want 1", got)
	}
	if len(heardByFirst) != 1 {
		t.Errorf("what came from elsewhere is told like what it published itself: %v", heardByFirst)
	}
	if err := save(first, "2", password); err != nil {
		t.Errorf("from there on it can publish: %v", err)
	}
	if err := save(second, "3", password); err == nil || second.Get("store").Revision != "2" {
		t.Errorf("and the other one finds out in its turn: %v, revision %s", err, second.Get("store").Revision)
	}
	if err := rig.admin.Delete(t.Context(), pullSecretNamed(operatorNamespace, "regcred-published-store")); err != nil {
		t.Fatal(err)
	}
	if err := save(first, "4", password); err == nil {
		t.Error("an update of what somebody deleted must fail")
	}
	if err := save(first, "4", password); err != nil {
		t.Errorf("and then it is recreated: %v", err)
	}
	for range 2 {
		if err := first.Forget(t.Context(), "store"); err != nil {
			t.Errorf("forgetting twice is forgetting: %v", err)
		}
	}
	third := records.NewStore(clientset.CoreV1(), operatorNamespace, func(string) {})
	if err := third.Load(t.Context()); err != nil || third.Get("store").Published() {
		t.Errorf("what was forgotten is not loaded: %v", err)
	}
}

func pullSecretNamed(namespace, name string) client.Object {
	secret := pullSecret()
	secret.Namespace, secret.Name = namespace, name
	return secret
}

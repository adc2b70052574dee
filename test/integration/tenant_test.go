package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"regcred.dev/regcred/test/box"
)

const (
	// tenantTime is how long the hostile tenant goes on, tenantTimeShort with -short.
	tenantTime, tenantTimeShort = 3 * time.Minute, 45 * time.Second
	// tenantRotations are made without the tenant, and as many while it is at work.
	tenantRotations = 3
	// tenantMemory is the most memory that the operator may have resident, in bytes: a third of its limit in config/manager.
	tenantMemory = 160 << 20
	// unnoticed is what a rotation may take however fast it was before: a second read of a source comes five seconds after the first.
	unnoticed = 8 * time.Second
	// statusDelay is how long after the last Secret a status may be behind, where the API server has the time to answer. Here it shares the
	// processors with the tenant: what that costs a plain client is allowed for. A test waits for statusPatience, and measures.
	statusDelay, statusPatience = 5 * time.Second, time.Minute
)

// TestAHostileTenantHarmsNobody runs the operator's own program while the people of one team do everything that the ClusterRole edit
// allows them, with objects near the limits of the API server: 100 other namespaces get their rotations in at most twice the time, and
// the operator keeps its memory, its probes and its words within bounds. Here the API server, etcd and the tenant share the operator's
// processors. How much slower that alone makes everything is measured by a plain client, and allowed for. It measures time, and so runs
// alone.
func TestAHostileTenantHarmsNobody(t *testing.T) {
	r := startTenantRun(t)
	r.rotateAll(t) // warms up: the first value
	plain := r.makePlainWriter(t)
	var before, during measuredRotations
	for range tenantRotations {
		r.rotateOnce(t, plain, &before)
	}
	t.Logf("measured: rotations without the tenant are everywhere after %s, resident memory %d MiB", before, r.watched.most()>>20)

	length := tenantTime
	if testing.Short() {
		length = tenantTimeShort
	}
	attack := r.attack(t)
	end := time.Now().Add(length)
	r.shrink(t)
	r.leave(t)
	for i := range tenantRotations {
		awaitMoment(t, end.Add(-length*time.Duration(tenantRotations-i)/(tenantRotations+1)))
		r.rotateOnce(t, plain, &during)
	}
	awaitMoment(t, end)
	attack.stop(t)
	t.Logf("measured: rotations beside the tenant are everywhere after %s, resident memory %d MiB at most; the tenant made %s",
		during, r.watched.most()>>20, attack.made())
	checkTimes(t, before, during)
	r.watched.check(t)
	r.checkWords(t)
}

// awaitMoment waits until the time is there: the length of the attack is what the test is about.
func awaitMoment(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(time.Until(at)):
	}
}

// rotateOnce measures a rotation that cures pods, too.
func (r *tenantRun) rotateOnce(t *testing.T, plain *plainWriter, times *measuredRotations) {
	t.Helper()
	victims := r.makeVictims(t)
	before := plain.writeAll(t)
	took, behind := r.rotateAll(t)
	times.add(before, took, behind)
	r.awaitVictims(t, victims)
}

// rotateAll changes the passwords of all credentials, waits until all namespaces hold the new ones, and until each status says so. It
// returns how long the namespaces took, from the write to Vault on, and how long after that the last status was behind.
func (r *tenantRun) rotateAll(t *testing.T) (took, behind time.Duration) {
	t.Helper()
	r.rotations++
	password := fmt.Sprintf("password-%d", r.rotations)
	user := box.User{Name: "robot", Password: password, Pull: []string{""}}
	if err := r.registry.SetUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	versions := make([]int, len(r.credentials))
	begun := time.Now()
	for i, one := range r.credentials {
		version, err := r.vault.WriteKV2(t.Context(), "secret", one.path, map[string]any{"username": user.Name, "password": password})
		if err != nil {
			t.Fatal(err)
		}
		versions[i] = version
	}
	r.requestRefreshes(t, password)
	r.secrets.await(t, r.places(), password)
	took = time.Since(begun).Round(10 * time.Millisecond)
	everywhere := time.Now()
	for i, one := range r.credentials {
		awaitWithin(t, statusPatience, func(ctx context.Context) error { return r.says(ctx, one, versions[i]) })
	}
	return took, time.Since(everywhere).Round(10 * time.Millisecond)
}

// says reports whether the status of a credential speaks of a version at the source, and of each namespace.
func (r *tenantRun) says(ctx context.Context, one tenantCredential, version int) error {
	object, err := r.read(ctx, one.name)
	if err != nil {
		return err
	}
	status := &object.Status
	switch {
	case status.Credential == nil || !strings.HasPrefix(status.Credential.Revision, fmt.Sprint(version, "-")):
		return fmt.Errorf("the status of %s speaks of %+v, want revision %d", one.name, status.Credential, version)
	case status.Namespaces == nil || int(status.Namespaces.Synced) < len(one.selected):
		return fmt.Errorf("the status of %s says %+v, want %d namespaces synced", one.name, status.Namespaces, len(one.selected))
	}
	return nil
}

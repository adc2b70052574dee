package delivery

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"regcred.dev/regcred/api/v1alpha1"
	"regcred.dev/regcred/internal/delivered"
)

// anew deletes the ServiceAccount or the Secret of the first namespace. A ServiceAccount is recreated, as it is by who deploys it.
func (g *rig) anew(kind string, turn int) {
	g.t.Helper()
	if kind == "Secret" {
		if secret := g.secret("n-00000"); secret != nil {
			if err := g.c.Delete(g.t.Context(), secret); err != nil {
				g.t.Fatal(err)
			}
		}
		return
	}
	if err := g.c.Delete(g.t.Context(), g.account()); err != nil {
		g.t.Fatal(err)
	}
	fresh := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "n-00000", Name: "default", UID: types.UID(fmt.Sprint(kind, turn)), CreationTimestamp: metav1.NewTime(g.now)}}
	if err := g.c.Create(g.t.Context(), fresh); err != nil {
		g.t.Fatal(err)
	}
}

// What is deleted in answer to a write is fought over within bounds; what is deleted after it had stood is served again at once, however
// often.
func TestWhatIsDeployedAgainAndAgainIsServedEachTime(t *testing.T) {
	for _, kind := range []string{"ServiceAccount", "Secret"} {
		for _, test := range []struct {
			name      string
			every     time.Duration
			contested bool
		}{
			{"every two minutes", 2 * time.Minute, false},
			{"every half minute", 30 * time.Second, false},
			{"sooner", 29 * time.Second, true},
			{"at once", 0, true},
		} {
			t.Run(kind+" "+test.name, func(t *testing.T) {
				g, _ := delivers(t, nil)
				g.publish(record(t, "company", "2-x", "two", "r.example"))
				served, contested := 0, false
				for turn := range 12 {
					g.anew(kind, turn)
					g.all(1)
					if secret := g.secret("n-00000"); secret != nil && lists(g.account(), "regcred") {
						served++
					}
					d, _ := g.r.Board.At(delivered.Place{Namespace: "n-00000", Name: "regcred"}, "company")
					contested = contested || d.Reason == v1alpha1.ReasonContested
					g.now = g.now.Add(test.every)
				}
				if contested != test.contested || !test.contested && served != 12 || test.contested && served > 5 {
					t.Errorf("it was served %d times of 12; contested is %t", served, contested)
				}
			})
		}
	}
}

// A wait does not turn into another object: only what was there when regcred wrote, and stood, was not deleted for that.
func TestARivalThatIsWaitedForIsStillOne(t *testing.T) {
	for _, kind := range []string{"ServiceAccount", "Secret"} {
		t.Run(kind, func(t *testing.T) {
			g, _ := delivers(t, nil)
			g.publish(record(t, "company", "2-x", "two", "r.example"))
			for turn := range 6 {
				g.anew(kind, turn)
				g.all(1)
				g.now = g.now.Add(time.Second)
			}
			for turn := range 5 {
				g.now = g.now.Add(time.Minute)
				g.anew(kind, 10+turn)
				g.all(1)
				if secret := g.secret("n-00000"); secret != nil && lists(g.account(), "regcred") {
					t.Fatal("it is repaired before ten minutes are over")
				}
			}
			g.now = g.now.Add(6 * time.Minute)
			g.all(1)
			if secret := g.secret("n-00000"); secret == nil || !lists(g.account(), "regcred") {
				t.Error("it is not repaired after ten minutes")
			}
		})
	}
}

// Whoever is waited for holds up nothing that is deployed after him.
func TestADeploymentEndsTheWaitForARival(t *testing.T) {
	g, _ := delivers(t, nil)
	g.anew("ServiceAccount", 0)
	g.all(1)
	g.now = g.now.Add(time.Second)
	for range 6 {
		account := g.account()
		account.ImagePullSecrets = nil
		if err := g.c.Update(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		g.all(1)
	}
	if lists(g.account(), "regcred") {
		t.Fatal("the rival is not waited for")
	}
	g.now = g.now.Add(5 * time.Minute)
	g.all(1)
	g.anew("ServiceAccount", 1)
	g.all(1)
	if !lists(g.account(), "regcred") {
		t.Error("the new ServiceAccount waits for what was done to the old one")
	}
}

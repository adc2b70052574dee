package pullsecret

import (
	"testing"
	"time"
)

// TestContestBoundsRivalsOfAnySpeed simulates a rival that changes the object back so often, from the first write on. The
// writer looks whenever the rival wrote, and again after the wait that it was told.
func TestContestBoundsRivalsOfAnySpeed(t *testing.T) {
	for _, every := range []time.Duration{
		20 * time.Millisecond, time.Second, 7 * time.Second, time.Minute, 3*time.Minute + 20*time.Second, 4 * time.Minute, 9*time.Minute + 59*time.Second, 10 * time.Minute, 25 * time.Minute,
	} {
		for _, patience := range []time.Duration{0, time.Second, 3 * time.Minute} {
			t.Run("every "+every.String()+", the writer being "+patience.String()+" late", func(t *testing.T) {
				writes := simulate(every, patience, 4*time.Hour)
				for i, at := range writes {
					if allowed := 4 + int(at.Sub(noon)/ContestWindow); i+1 > allowed {
						t.Fatalf("%d writes in the first %s: 4, and one for each %s after them, are allowed", i+1, at.Sub(noon), ContestWindow)
					}
					if i >= 4 && at.Sub(writes[i-4]) < ContestWindow {
						t.Fatalf("5 writes within %s, the last at %s", ContestWindow, at.Sub(noon))
					}
				}
				if every <= 4*time.Minute && len(writes) < 20 {
					t.Errorf("%d writes in all: a contested object is still repaired once in %s", len(writes), ContestWindow)
				}
			})
		}
	}
}

// simulate returns the times at which the object was written.
func simulate(every, late, length time.Duration) []time.Time {
	var contest Contest
	writes := []time.Time{noon} // the first is no repair
	right, look := true, time.Time{}
	for now := noon; now.Before(noon.Add(length)); {
		if right {
			now = now.Add(every)
			right, look = false, now.Add(late)
			continue
		}
		now = look
		may, wait := contest.MayRepair(now)
		if may {
			contest.Repaired(now)
			writes, right = append(writes, now), true
			continue
		}
		look = now.Add(max(wait, time.Second))
	}
	return writes
}

func TestPeaceIsRestored(t *testing.T) {
	var contest Contest
	now := noon
	for range ContestReverts {
		if may, _ := contest.MayRepair(now); !may {
			t.Fatal("the first repairs are free")
		}
		contest.Repaired(now)
	}
	may, wait := contest.MayRepair(now)
	if may || wait < ContestWindow || wait > ContestWindow+time.Second {
		t.Fatalf("the next repair is due in %s, want %s", wait, ContestWindow)
	}
	if may, _ := contest.MayRepair(now.Add(wait)); !may {
		t.Error("once the wait is over the repair is due")
	}
	later := now.Add(3 * ContestWindow)
	for range ContestReverts {
		if may, _ := contest.MayRepair(later); !may {
			t.Error("after three windows of peace all is forgotten")
		}
		contest.Repaired(later)
	}
}

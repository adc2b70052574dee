package memo

import (
	"strings"
	"sync"
	"testing"
)

// one is the weight of a value where their number is bounded.
func one(int, int) int { return 1 }

// counted gives twice the key, and counts how often that was computed.
type counted struct {
	memo  *Of[int, int]
	times int
}

func (c *counted) get(key int) int {
	return c.memo.Get(key, func() int { c.times++; return 2 * key })
}

func TestAValueIsComputedOnce(t *testing.T) {
	c := counted{memo: New(4, one)}
	for range 3 {
		if got := c.get(21); got != 42 {
			t.Fatalf("got %d", got)
		}
	}
	if c.times != 1 {
		t.Errorf("it was computed %d times", c.times)
	}
}

func TestNoMoreIsRememberedThanTwiceTheLimit(t *testing.T) {
	const limit = 8
	c := counted{memo: New(limit, one)}
	for key := range 1000 {
		c.get(key)
		if kept := len(c.memo.recent) + len(c.memo.earlier); kept > 2*limit {
			t.Fatalf("after %d keys %d are remembered", key, kept)
		}
	}
	if c.times != 1000 {
		t.Errorf("%d of 1000 were computed", c.times)
	}
}

func TestWhatIsAskedForAgainStaysBesideManyOthers(t *testing.T) {
	const limit = 8
	c := counted{memo: New(limit, one)}
	c.get(-1)
	for key := range 1000 {
		c.get(key)
		if key%(limit/2) == 0 {
			c.get(-1)
		}
	}
	if c.times != 1001 {
		t.Errorf("%d values were computed, want 1001: the one that was asked for again and again was forgotten", c.times)
	}
}

func TestWhatIsRememberedWeighsNoMoreThanTwiceTheBound(t *testing.T) {
	const bound = 800
	memo := New(bound, func(_ int, value string) int { return len(value) })
	weight := func(values map[int]string) (sum int) {
		for _, value := range values {
			sum += len(value)
		}
		return sum
	}
	for key := range 1000 {
		memo.Get(key, func() string { return strings.Repeat("x", key*7%(bound/heaviest+20)) })
		memo.Get(key/2, func() string { return strings.Repeat("x", key/2*7%(bound/heaviest+20)) })
		if kept := weight(memo.recent) + weight(memo.earlier); kept > 2*bound || weight(memo.recent) != memo.weight {
			t.Fatalf("after %d keys %d are remembered, and %d are counted", key, kept, memo.weight)
		}
	}
	memo.Forget()
	for key, length := range map[int]int{1: bound/heaviest + 1, 2: bound / heaviest} {
		memo.Get(key, func() string { return strings.Repeat("x", length) })
		if _, kept := memo.Look(key); kept != (key == 2) {
			t.Errorf("a value of %d is remembered: %t", length, kept)
		}
	}
}

func TestTheZeroValueRemembersNothing(t *testing.T) {
	c := counted{memo: &Of[int, int]{}}
	c.get(1)
	c.get(1)
	if c.times != 2 {
		t.Errorf("computed %d times", c.times)
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	memo := New(16, one)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for key := range 500 {
				if got := memo.Get(key%40, func() int { return key % 40 }); got != key%40 {
					t.Errorf("got %d for %d", got, key%40)
				}
			}
		})
	}
	all.Wait()
}

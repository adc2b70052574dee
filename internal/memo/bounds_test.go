package memo

import "testing"

func TestWhatIsRememberedUpToTheBoundAndUntilItIsForgotten(t *testing.T) {
	m := New(16, func(int, string) int { return 2 })
	computed := 0
	get := func(key int) string {
		return m.Get(key, func() string { computed++; return "value" })
	}
	for key := range 8 { // which weigh just as much as the bound
		get(key)
	}
	if m.earlier != nil || len(m.recent) != 8 || m.weight != 16 {
		t.Errorf("%d are recent, which weigh %d, and %d are earlier", len(m.recent), m.weight, len(m.earlier))
	}
	get(8)
	if len(m.recent) != 1 || len(m.earlier) != 8 || m.weight != 2 {
		t.Errorf("one more: %d are recent, which weigh %d, and %d are earlier", len(m.recent), m.weight, len(m.earlier))
	}
	m.mu.Lock()
	m.keep(8, "another one computed the same")
	m.mu.Unlock()
	if m.weight != 2 || get(8) != "value" || computed != 9 {
		t.Errorf("it weighs %d, and %q is remembered", m.weight, get(8))
	}
	m.Forget()
	if _, known := m.Look(8); known || m.weight != 0 {
		t.Error("it is remembered")
	}
}

package registry

import "testing"

func TestAskingAgainForACanonicalKeyAllocatesNothing(t *testing.T) {
	for _, registry := range []string{"registry.company.io", "https://r.example/v1/", "not a registry"} {
		_, _ = CanonicalKey(registry)
		if again := testing.AllocsPerRun(100, func() { _, _ = CanonicalKey(registry) }); again > 0 {
			t.Errorf("%q: to ask again makes %.0f allocations", registry, again)
		}
	}
}

func BenchmarkCanonicalKey(b *testing.B) {
	for name, ask := range map[string]func(string) (string, error){"again": CanonicalKey, "first": canonicalKey} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ask("registry.company.io/team")
			}
		})
	}
}

package foreign

import "testing"

func TestACommandHoldsOnlyWordsThatMeanNothingElseToAShell(t *testing.T) {
	for _, word := range []string{"nightly", "a.b-c_d", "team/registry", "1"} {
		if got := Command("kubectl delete pod %s", word); got != "kubectl delete pod "+word {
			t.Errorf("%q: %q", word, got)
		}
	}
	for _, word := range []string{"", "a b", "x;id", "$(id)", "`id`", "x'y", `x"y`, "a|b", "a&b", "a>b", "-rf", "--all", "a\nb", "~root", "*", "é", "#x", "a\\"} {
		if got := Command("kubectl delete pod %s", word); got != "" {
			t.Errorf("%q: %q", word, got)
		}
	}
}

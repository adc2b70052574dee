package charttest

import (
	"os"
	"strings"
	"testing"
)

// TestTheAlertsOfTheDocsAreThoseOfTheChart: whoever copies them from the page gets the same as whoever installs the chart.
func TestTheAlertsOfTheDocsAreThoseOfTheChart(t *testing.T) {
	t.Parallel()
	alerts, err := os.ReadFile(chart + "/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```yaml\n"+string(alerts)+"```\n") {
		t.Error("docs/metrics.md does not hold charts/regcred/files/alerts.yaml word for word")
	}
	groups, _ := at(parse(t, append([]byte("kind: Rules\n"), alerts...))["Rules <nil>/<nil>"], "groups").([]any)
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	rules, _ := at(groups[0], "rules").([]any)
	if len(rules) == 0 || len(rules) > 12 {
		t.Errorf("%d alerts: more than 12 are not read by anybody", len(rules))
	}
	for _, rule := range rules {
		if at(rule, "alert") == nil || at(rule, "expr") == nil || at(rule, "annotations", "summary") == nil {
			t.Errorf("an alert lacks a name, an expression or a summary: %v", rule)
		}
	}
}

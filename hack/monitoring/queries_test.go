package monitoring

import (
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// known are the labels of each metric of the operator, as metrics.tsv names them. A test of cmd/regcred keeps that true.
func known(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("metrics.tsv")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		name, names, _ := strings.Cut(strings.TrimSpace(line), "\t")
		found[name] = strings.Split(names, ",")
	}
	if len(found) < 50 {
		t.Fatalf("%d metrics are known: the search for them is broken", len(found))
	}
	return found
}

// ofTarget are the labels that Prometheus adds to every series, and those of histograms.
var ofTarget = []string{"job", "instance", "le"}

// ask fails where a query cannot be parsed, or asks for a metric or a label that is not there.
func ask(t *testing.T, metrics map[string][]string, query string) {
	t.Helper()
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	there := slices.Clone(ofTarget)
	var wanted []string
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			name := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(n.Name, "")
			of, exists := metrics[name]
			if !exists {
				t.Errorf("%s: there is no metric %s", query, n.Name)
			}
			there = append(there, of...)
			for _, matcher := range n.LabelMatchers {
				if matcher.Name != labels.MetricName && !slices.Contains(of, matcher.Name) {
					t.Errorf("%s: %s has no label %s", query, n.Name, matcher.Name)
				}
			}
		case *parser.AggregateExpr:
			wanted = append(wanted, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				wanted = append(wanted, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	for _, label := range wanted {
		if !slices.Contains(there, label) {
			t.Errorf("%s: nothing in it has a label %s", query, label)
		}
	}
}

func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// TestAlertsAskForWhatThereIs: metrics and labels exist, and each alert has a section of its own in the runbook.
func TestAlertsAskForWhatThereIs(t *testing.T) {
	metrics := known(t)
	runbook, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	all := alerts(t)
	if len(all) == 0 || len(all) > 12 {
		t.Errorf("%d alerts: more than 12 are not read by anybody", len(all))
	}
	for _, alert := range all {
		ask(t, metrics, alert.Expr)
		section := regexp.MustCompile(`(?m)^### ` + alert.Alert + `\n\n[^#\n]`)
		if !section.Match(runbook) {
			t.Errorf("docs/runbook.md has no section ### %s with a text", alert.Alert)
		}
		if want := "docs/runbook.md#" + strings.ToLower(alert.Alert); alert.Annotations["runbook"] != want {
			t.Errorf("%s names the runbook %q, want %q", alert.Alert, alert.Annotations["runbook"], want)
		}
		if !slices.Contains([]string{"critical", "warning"}, alert.Labels["severity"]) {
			t.Errorf("%s has the severity %q", alert.Alert, alert.Labels["severity"])
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Regcred\w+)$`).FindAllSubmatch(runbook, -1) {
		if !slices.ContainsFunc(all, func(r rulefmt.Rule) bool { return r.Alert == string(heading[1]) }) {
			t.Errorf("docs/runbook.md has a section %s, and there is no such alert", heading[1])
		}
	}
}

// dashboard is what is looked at of Grafana's JSON.
type dashboard struct {
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ X, Y, W, H int }
		Targets []struct {
			Expr       string `json:"expr"`
			RefID      string `json:"refId"`
			Legend     string `json:"legendFormat"`
			Datasource struct {
				UID string `json:"uid"`
			} `json:"datasource"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string          `json:"name"`
			Query json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../../charts/regcred/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTheDashboardAsksForWhatThereIs: each query is parsed with the variables replaced as Grafana does.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	metrics, d, queries := known(t), readDashboard(t), 0
	replaced := strings.NewReplacer("$credential", ".*", "$__rate_interval", "5m")
	ids := map[int]bool{}
	for i, panel := range d.Panels {
		if ids[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		ids[panel.ID] = true
		for _, other := range d.Panels[:i] {
			a, b := panel.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", panel.Title, other.Title)
			}
		}
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			ask(t, metrics, replaced.Replace(target.Expr))
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%q asks the data source %q", panel.Title, target.Datasource.UID)
			}
			legends(t, metrics, target.Legend, replaced.Replace(target.Expr))
		}
	}
	for _, variable := range d.Templating.List {
		for _, asked := range regexp.MustCompile(`label_values\((\w+), (\w+)\)`).FindAllStringSubmatch(string(variable.Query), -1) {
			ask(t, metrics, "count by ("+asked[2]+") ("+asked[1]+")")
		}
	}
	if queries < 25 {
		t.Errorf("%d queries are found: the search for them is broken", queries)
	}
}

// legends fails where a legend names a label that is not in the result.
func legends(t *testing.T, metrics map[string][]string, legend, query string) {
	t.Helper()
	for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(legend, -1) {
		ask(t, metrics, "sum by ("+label[1]+") ("+query+")")
	}
}

// TestEveryMetricOfTheOperatorIsShown: a metric that neither an alert nor the dashboard asks for is one that nobody looks at.
func TestEveryMetricOfTheOperatorIsShown(t *testing.T) {
	var text strings.Builder
	for _, alert := range alerts(t) {
		text.WriteString(alert.Expr + "\n")
	}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			text.WriteString(target.Expr + "\n")
		}
	}
	for name := range known(t) {
		if strings.HasPrefix(name, "regcred_") && !regexp.MustCompile(`\b`+name+`(_bucket)?\b`).MatchString(text.String()) {
			t.Errorf("%s is in no alert and in no panel", name)
		}
	}
}

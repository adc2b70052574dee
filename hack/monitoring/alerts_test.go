package monitoring

import (
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"go.yaml.in/yaml/v3"
)

const alertsFile = "../../charts/regcred/files/alerts.yaml"

// testFile is the form of promtool's unit tests, as far as it is used here
// (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/).
type testFile struct {
	Tests []alertTest `yaml:"tests"`
}

type alertTest struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"`
	Input    []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Cases []alertCase `yaml:"alert_rule_test"`
}

type alertCase struct {
	Time   model.Duration `yaml:"eval_time"`
	Alert  string         `yaml:"alertname"`
	Firing []firing       `yaml:"exp_alerts"`
}

// firing alert, without the label of its name.
type firing struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func readTests(t *testing.T) []alertTest {
	t.Helper()
	text, err := os.ReadFile("alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file testFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Tests
}

// TestAlertsFireWhenTheyShould has Prometheus' own engine evaluate the expressions once a minute over the series of alerts_test.yaml.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range readTests(t) {
		t.Run(test.Name, func(t *testing.T) {
			for _, c := range test.Cases {
				if got := test.at(t, c); !cmp.Equal(c.Firing, got) {
					t.Errorf("%s after %s (-want +got):\n%s", c.Alert, c.Time, cmp.Diff(c.Firing, got))
				}
				fires[c.Alert], rests[c.Alert] = fires[c.Alert] || len(c.Firing) > 0, rests[c.Alert] || len(c.Firing) == 0
			}
		})
	}
	for _, alert := range alerts(t) {
		if !fires[alert.Alert] || !rests[alert.Alert] {
			t.Errorf("%s is tested where it fires: %t, and where it does not: %t; both are needed", alert.Alert, fires[alert.Alert], rests[alert.Alert])
		}
	}
}

// at gives what of one alert fires at the time of a case: what its expression gave at each minute for as long as the alert asks.
func (test alertTest) at(t *testing.T, c alertCase) []firing {
	t.Helper()
	rule := alerts(t)[slices.IndexFunc(alerts(t), func(r rulefmt.Rule) bool { return r.Alert == c.Alert })]
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true})
	defer engine.Close()
	wait := time.Duration(rule.For)
	if time.Duration(c.Time) < wait {
		return nil
	}
	series, active := test.series(t), map[string]int{}
	var last promql.Vector
	for ago := wait; ago >= 0; ago -= time.Minute {
		last = evaluate(t, engine, series, rule.Expr, time.Unix(0, 0).UTC().Add(time.Duration(c.Time)-ago))
		for _, sample := range last {
			active[sample.Metric.String()]++
		}
	}
	var found []firing
	for _, sample := range last {
		if active[sample.Metric.String()] == int(wait/time.Minute)+1 {
			found = append(found, firingOf(t, rule, sample))
		}
	}
	return found
}

// evaluate gives what Prometheus' engine makes of an expression at a time.
func evaluate(t *testing.T, engine *promql.Engine, series []storage.Series, expression string, at time.Time) promql.Vector {
	t.Helper()
	query, err := engine.NewInstantQuery(t.Context(), Source(series), nil, expression, at)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return vector
}

// series of the test, with a sample at each interval.
func (test alertTest) series(t *testing.T) []storage.Series {
	t.Helper()
	var all []storage.Series
	for _, series := range test.Input {
		one, err := Series(series.Series+" "+series.Values, time.Unix(0, 0), time.Duration(test.Interval))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// firingOf fills labels and annotations in, as Prometheus does.
func firingOf(t *testing.T, rule rulefmt.Rule, sample promql.Sample) firing {
	t.Helper()
	names := sample.Metric.DropReserved(func(name string) bool { return name == labels.MetricName }).Map()
	said := map[string]string{}
	for name, text := range rule.Annotations {
		filled, err := template.New(name).Option("missingkey=error").Parse("{{$labels := .Labels}}{{$value := .Value}}" + text)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := filled.Execute(&out, map[string]any{"Labels": names, "Value": sample.F}); err != nil {
			t.Fatal(err)
		}
		said[name] = out.String()
	}
	for name, value := range rule.Labels {
		names[name] = value
	}
	return firing{names, said}
}

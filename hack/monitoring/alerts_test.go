package monitoring

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
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
	Series   []struct {
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

// TestAlertsFireWhenTheyShould has Prometheus' own engine evaluate the alerts once a minute over the series of alerts_test.yaml.
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

// at gives what of one alert fires at the time of a case.
func (test alertTest) at(t *testing.T, c alertCase) []firing {
	t.Helper()
	p := parser.NewParser(parser.Options{})
	var load strings.Builder
	fmt.Fprintf(&load, "load %s\n", test.Interval)
	for _, series := range test.Series {
		fmt.Fprintf(&load, "  %s %s\n", series.Series, series.Values)
	}
	suite, err := promqltest.NewLazyLoader(load.String(), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true, Parser: p})
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()), AppendableV2: suite.Storage(), Context: t.Context(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: p,
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, alertsFile)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var found []firing
	for _, group := range groups {
		rule := group.Rules()[slices.IndexFunc(group.Rules(), func(r rules.Rule) bool { return r.Name() == c.Alert })].(*rules.AlertingRule)
		for at := time.Unix(0, 0).UTC(); at.Sub(time.Unix(0, 0)) <= time.Duration(c.Time); at = at.Add(time.Minute) {
			suite.WithSamplesTill(at, func(err error) {
				if err != nil {
					t.Fatal(err)
				}
				group.Eval(suite.Context(), at)
			})
			if err := rule.LastError(); err != nil {
				t.Fatal(err)
			}
		}
		found = append(found, firingOf(rule)...)
	}
	return found
}

func firingOf(rule *rules.AlertingRule) []firing {
	var found []firing
	for _, active := range rule.ActiveAlerts() {
		if active.State != rules.StateFiring {
			continue
		}
		names := active.Labels.Map()
		delete(names, labels.AlertName)
		found = append(found, firing{names, active.Annotations.Map()})
	}
	return found
}

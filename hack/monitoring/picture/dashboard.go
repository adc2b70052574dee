package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// dashboard is what is drawn of Grafana's JSON.
type dashboard struct {
	Title  string  `json:"title"`
	Panels []panel `json:"panels"`
}

type panel struct {
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Grid        grid        `json:"gridPos"`
	Targets     []target    `json:"targets"`
	Field       fieldConfig `json:"fieldConfig"`
	Transformed []struct {
		ID      string `json:"id"`
		Options struct {
			Rename  map[string]string `json:"renameByName"`
			Include map[string]bool   `json:"includeByName"`
		} `json:"options"`
	} `json:"transformations"`
}

// grid is where a panel lies, in units: 24 are the width.
type grid struct{ X, Y, W, H int }

type target struct {
	Expr   string `json:"expr"`
	Legend string `json:"legendFormat"`
	RefID  string `json:"refId"`
}

type fieldConfig struct {
	Defaults struct {
		Unit       string `json:"unit"`
		Thresholds struct {
			Steps []threshold `json:"steps"`
		} `json:"thresholds"`
	} `json:"defaults"`
	Overrides []struct {
		Matcher    struct{ Options string }
		Properties []struct{ ID, Value string }
	} `json:"overrides"`
}

// threshold is the colour from a value on. The first has none.
type threshold struct {
	Color string
	Value *float64
}

func readDashboard(path string) (dashboard, error) {
	var d dashboard
	text, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// colour of a value by the thresholds.
func (p *panel) colour(value float64) string {
	name := "text"
	for _, step := range p.Field.Defaults.Thresholds.Steps {
		if step.Value == nil || value >= *step.Value {
			name = step.Color
		}
	}
	return name
}

// unit of a column or a legend.
func (p *panel) unit(field string) string {
	for _, override := range p.Field.Overrides {
		for _, property := range override.Properties {
			if override.Matcher.Options == field && property.ID == "unit" {
				return property.Value
			}
		}
	}
	return p.Field.Defaults.Unit
}

// rename and include say how columns of a table are named, and which are shown: all, where none is named.
func (p *panel) rename(column string) string {
	for _, one := range p.Transformed {
		if to := one.Options.Rename[column]; to != "" {
			return to
		}
	}
	return column
}

func (p *panel) shows(column string) bool {
	for _, one := range p.Transformed {
		if len(one.Options.Include) > 0 {
			return one.Options.Include[column]
		}
	}
	return true
}

// query is an expression with the variables as Grafana fills them in: all credentials, and four scrapes for a rate.
func (t target) query(scrape time.Duration) string {
	return strings.NewReplacer("$credential", ".*", "$__rate_interval", fmt.Sprintf("%ds", int((4*scrape).Seconds()))).Replace(t.Expr)
}

var label = regexp.MustCompile(`\{\{(\w+)\}\}`)

// legend of a series.
func (t target) legend(labels map[string]string) string {
	return label.ReplaceAllStringFunc(t.Legend, func(name string) string { return labels[strings.Trim(name, "{}")] })
}

// metrics that the dashboard asks for.
func (d *dashboard) metrics() ([]string, error) {
	var names []string
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expression, err := parser.NewParser(parser.Options{}).ParseExpr(target.query(time.Second))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", panel.Title, err)
			}
			parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
				if selector, is := node.(*parser.VectorSelector); is {
					names = append(names, selector.Name)
				}
				return nil
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

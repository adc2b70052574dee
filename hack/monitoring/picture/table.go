package main

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// table shows what the queries give at the end: a row for each set of labels, a column for each label and each query.
func (c *canvas) table(ctx context.Context, p *panel, r *recorded, b box) error {
	inner := c.title(p, b)
	rows, columns := map[string]map[string]string{}, []string{}
	var order []string
	for _, target := range p.Targets {
		vector, err := r.last(ctx, target.query(r.interval))
		if err != nil {
			return err
		}
		value := "Value #" + target.RefID
		for _, sample := range vector {
			key := sample.Metric.String()
			if rows[key] == nil {
				rows[key] = map[string]string{}
				order = append(order, key)
				sample.Metric.Range(func(l labels.Label) {
					rows[key][l.Name] = l.Value
					columns = append(columns, l.Name)
				})
			}
			rows[key][value] = show(sample.F, p.unit(p.rename(value)))
		}
		columns = append(columns, value)
	}
	slices.Sort(order)
	shown := p.columns(columns)
	if len(order) == 0 {
		c.text(inner.x+inner.w/2, inner.y+inner.h/2, 14, "#8e8ea0", "middle", "No data")
		return nil
	}
	width := inner.w / float64(len(shown))
	for i, column := range shown {
		x := inner.x + 8 + float64(i)*width
		c.text(x, inner.y+14, 12, "#6e9fff", "start", p.rename(column))
		for j, key := range order {
			y := inner.y + 20 + float64(j)*26
			if y+26 > inner.y+inner.h {
				break
			}
			if i == 0 {
				c.line(inner.x, y, inner.x+inner.w, y, "#2c3235")
			}
			c.text(x, y+18, 12, "#ccccdc", "start", rows[key][column])
		}
	}
	return nil
}

// columns that are shown, each once and in their order.
func (p *panel) columns(all []string) []string {
	var shown []string
	for _, column := range all {
		if !slices.Contains(shown, column) && column != labels.MetricName && p.shows(column) {
			shown = append(shown, column)
		}
	}
	return shown
}

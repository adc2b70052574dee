package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql"
)

// curve is one line of a chart.
type curve struct {
	legend, unit string
	points       []promql.FPoint
}

// chart draws lines over time.
func (c *canvas) chart(ctx context.Context, p *panel, r *recorded, b box) error {
	inner := c.title(p, b)
	curves, err := p.curves(ctx, r)
	if err != nil {
		return err
	}
	least, most := 0.0, 0.0
	for _, one := range curves {
		for _, point := range one.points {
			least, most = math.Min(least, point.F), math.Max(most, point.F)
		}
	}
	marks := ticks(least, most)
	plot := box{inner.x + 62, inner.y + 6, inner.w - 76, inner.h - 46}
	span := r.end.Sub(r.begin).Seconds()
	x := func(milli int64) float64 { return plot.x + plot.w*(float64(milli-r.begin.UnixMilli())/1000)/span }
	y := func(value float64) float64 {
		return plot.y + plot.h*(1-(value-marks[0])/(marks[len(marks)-1]-marks[0]))
	}
	for _, mark := range marks {
		c.line(plot.x, y(mark), plot.x+plot.w, y(mark), "#2c3235")
		c.text(plot.x-6, y(mark)+4, 11, "#8e8ea0", "end", show(mark, p.Field.Defaults.Unit))
	}
	for i := 0; i <= 3; i++ {
		at := span * float64(i) / 3
		c.text(plot.x+plot.w*float64(i)/3, plot.y+plot.h+14, 11, "#8e8ea0", []string{"start", "middle", "middle", "end"}[i], show(math.Round(at), "s"))
	}
	if len(curves) == 0 {
		c.text(plot.x+plot.w/2, plot.y+plot.h/2, 14, "#8e8ea0", "middle", "No data")
	}
	for i, one := range curves {
		c.curve(one, palette[i%len(palette)], r, x, y)
	}
	c.legends(curves, box{inner.x + 8, inner.y + inner.h - 10, inner.w - 16, 12})
	return nil
}

func (p *panel) curves(ctx context.Context, r *recorded) ([]curve, error) {
	var all []curve
	for _, target := range p.Targets {
		matrix, err := r.over(ctx, target.query(r.interval))
		if err != nil {
			return nil, err
		}
		var own []curve
		for _, series := range matrix {
			legend := target.legend(series.Metric.Map())
			own = append(own, curve{legend, p.unit(legend), series.Floats})
		}
		slices.SortStableFunc(own, func(a, b curve) int { return strings.Compare(a.legend, b.legend) })
		all = append(all, own...)
	}
	return all, nil
}

// curve draws a line, in parts where values are missing.
func (c *canvas) curve(one curve, colour string, r *recorded, x func(int64) float64, y func(float64) float64) {
	var part []string
	flush := func() {
		if len(part) == 1 {
			at := strings.Split(part[0], ",")
			fmt.Fprintf(c, `<circle cx="%s" cy="%s" r="2" fill="%s"/>`+"\n", at[0], at[1], colour)
		} else if len(part) > 1 {
			fmt.Fprintf(c, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(part, " "), colour)
		}
		part = nil
	}
	for i, point := range one.points {
		if i > 0 && point.T-one.points[i-1].T > r.interval.Milliseconds() {
			flush()
		}
		part = append(part, fmt.Sprintf("%.1f,%.1f", x(point.T), y(point.F)))
	}
	flush()
}

// legends in one line, as many as have room.
func (c *canvas) legends(curves []curve, b box) {
	const letter = 6.2
	x := b.x
	for i, one := range curves {
		width := 22 + letter*float64(len([]rune(one.legend))) + 14
		if x+width > b.x+b.w && i > 0 {
			c.text(x, b.y+4, 11, "#8e8ea0", "start", fmt.Sprintf("and %d more", len(curves)-i))
			return
		}
		c.line(x, b.y, x+14, b.y, palette[i%len(palette)])
		c.text(x+18, b.y+4, 11, "#ccccdc", "start", one.legend)
		x += width
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
)

const (
	column = 50 // pixels of a unit of the grid
	row    = 30
	head   = 46
	gap    = 4
)

// colours by their names in Grafana.
var colours = map[string]string{"red": "#c4162a", "green": "#37872d", "orange": "#e0752d", "text": "#3d71d9"}

// palette of lines.
var palette = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#37872d", "#e0b400", "#1f60c4", "#fa6400", "#8f3bb8", "#56a64b"}

// box is where something is drawn, in pixels.
type box struct{ x, y, w, h float64 }

func (g grid) box() box {
	return box{float64(g.X*column + gap), float64(head + g.Y*row + gap), float64(g.W*column - 2*gap), float64(g.H*row - 2*gap)}
}

// canvas collects what is drawn.
type canvas struct{ bytes.Buffer }

func (c *canvas) text(x, y float64, size int, colour, anchor, says string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s">%s</text>`+"\n", x, y, size, colour, anchor, html.EscapeString(says))
}

func (c *canvas) rect(b box, colour string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" fill="%s"/>`+"\n", b.x, b.y, b.w, b.h, colour)
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

// draw gives the dashboard as an SVG.
func draw(ctx context.Context, d dashboard, r *recorded) ([]byte, error) {
	bottom := 0
	for _, p := range d.Panels {
		bottom = max(bottom, p.Grid.Y+p.Grid.H)
	}
	width, height := 24*column, head+bottom*row+gap
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="The dashboard, with the metrics of make demo" `+
		`font-family="Inter, Helvetica, Arial, sans-serif">`+"\n", width, height)
	c.rect(box{0, 0, float64(width), float64(height)}, "#111217")
	c.text(16, 30, 18, "#ccccdc", "start", d.Title)
	c.text(float64(width)-16, 30, 12, "#8e8ea0", "end", fmt.Sprintf("%s of make demo, every %s. Drawn by hack/monitoring/picture from the dashboard's own queries",
		show(r.end.Sub(r.begin).Seconds(), "s"), show(r.interval.Seconds(), "s")))
	for i := range d.Panels {
		if err := c.panel(ctx, &d.Panels[i], r); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Panels[i].Title, err)
		}
	}
	_, err := io.WriteString(c, "</svg>\n")
	return c.Bytes(), err
}

func (c *canvas) panel(ctx context.Context, p *panel, r *recorded) error {
	b := p.Grid.box()
	if p.Type == "row" {
		c.text(b.x+4, b.y+16, 14, "#ccccdc", "start", "▾ "+p.Title)
		return nil
	}
	c.rect(b, "#181b1f")
	switch p.Type {
	case "stat":
		return c.stat(ctx, p, r, b)
	case "table":
		return c.table(ctx, p, r, b)
	case "timeseries":
		return c.chart(ctx, p, r, b)
	}
	return fmt.Errorf("panels of type %s are not drawn: teach hack/monitoring/picture", p.Type)
}

// title of a panel, and the place below it.
func (c *canvas) title(p *panel, b box) box {
	c.text(b.x+8, b.y+17, 12, "#ccccdc", "start", p.Title)
	return box{b.x, b.y + 26, b.w, b.h - 26}
}

// stat shows the last value that is not null, on the colour of its threshold.
func (c *canvas) stat(ctx context.Context, p *panel, r *recorded, b box) error {
	matrix, err := r.over(ctx, p.Targets[0].query(r.interval))
	if err != nil {
		return err
	}
	says, colour := "No data", "#181b1f"
	if len(matrix) > 0 {
		points := matrix[0].Floats
		value := points[len(points)-1].F
		says, colour = show(value, p.Field.Defaults.Unit), colours[p.colour(value)]
	}
	c.rect(b, colour)
	inner := c.title(p, b)
	c.text(inner.x+inner.w/2, inner.y+inner.h/2+10, 36, "#ffffff", "middle", says)
	return nil
}

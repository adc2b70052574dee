package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"go.yaml.in/yaml/v3"

	monitoring "regcred.dev/regcred/hack/monitoring"
)

// recording is the file demo.yaml.
type recording struct {
	Begin    time.Time      `yaml:"begin"`
	Interval model.Duration `yaml:"interval"`
	Series   []string       `yaml:"series"`
}

// recorded is what Prometheus would hold.
type recorded struct {
	begin, end time.Time
	interval   time.Duration
	series     []storage.Series
	engine     *promql.Engine
}

func readRecording(path string) (*recorded, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file recording
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &recorded{begin: file.Begin, end: file.Begin, interval: time.Duration(file.Interval), engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e7, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, LookbackDelta: 5 * time.Minute,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }, // as Prometheus evaluates rules
	})}
	for _, line := range file.Series {
		one, err := monitoring.Series(line, file.Begin, r.interval)
		if err != nil {
			return nil, fmt.Errorf("%s: %.60s: %w", path, line, err)
		}
		r.series = append(r.series, one)
		for it := one.Iterator(nil); it.Next() != 0; {
			r.end = latest(r.end, time.UnixMilli(it.AtT()))
		}
	}
	return r, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// over gives what a query gave at each interval.
func (r *recorded) over(ctx context.Context, query string) (promql.Matrix, error) {
	q, err := r.engine.NewRangeQuery(ctx, monitoring.Source(r.series), nil, query, r.begin, r.end, r.interval)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer q.Close()
	matrix, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	own := make(promql.Matrix, 0, len(matrix)) // the engine takes its own back
	for _, series := range matrix {
		var points []promql.FPoint
		for _, point := range series.Floats {
			if !math.IsNaN(point.F) && !math.IsInf(point.F, 0) {
				points = append(points, point)
			}
		}
		if len(points) > 0 {
			own = append(own, promql.Series{Metric: series.Metric.Copy(), Floats: points})
		}
	}
	return own, nil
}

// last gives what a query gives at the end.
func (r *recorded) last(ctx context.Context, query string) (promql.Vector, error) {
	q, err := r.engine.NewInstantQuery(ctx, monitoring.Source(r.series), nil, query, r.end)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer q.Close()
	vector, err := q.Exec(ctx).Vector()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	return append(promql.Vector(nil), vector...), nil
}

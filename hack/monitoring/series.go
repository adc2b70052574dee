package monitoring

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Series reads one series in the notation of promtool's unit tests: a name with labels, and a value for each interval from begin on.
func Series(description string, begin time.Time, interval time.Duration) (storage.Series, error) {
	names, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(description)
	if err != nil {
		return nil, err
	}
	var samples []chunks.Sample
	for i, value := range values {
		if !value.Omitted {
			samples = append(samples, sample{begin.Add(time.Duration(i) * interval).UnixMilli(), value.Value})
		}
	}
	return storage.NewListSeries(names, samples), nil
}

// Source lets Prometheus' engine ask for these series.
func Source(all []storage.Series) storage.Queryable {
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return selected(all, matchers)
		},
	}}
}

// selected are the series that some matchers select.
func selected(all []storage.Series, matchers []*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, series := range all {
		names := series.Labels()
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(names.Get(m.Name)) }) {
			set.series = append(set.series, series)
		}
	}
	return set
}

// sample of a series.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// seriesSet is a list of series.
type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

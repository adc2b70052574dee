package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// interval is that of hack/demo.
const interval = time.Second

// scraped is one file of a demo.
type scraped struct {
	at       int // intervals after the first
	instance string
	series   map[string]float64
}

// record makes a recording of the metrics that the dashboard asks for.
func record(folder string, d dashboard) ([]byte, error) {
	names, err := d.metrics()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no metrics: %w", folder, err)
	}
	var begin time.Time
	var all []scraped
	instances := map[string]string{}
	for i, path := range paths { // sorted by time
		at, pod, ok := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".txt"), "_")
		milli, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s is named after no time", path)
		}
		if i == 0 {
			begin = time.UnixMilli(milli)
		}
		if instances[pod] == "" {
			instances[pod] = fmt.Sprintf("10.0.0.%d:8443", len(instances)+10)
		}
		series, err := seriesOf(path, names, instances[pod])
		if err != nil {
			return nil, err
		}
		all = append(all, scraped{int(time.UnixMilli(milli).Sub(begin).Round(interval) / interval), instances[pod], series})
	}
	return yaml.Marshal(recording{Begin: begin.UTC().Truncate(time.Second), Interval: model.Duration(interval), Series: together(all)})
}

// seriesOf reads a scrape.
func seriesOf(path string, names []string, instance string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	samples := map[string]float64{}
	for _, family := range families {
		vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, []*dto.MetricFamily{family}...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, sample := range vector {
			if slices.Contains(names, string(sample.Metric[model.MetricNameLabel])) {
				sample.Metric["job"], sample.Metric["instance"] = "regcred", model.LabelValue(instance)
				samples[sample.Metric.String()] = float64(sample.Value)
			}
		}
	}
	return samples, nil
}

// together writes each series in the notation of promtool's unit tests: runs of one value are short.
func together(all []scraped) []string {
	values, last := map[string]map[int]float64{}, 0
	for _, scrape := range all {
		last = max(last, scrape.at)
		for name, value := range scrape.series {
			if values[name] == nil {
				values[name] = map[int]float64{}
			}
			values[name][scrape.at] = value
		}
	}
	var lines []string
	for name, at := range values {
		var words []string
		for i := 0; i <= last; i++ {
			word := "_"
			if value, known := at[i]; known {
				word = strconv.FormatFloat(value, 'f', -1, 64)
			} else if _, before := at[i-1]; before {
				word = "stale" // as Prometheus notes a series that is gone
			}
			words = append(words, word)
		}
		lines = append(lines, name+" "+strings.Join(short(words), " "))
	}
	slices.Sort(lines)
	return lines
}

// short writes runs: "1 1 1" is "1x2", one value and two more.
func short(words []string) []string {
	var runs []string
	for i := 0; i < len(words); {
		n := 1
		for i+n < len(words) && words[i+n] == words[i] {
			n++
		}
		switch {
		case n == 1:
			runs = append(runs, words[i])
		case words[i] == "_":
			runs = append(runs, fmt.Sprintf("_x%d", n))
		default:
			runs = append(runs, fmt.Sprintf("%sx%d", words[i], n-1))
		}
		i += n
	}
	return runs
}

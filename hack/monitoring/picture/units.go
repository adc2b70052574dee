package main

import (
	"fmt"
	"math"
	"strings"
)

// scale is a step of a unit.
type scale struct {
	from float64
	name string
}

var (
	thousands = []scale{{1e9, " Bil"}, {1e6, " Mil"}, {1e3, " K"}, {0, ""}}
	seconds   = []scale{{86400, " days"}, {3600, " hours"}, {60, " mins"}, {1, " s"}, {1e-3, " ms"}, {0, " µs"}}
	binary    = []scale{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}, {0, " B"}}
)

// show writes a value in a unit of Grafana's.
func show(value float64, unit string) string {
	switch unit {
	case "s":
		if value == 0 {
			return "0 s"
		}
		return scaled(value, seconds)
	case "bytes":
		return scaled(value, binary)
	case "reqps":
		return scaled(value, thousands) + " req/s"
	case "ops":
		return scaled(value, thousands) + " ops/s"
	}
	return scaled(value, thousands)
}

func scaled(value float64, steps []scale) string {
	for _, step := range steps {
		if math.Abs(value) >= step.from && step.from > 0 {
			return digits(value/step.from) + step.name
		}
	}
	last := steps[len(steps)-1]
	if last.name == " µs" {
		value *= 1e6
	}
	return digits(value) + last.name
}

// digits writes three of them at most.
func digits(value float64) string {
	decimals := 2
	for limit := math.Abs(value); limit >= 10 && decimals > 0; limit /= 10 {
		decimals--
	}
	text := fmt.Sprintf("%.*f", decimals, value)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// ticks are three to six round values from a least to a greatest one.
func ticks(least, most float64) []float64 {
	if most <= least {
		most = least + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((most-least)/2)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (most-least)/(step*factor) <= 4 {
			step *= factor
			break
		}
	}
	var all []float64
	first := math.Floor(least/step + 1e-9)
	for i := 0.0; len(all) < 12; i++ {
		all = append(all, (first+i)*step)
		if (first+i)*step >= most-step*1e-9 {
			break
		}
	}
	return all
}

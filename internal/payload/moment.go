package payload

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// never are the words for a credential without an end. Harbor writes -1, Artifactory 0, Go the year 1; the numbers are the last second
// of the year 9999 and the largest of 64 bits, as programs write them that know no other word.
var never = []string{
	"", "0", "-1", "-", "never", "none", "null", "nil", "no", "n/a", "false", "undefined", "unlimited", "infinite", "infinity", "inf", "forever",
	"permanent", "never expires", "does not expire", "no expiry", "no expiration", "0001-01-01t00:00:00z",
	"253402300799", "253402300799000", "253402300799999", "9223372036854775807",
}

func means(text string, words []string) bool { return slices.Contains(words, strings.ToLower(text)) }

// layouts of moments, tried in this order. What has no zone is UTC; a day without a time ends as it begins, which is the earlier
// reading. Days and months in numbers are read in the order of ISO 8601 only: of 01/02/2026 nobody knows which is the month.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04 MST", "2006-01-02 15:04",
	"20060102T150405Z0700", "20060102T150405", "20060102150405Z0700", "20060102150405", "200601021504", "2006/01/02 15:04:05",
	"2006-01-02", "2006-01-02 MST", "2006-01-02Z07:00", "2006/01/02", "2006.01.02", "20060102", "2006-1-2", "2006-1-2 15:04:05",
	time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC, time.UnixDate, "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700",
	"2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05", "2 Jan 2006", "2 January 2006", "Jan 2, 2006", "January 2, 2006", "Jan 2 2006", "2-Jan-2006",
	"Mon Jan 2 2006", "Mon Jan 2 15:04:05 2006 MST", "Mon 2 Jan 2006 15:04:05 MST", "Jan 2, 2006 15:04:05 MST", "Mon Jan 2 15:04:05 MST 2006",
	"Mon Jan 2 2006 15:04:05 -0700", "2 Jan 2006 15:04:05Z07:00", "Jan 2 15:04:05 2006 MST", "Monday, January 2, 2006", "Mon, Jan 2 2006",
	"Jan 2, 2006, 3:04:05 PM", "Jan 2, 2006 3:04:05 PM", "Jan 2, 2006, 3:04 PM", "Jan 2, 2006 3:04 PM", "2 Jan 2006 15:04", "Jan 2, 2006 15:04",
}

// Ends lie between these years of UTC; anything else is no date that somebody meant, and a later one is none that an API server takes.
const firstYear, lastYear = 2000, 9999

// moment reads a date or a time in one of the layouts, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
func moment(text string) (time.Time, bool) {
	const longest = 64
	if len(text) > longest {
		return time.Time{}, false
	}
	text = tidy(text)
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, text, time.UTC)
		if err == nil && knownZone(t, layout) && t.UTC().Year() >= firstYear && t.UTC().Year() <= lastYear {
			return t, true
		}
	}
	number, _ := strconv.ParseFloat(text, 64) // 0 or infinite where text is none, which is no moment either
	return sinceEpoch(number)
}

// Parts of moments that say nothing, or nothing that a layout could read.
var (
	remark  = regexp.MustCompile(` m=[+-].*$| \([^()]*\)$|\[[A-Za-z0-9_+/-]+\]$`) // the clock reading of Go, the zone's long name of JavaScript, and that of Java
	dotNet  = regexp.MustCompile(`^/Date\(([0-9]+)(?:[+-][0-9]{4})?\)/$`)         // milliseconds, as PowerShell writes a date in JSON
	ordinal = regexp.MustCompile(`\b([0-9]{1,2})(?:st|nd|rd|th)\b`)
	offset  = regexp.MustCompile(`(?:GMT|UTC)([+-][0-9]{4})\b`)
	small   = regexp.MustCompile(`^[0-9-]+t[0-9:.,]+z?`)
)

func tidy(text string) string {
	text = dotNet.ReplaceAllString(remark.ReplaceAllString(text, ""), "$1")
	text = offset.ReplaceAllString(ordinal.ReplaceAllString(text, "$1"), "$1")
	return small.ReplaceAllStringFunc(text, strings.ToUpper)
}

// knownZone reports whether the time of a zone's name is known: of all but UTC and GMT, Go makes UTC.
func knownZone(t time.Time, layout string) bool {
	if !strings.Contains(layout, "MST") || strings.Contains(layout, "-0700") {
		return true
	}
	name, _ := t.Zone()
	return name == "UTC" || name == "GMT"
}

// sinceEpoch tells the units apart: each is read up to the year 2286, where seconds get an eleventh digit. A number between two of them
// is none that somebody meant.
func sinceEpoch(number float64) (time.Time, bool) {
	const earliest, latest = 946_684_800, 1e10 // the year 2000, in seconds; less is a lifetime
	if number > math.MaxInt64/2 {
		return time.Time{}, false
	}
	n := int64(number)
	for _, unit := range []struct {
		perSecond float64
		from      func(int64) time.Time
	}{
		{1, func(n int64) time.Time { return time.Unix(n, 0) }}, {1e3, time.UnixMilli}, {1e6, time.UnixMicro},
		{1e9, func(n int64) time.Time { return time.Unix(0, n) }},
	} {
		if number >= earliest*unit.perSecond && number < latest*unit.perSecond {
			return unit.from(n), true
		}
	}
	return time.Time{}, false
}

// parts of a duration such as 30d, 1d12h or 2 weeks.
var parts = regexp.MustCompile(`^\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-zA-Zµ]+)\s*,?`)

// isoParts are a number and a unit of ISO 8601.
var isoParts = regexp.MustCompile(`^([0-9]{1,9}(?:[.,][0-9]{1,9})?)([A-Z])`)

// units of a duration. A month counts 30 days and a year 365, which is the earlier reading.
var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	"mo": 30 * 24 * time.Hour, "month": 30 * 24 * time.Hour, "months": 30 * 24 * time.Hour,
	"y": 365 * 24 * time.Hour, "year": 365 * 24 * time.Hour, "years": 365 * 24 * time.Hour,
}

// longestLife is a hundred years: more is no lifetime that somebody meant.
const longestLife = 100 * 365 * 24 * time.Hour

// duration reads a number of some unit, a duration of Go or of Vault, or one of ISO 8601. A negative one is none.
func duration(text string, unit time.Duration) (time.Duration, bool) {
	const longest = 64
	if len(text) > longest || text == "" {
		return 0, false
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return bounded(n, unit)
	}
	if rest, is := strings.CutPrefix(strings.ToUpper(text), "P"); is {
		return isoDuration(rest)
	}
	text = strings.TrimPrefix(text, "+")
	var sum time.Duration
	for text != "" {
		part := parts.FindStringSubmatch(text)
		if part == nil {
			return 0, false
		}
		n, _ := strconv.ParseFloat(part[1], 64) // of digits, by the expression
		unit := units[strings.ToLower(part[2])]
		life, ok := bounded(n, unit)
		if sum += life; !ok || unit == 0 || sum > longestLife {
			return 0, false
		}
		text = text[len(part[0]):]
	}
	return sum, true
}

// isoDuration reads what follows the P: days and more before a T, hours and less behind it.
func isoDuration(text string) (time.Duration, bool) {
	date, clock, timed := strings.Cut(text, "T")
	if text == "" || timed && clock == "" {
		return 0, false
	}
	var sum time.Duration
	for _, half := range []struct{ text, units, names string }{{date, "YMWD", "y,mo,w,d"}, {clock, "HMS", "h,m,s"}} {
		names := strings.Split(half.names, ",")
		for rest := half.text; rest != ""; {
			part := isoParts.FindStringSubmatch(rest)
			if part == nil || !strings.Contains(half.units, part[2]) {
				return 0, false
			}
			n, _ := strconv.ParseFloat(strings.Replace(part[1], ",", ".", 1), 64) // of digits, by the expression
			life, ok := bounded(n, units[names[strings.Index(half.units, part[2])]])
			if sum += life; !ok || sum > longestLife {
				return 0, false
			}
			rest = rest[len(part[0]):]
		}
	}
	return sum, true
}

func bounded(n float64, unit time.Duration) (time.Duration, bool) {
	if !(math.Abs(n) <= float64(longestLife)/float64(max(unit, 1))) {
		return 0, false // written so that NaN is out
	}
	return time.Duration(n * float64(unit)), true
}

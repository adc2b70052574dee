package pullerror

import (
	"regexp"
	"slices"
	"strings"
)

// rule gives a class to a cause. It applies where the text holds one of the phrases and the status is one of those
// given; whichever of the two is empty is not looked at.
type rule struct {
	name   string
	class  Class
	status []string // HTTP status codes; "5xx" stands for all of them
	says   phrases
}

func (r rule) appliesTo(text, status string) bool {
	if len(r.status) > 0 && !r.hasStatus(status) {
		return false
	}
	return r.says.empty() || r.says.in(text)
}

func (r rule) hasStatus(status string) bool {
	if slices.Contains(r.status, status) {
		return true
	}
	return strings.HasPrefix(status, "5") && slices.Contains(r.status, "5xx")
}

// phrases are alternatives of which a text must hold one: plain words, or patterns where words vary.
type phrases struct {
	plain    []string
	patterns []*regexp.Regexp
}

// says makes phrases of regular expressions. The text is in lower case, and "…" stands for names.
func says(alternatives ...string) phrases {
	var p phrases
	for _, a := range alternatives {
		if regexp.QuoteMeta(a) == a {
			p.plain = append(p.plain, a)
			continue
		}
		p.patterns = append(p.patterns, regexp.MustCompile(a))
	}
	return p
}

func (p phrases) empty() bool {
	return len(p.plain) == 0 && len(p.patterns) == 0
}

func (p phrases) in(text string) bool {
	return slices.ContainsFunc(p.plain, func(words string) bool { return strings.Contains(text, words) }) ||
		slices.ContainsFunc(p.patterns, func(pattern *regexp.Regexp) bool { return pattern.MatchString(text) })
}

package target

import (
	"fmt"
	"strings"

	"regcred.dev/regcred/internal/foreign"
)

// mostShown is how many of the given names a message lists.
const mostShown = 5

// NotGiven says that the operator was not given the name of an object, which names it was given, and where that is set: a value of the
// chart and of config/default/limits.yaml, from which flag, role and admission policies follow.
func NotGiven(kind, name string, given []string, setting string) string {
	list := strings.Join(given[:min(len(given), mostShown)], ", ")
	if len(given) > mostShown {
		list += " and others"
	}
	return foreign.Message(fmt.Sprintf("the operator was not given %s %s, only %s: use one of these, or add the name to %s in the chart's values or limits.yaml",
		kind, foreign.Name(name), list, setting))
}

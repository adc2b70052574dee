package pullerror

import (
	"regexp"
	"strings"
)

// proxyMark stands for the answer of a proxy to CONNECT, ecrMark for an answer of ECR, pageMark for a page of HTML: they can only be
// seen before names and case are taken out.
const proxyMark, ecrMark, pageMark = "refused-by-the-proxy", "answered-by-ecr", "html-instead-of-json"

// clientError is an error of Go's client whose whole text is a phrase that begins with a capital. net/http gives the text after the
// code of the proxy's status line (transport.go, dialConn), whatever the proxy writes there. A HEAD of dockerd is left out: that reads
// so where the registry refuses without a body.
var clientError = regexp.MustCompile(`\b(Get|Post|failed to do request: Head) \\?"?https://[^\s"]+"?: ([A-Z][A-Za-z'-]*(?: [A-Za-z'-]+)*)\s*$`)

// markProxy puts a mark in the place of the phrase with which a proxy refused to connect.
func markProxy(cause string) string {
	match := clientError.FindStringSubmatchIndex(cause)
	if match == nil {
		return cause
	}
	method, phrase := cause[match[2]:match[3]], cause[match[4]:match[5]]
	if phrase == "EOF" {
		return cause
	}
	// dockerd before 1.10 wrote the phrase of a registry that fails in the same way.
	if method == "Get" && serverFails.MatchString(phrase) && strings.Contains(cause, "daemon") {
		return cause
	}
	return cause[:match[4]] + proxyMark
}

var serverFails = regexp.MustCompile(`(?i)^(?:internal server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out)$`)

// ecrAnswers finds ECR as the host that answered.
var ecrAnswers = regexp.MustCompile(`(?:https?://|from host |manifest \S+ in )[0-9]{12}\.dkr[.-]ecr\S`)

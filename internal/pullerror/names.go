package pullerror

import (
	"regexp"
	"strings"
)

// name stands for an image, a URL, a digest or a quoted text that was taken out.
const name = "…"

// nameless are replacements that take out what users and operators named, so that an image called x/unauthorized:401
// is no different from any other. They apply in this order.
var nameless = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	// HTML where a parser expected JSON.
	{regexp.MustCompile(`invalid character '<' looking for beginning of value`), pageMark},
	// A character that a parser complains of, which can be a quote.
	{regexp.MustCompile(`'(?s:\\?.)'`), name},
	// A registry's answer in JSON that was cut off: its code and message are kept, as other runtimes print them.
	{regexp.MustCompile(`\{"errors":\s*\[\{"code":\s*"(\w+)",\s*"message":\s*"([^"]*)"?[^\n]*`), "$1: $2"},
	// The answer of a registry as docker before 1.10 quotes it.
	{regexp.MustCompile(`(trying to pull repository \S+: )"([^"]*)"`), "$1$2"},
	// The answer as docker quotes it where it is plain text, such as that of ECR before 2017: no JSON and no page.
	{regexp.MustCompile(`(response body: [^"]*)"([^"<{\\]*)"`), "$1$2"},
	// Whatever is quoted, and a quote that was cut off.
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), name},
	{regexp.MustCompile(`"\S*`), name},
	{regexp.MustCompile(`'[^'\s]+'`), name},
	// A page of HTML instead of a registry's answer.
	{regexp.MustCompile(`(?is)<(?:!doctype|html|head|body|title)\b.*`), name},
	// Digests, and the tag in containerd's "status code [manifests latest]".
	{regexp.MustCompile(`\bsha(?:256|384|512):\w+`), name},
	{regexp.MustCompile(`\[(?:manifests|blobs)[^\]]*\]`), name},
	// Names of one word, where runtimes write them without quotes.
	{regexp.MustCompile(`\b((?i:manifest for|pull access denied for|image pull failed for|tag|repository|artifact|project|registry|image|image name)) ` +
		`[^\s,…]+(,| not found| because| was deleted| is blocked| returns)`), "$1 " + name + "$2"},
	{regexp.MustCompile(`\b((?i:not found in repository|no such image:|access repository:)) [^\s,]+`), "$1 " + name},
	{regexp.MustCompile(`\b((?i:reading manifest)) \S+ in [^\s,…]+?(:|\s|$)`), "$1 " + name + " in " + name + "$2"},
	{regexp.MustCompile(`\b((?i:lookup|from host|pinging (?:container|docker) registry)) [^\s…]+?(:?(?:\s|$))`),
		"$1 " + name + "$2"},
}

// nameLike is a word with a slash in it, or with a colon that is followed by no space: an image, a URL, a path, a
// media type, a platform, a host with a port.
var nameLike = regexp.MustCompile(`[^\s"(\[]*(?:/|:[^\s:…)\]])[^\s"]*`)

// dotted is a name with dots in it: a host, a version, a type.
var dotted = regexp.MustCompile(`\b[\w-]+(?:\.[\w-]+)+`)

// punctuation follows a name in a sentence and is no part of it.
const punctuation = ":,;.)]}\""

// ordinary are the words with a slash that are words of the runtimes.
var ordinary = map[string]bool{
	"fork/exec": true, "i/o": true, "input/output": true, "net/http": true, "username/password": true,
}

// withoutNames takes everything out of a cause that is a name, and writes the rest in lower case. What remains are
// the words and the punctuation of the runtime and the registry.
func withoutNames(cause string) string {
	ecr := ecrAnswers.MatchString(cause)
	cause = spellAnswers(markProxy(cause))
	if ecr {
		cause += " " + ecrMark
	}
	for _, n := range nameless {
		cause = n.pattern.ReplaceAllString(cause, n.replacement)
	}
	cause = nameLike.ReplaceAllStringFunc(cause, func(word string) string {
		bare := strings.TrimRight(word, punctuation)
		if ordinary[strings.ToLower(bare)] {
			return word
		}
		return name + word[len(bare):]
	})
	return strings.ToLower(dotted.ReplaceAllString(cause, name))
}

// httpStatus is an HTTP status code in the places where runtimes print one: after the words status or HTTP, or before
// its own reason phrase.
var httpStatus = regexp.MustCompile(
	`\b(?:status(?:code)?|http(?: response| error)?)(?: code)?(?: from registry| from \w+ request to)?[ :=(…]*([1-5]\d\d)\b|` +
		`\b([45]\d\d) (?:unauthorized|forbidden|not found|too many requests|internal server error|bad gateway|` +
		`service (?:temporarily )?unavailable|gateway time-?out)`)

// statusOf is the HTTP status in a cause without names, or empty.
func statusOf(text string) string {
	match := httpStatus.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1] + match[2]
}

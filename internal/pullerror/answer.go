package pullerror

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// answer is what a registry, a token server or the daemon of docker says in JSON.
type answer struct {
	Errors []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Message     string `json:"message"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Details     string `json:"details"`
	Err         string `json:"err"`
}

// quotedObject begins an object in quotes.
const quotedObject = `"{\"`

// maxAnswers is how many objects of a message are looked at.
const maxAnswers = 8

// spacing is the white space of JSON that is written on several lines or with space behind a brace, as Artifactory writes it.
var spacing = regexp.MustCompile(`([{\[,])\s*\n\s*|\s*\n\s*([}\]])|(\{)\s+(\\?")`)

// spellAnswers writes answers in JSON as runtimes write them that read them: "code: message". An answer can be in quotes.
func spellAnswers(cause string) string {
	var out strings.Builder
	cause = strings.ReplaceAll(cause, "}\n\"", "}\"") // a line break that unescape has undone within quotes
	cause = spacing.ReplaceAllString(cause, "$1$2$3$4")
	for range maxAnswers {
		before, rest, found := strings.Cut(cause, quotedObject)
		if !found {
			break
		}
		quoted, err := strconv.QuotedPrefix(quotedObject + rest)
		if err != nil {
			break
		}
		body, _ := strconv.Unquote(quoted) // which QuotedPrefix has seen to be right
		words, _ := readAnswer(body)
		out.WriteString(before + words)
		cause = strings.TrimPrefix(quotedObject+rest, quoted)
	}
	cause = out.String() + cause
	out.Reset()
	for range maxAnswers {
		before, rest, found := strings.Cut(cause, `{"`)
		if !found {
			break
		}
		rest = `{"` + rest
		words, length := readAnswer(rest)
		out.WriteString(before)
		if words == "" {
			length, words = len(`{"`), `{"`
		}
		out.WriteString(words)
		cause = rest[length:]
	}
	return out.String() + cause
}

// readAnswer reads the object at the beginning of a text: what it says, empty for nothing, and its length.
func readAnswer(text string) (words string, length int) {
	decoder := json.NewDecoder(strings.NewReader(text))
	var said answer
	mismatch := (*json.UnmarshalTypeError)(nil) // a member of another type, and the others are read all the same
	if err := decoder.Decode(&said); err != nil && !errors.As(err, &mismatch) {
		return "", 0
	}
	var spoken []string
	for _, e := range said.Errors {
		spoken = append(spoken, join(e.Code, e.Message))
	}
	spoken = append(spoken, said.Message, join(said.Error, said.Description), said.Details, said.Err)
	return strings.TrimSpace(strings.Join(spoken, "\n")), int(decoder.InputOffset())
}

// join puts a code before its message.
func join(code, message string) string {
	if code == "" || message == "" {
		return code + message
	}
	return code + ": " + message
}

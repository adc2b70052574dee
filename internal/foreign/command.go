package foreign

import (
	"fmt"
	"regexp"
)

// plainWord is what a shell takes as one word that means nothing else, and a program not as an option.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_/][A-Za-z0-9_./:@=+-]*$`)

// Command is a command that a person may copy into a shell. It is empty where a word in it could mean something else there: the API
// server checks the names of objects, and not those of owners, of the pull secrets in a list, or of places in Vault.
func Command(format string, words ...string) string {
	args := make([]any, len(words))
	for i, word := range words {
		if !plainWord.MatchString(word) {
			return ""
		}
		args[i] = word
	}
	return fmt.Sprintf(format, args...)
}

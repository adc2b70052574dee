package payload

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"regcred.dev/regcred/internal/dockerconfig"
)

// noteForms notes what is probably not meant in a user name or a password. They are published as they are, once the registry took
// them: such a character can be part of a password.
func (r *rendering) noteForms(config dockerconfig.Config) {
	noted := map[dockerconfig.Finding]bool{} // one credential serves many registries
	for _, key := range sortedKeys(config) {
		credential := config[key]
		for _, value := range []struct {
			name, text string
			odd        func(string) (dockerconfig.Reason, string)
		}{{"user name", credential.Username(), oddName}, {"password", credential.Password(), oddity}} {
			reason, says := value.odd(value.text)
			if reason == "" {
				continue
			}
			finding := dockerconfig.Finding{Reason: reason, Message: r.Where + ": the " + value.name + " " + says +
				". It is published as it is; correct it in the source, if that is not meant"}
			if !noted[finding] {
				noted[finding] = true
				r.findings = append(r.findings, finding)
			}
		}
	}
}

// oddName is oddity, and what a password may well hold and no user name does.
func oddName(text string) (dockerconfig.Reason, string) {
	if reason, says := oddity(text); reason != "" {
		return reason, says
	}
	switch {
	case strings.Contains(text, "$$"):
		return dockerconfig.ReasonQuotesOrEscapes, "has two $, as a file of Compose or a makefile wants it and a registry does not"
	case urlEscape.MatchString(text):
		return dockerconfig.ReasonQuotesOrEscapes, "holds an escape of URLs, such as %24 for $"
	}
	return "", ""
}

// oddity is the first thing about a value that is probably not meant; nothing where there is none.
func oddity(text string) (dockerconfig.Reason, string) {
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case text == tokenUser:
		return dockerconfig.ReasonTokenOnly, "is the mark by which docker's credential helpers say that the password is an identity token, which a kubelet sends as a password"
	case first == '\ufeff':
		return dockerconfig.ReasonHiddenCharacter, "begins with a byte order mark"
	case strings.ContainsFunc(text, isHidden):
		return dockerconfig.ReasonHiddenCharacter, "holds a character that cannot be seen, such as a no-break or zero-width space"
	case utf8.RuneCountInString(text) > 1 && closing[first] == last && last != 0:
		return dockerconfig.ReasonQuotesOrEscapes, "has quotes around it"
	}
	if reason, says := unreplaced(text); reason != "" {
		return reason, says
	}
	return badForm(text)
}

// badForm is for a value that was escaped for something else, or copied with a space.
func badForm(text string) (dockerconfig.Reason, string) {
	switch {
	case jsonEscape.MatchString(text):
		return dockerconfig.ReasonQuotesOrEscapes, "holds an escape of JSON, such as \\u0026 for &"
	case htmlEscape.MatchString(text):
		return dockerconfig.ReasonQuotesOrEscapes, "holds an escape of HTML, such as &amp; for &"
	case strings.Contains(text, `\$`):
		return dockerconfig.ReasonQuotesOrEscapes, "has a backslash before a $, as a shell wants it and a registry does not"
	case strings.HasSuffix(text, " "):
		return dockerconfig.ReasonSurroundingSpace, "ends with a space"
	case strings.HasPrefix(text, " "):
		return dockerconfig.ReasonSurroundingSpace, "begins with a space"
	}
	return "", ""
}

// unreplaced is for a value in whose place another one was meant.
func unreplaced(text string) (dockerconfig.Reason, string) {
	switch {
	case placeholder.MatchString(text):
		return dockerconfig.ReasonPlaceholder, "looks like a placeholder that no template replaced, such as ${NAME}, {{ .name }} or <name>"
	case encrypted.MatchString(text):
		return dockerconfig.ReasonPlaceholder, "looks like a value that is still encrypted, or like the address of one in another store"
	case file.MatchString(text):
		return dockerconfig.ReasonPlaceholder, "looks like the name of a file, whose content vault stores only where it is written as KEY=@FILE"
	case slices.Contains(nobody, text):
		return dockerconfig.ReasonPlaceholder, "is what programs print where there is no value, such as null"
	}
	return "", ""
}

// tokenUser is the user name of docker's credential helpers for an identity token
// (https://github.com/docker/docker-credential-helpers#development).
const tokenUser = "<token>"

var (
	// placeholder is a whole value that a shell, a template or a webhook was to put in.
	placeholder = regexp.MustCompile(`^(?:\$\{[^{}]+\}|\$\([^()]+\)|\$[A-Z][A-Z0-9_]+|%[A-Z][A-Z0-9_]+%|\{\{.+\}\}|<[A-Za-z][^<>]*>|vault:[^\s#]+/[^\s#]+#\S+)$`)
	// encrypted are values of SOPS, of Vault's engine transit and of Ansible, and references of 1Password, vals, AWS and Azure.
	encrypted = regexp.MustCompile(`^(?:ENC\[[A-Z0-9_]+,.*\]|vault:v[0-9]+:\S+|\$ANSIBLE_VAULT;.*|op://\S+/\S+|ref\+[a-z0-9]+://\S+|arn:aws[a-z-]*:(?:secretsmanager|ssm):\S+|@Microsoft\.KeyVault\(.+\))$`)
	// file is a name after the sign by which vault and curl read a file.
	file = regexp.MustCompile(`^@(?:[~.]{0,2}/[\w./-]+|[\w-]+\.(?:txt|json|key|pem|secret))$`)
	// jsonEscape is how Go and others write &, < and > in JSON.
	jsonEscape = regexp.MustCompile(`\\u00(?:26|3[cCeE])`)
	// htmlEscape is how templates for pages write &, <, > and quotes.
	htmlEscape = regexp.MustCompile(`&(?:amp|lt|gt|quot|#34|#39|#x27|#43);`)
	// urlEscape is how $, @, + and / of user names are written in an address.
	urlEscape = regexp.MustCompile(`%(?:24|40|2[bBfF])`)
)

// nobody are whole values that jq, templates and programs print where there was none.
var nobody = []string{"null", "nil", "None", "undefined", "NaN", "[object Object]", "%!s(<nil>)"}

// closing is the quote that ends what one begins.
var closing = map[rune]rune{'"': '"', '\'': '\'', '`': '`', '“': '”', '„': '“', '‘': '’', '«': '»'}

// isHidden reports whether a character looks like a space, or like nothing, and is no plain space.
func isHidden(c rune) bool {
	const hangulFiller, blankBraille = '\u3164', '\u2800'
	return c != ' ' && unicode.Is(unicode.Zs, c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) ||
		c == hangulFiller || c == blankBraille
}

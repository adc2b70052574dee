package payload

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"regcred.dev/regcred/internal/dockerconfig"
)

func inUTF16(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func urlBase64(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) }

// encodedShapes are logins and documents in encodings that tools and shells make of them.
func encodedShapes() []shape {
	const windows = "\xff\xfe"
	little, big := inUTF16(config+"\n", binary.LittleEndian), inUTF16(config+"\n", binary.BigEndian)
	hidden := []dockerconfig.Reason{dockerconfig.ReasonHiddenCharacter}
	newline := []dockerconfig.Reason{dockerconfig.ReasonTrailingNewline}
	broken := strings.ReplaceAll(downloaded, `\n`, "\n")
	inAuth := func(auth string) string {
		return `{"config":` + quote(`{"auths":{"registry.example":{"auth":`+quote(auth)+`}}}`) + `}`
	}
	return []shape{
		{name: "a password with a line break of Windows", fields: `{"username":"robot","password":"pw\r\n"}`, want: one("robot:pw"), found: newline},
		{name: "a user name with a line break", fields: `{"username":"robot\n","password":"pw"}`, want: one("robot:pw"), found: newline},
		{name: "a user name with a line break of Windows", fields: `{"username":"robot\r\n","password":"pw"}`, want: one("robot:pw"), found: newline},
		{name: "a password in UTF-16", fields: `{"username":"robot","password":` + quote(inUTF16("pw", binary.LittleEndian)) + `}`, want: one("robot:pw"), found: hidden},
		{name: "a password in UTF-16 behind what became of its byte order mark", fields: `{"username":"robot","password":` + quote("\ufffd\ufffd"+inUTF16("pw", binary.LittleEndian)) + `}`, want: one("robot:pw"), found: hidden},
		{name: "a password in UTF-16 of the other order", fields: `{"username":"robot","password":` + quote(inUTF16("pw", binary.BigEndian)) + `}`, want: one("robot:pw"), found: hidden},

		{name: "auth of the URL alphabet", keys: asAuth, fields: `{"auth":"` + urlBase64("robot:pw??>>~~") + `"}`, want: one("robot:pw??>>~~")},
		{name: "auth without padding", keys: asAuth, fields: `{"auth":"` + strings.TrimRight(base64Of("robot:pw"), "=") + `"}`, want: one("robot:pw")},
		{name: "auth with half its padding", keys: asAuth, fields: `{"auth":"` + strings.TrimSuffix(base64Of("robot:pass"), "=") + `"}`, want: one("robot:pass")},
		{name: "auth with space around it", keys: asAuth, fields: `{"auth":" ` + base64Of("robot:pw") + ` "}`, want: one("robot:pw")},
		{name: "auth with a line break behind it", keys: asAuth, fields: `{"auth":"` + base64Of("robot:pw") + `\n"}`, want: one("robot:pw")},
		{name: "auth in quotes", keys: asAuth, fields: `{"auth":` + quote(`"`+base64Of("robot:pw")+`"`) + `}`, want: one("robot:pw")},
		{name: "auth encoded twice", keys: asAuth, fields: `{"auth":"` + base64Of(base64Of("robot:pw")) + `"}`, want: one("robot:pw")},
		{name: "auth as the value of a header", keys: asAuth, fields: `{"auth":"Basic ` + base64Of("robot:pw") + `"}`, want: one("robot:pw")},
		{name: "auth behind a byte order mark", keys: asAuth, fields: `{"auth":` + quote("\ufeff"+base64Of("robot:pw")) + `}`, want: one("robot:pw")},
		{name: "auth of UTF-16", keys: asAuth, fields: `{"auth":"` + base64Of(inUTF16("robot:pw", binary.LittleEndian)) + `"}`, want: one("robot:pw")},
		{name: "auth of the URL alphabet in a docker config", keys: asConfig, fields: inAuth(urlBase64("robot:pw??>>~~")), want: one("robot:pw??>>~~")},
		{name: "auth encoded twice in a docker config", keys: asConfig, fields: inAuth(base64Of(base64Of("robot:pw"))), want: one("robot:pw")},
		{name: "auth with space behind it in a docker config", keys: asConfig, fields: inAuth(base64Of("robot:pw") + " "), want: one("robot:pw")},
		{name: "username:password of Amazon ECR under the key of the password", username: "AWS", keys: Keys{Password: "authorizationToken"},
			fields: `{"authorizationToken":"` + base64Of("AWS:ey.pw") + `"}`, want: one("AWS:ey.pw")},
		{name: "auth under the key of the password", fields: `{"username":"robot$ci","password":"` + base64Of("robot$ci:pw") + `"}`, want: one("robot$ci:pw")},
		{name: "the user name of credential helpers for a token", fields: `{"username":"<token>","password":"pw"}`, want: one("<token>:pw"), found: []dockerconfig.Reason{dockerconfig.ReasonTokenOnly}},

		{name: "a docker config in base64 of the URL alphabet", keys: asConfig, fields: `{"config":"` + urlBase64(config+"\n\n") + `"}`, want: one("a:1")},
		{name: "a docker config with line breaks of Windows", keys: asConfig, fields: `{"config":` + quote(strings.ReplaceAll(config, ",", ",\r\n")) + `}`, want: one("a:1")},
		{name: "base64 of a docker config, wrapped with line breaks of Windows", keys: asConfig, fields: `{"config":` + quote(strings.ReplaceAll(wrapped(config), "\n", "\r\n")) + `}`, want: one("a:1")},
		{name: "base64 of a docker config, folded into spaces", keys: asConfig, fields: `{"config":` + quote(strings.ReplaceAll(wrapped(config), "\n", " ")) + `}`, want: one("a:1")},
		{name: "a docker config in UTF-16", keys: asConfig, fields: `{"config":` + quote(little) + `}`, want: one("a:1")},
		{name: "a docker config in UTF-16 behind what became of its byte order mark", keys: asConfig, fields: `{"config":` + quote("\ufffd\ufffd"+little) + `}`, want: one("a:1")},
		{name: "base64 of a docker config in UTF-16", keys: asConfig, fields: `{"config":"` + base64Of(little) + `"}`, want: one("a:1")},
		{name: "base64 of a docker config in UTF-16 with its byte order mark", keys: asConfig, fields: `{"config":"` + base64Of(windows+little) + `"}`, want: one("a:1")},
		{name: "base64 of a docker config in UTF-16 of the other order", keys: asConfig, fields: `{"config":"` + base64Of("\xfe\xff"+big) + `"}`, want: one("a:1")},
		{name: "base64 of base64 of a docker config, both wrapped", keys: asConfig, fields: `{"config":` + quote(wrapped(wrapped(config))) + `}`, want: one("a:1")},

		{name: "a Google key whose line breaks a shell expanded", username: "_json_key", keys: inKey, fields: `{"key":` + quote(broken) + `}`, want: one("_json_key:" + oneLine)},
		{name: "a Google key whose line breaks a shell expanded, inside auth", keys: asAuth, fields: `{"auth":"` + base64Of("_json_key:"+broken) + `"}`, want: one("_json_key:" + oneLine)},
		{name: "a Google key in UTF-16", username: "_json_key", keys: inKey, fields: `{"key":` + quote("\ufffd\ufffd"+inUTF16(downloaded, binary.LittleEndian)) + `}`, want: one("_json_key:" + oneLine), found: hidden},
		{name: "base64 of a Google key, wrapped with line breaks of Windows", username: "_json_key_base64", keys: inKey,
			fields: `{"key":` + quote(strings.ReplaceAll(wrapped(downloaded), "\n", "\r\n")) + `}`, want: one("_json_key_base64:" + base64Of(downloaded))},
		{name: "base64 of a Google key, wrapped and without padding", username: "_json_key_base64", keys: inKey,
			fields: `{"key":` + quote(strings.TrimRight(strings.TrimSpace(wrapped(downloaded)), "=")) + `}`, want: one("_json_key_base64:" + base64Of(downloaded))},
		{name: "base64 of a Google key, folded into spaces", username: "_json_key_base64", keys: inKey,
			fields: `{"key":` + quote(strings.TrimSpace(strings.ReplaceAll(wrapped(downloaded), "\n", " "))) + `}`, want: one("_json_key_base64:" + base64Of(downloaded))},
		{name: "base64 of a Google key in the URL alphabet", username: "_json_key_base64", keys: inKey, fields: `{"key":"` + urlBase64(downloaded) + `"}`, want: one("_json_key_base64:" + base64Of(downloaded))},
		{name: "base64 of a Google key in the URL alphabet, wrapped, for the user name of JSON", username: "_json_key", keys: inKey,
			fields: `{"key":` + quote(urlBase64(downloaded)[:76]+"\n"+urlBase64(downloaded)[76:]+"\n") + `}`, want: one("_json_key:" + oneLine)},
	}
}

package pullerror

import (
	"regexp"
	"strings"
)

// rule gives a class to a cause. It applies if the text says one of the things and the status is one of those given;
// an empty one of the two is not looked at.
type rule struct {
	name   string
	class  Class
	status string // HTTP status codes, separated by spaces; 5xx stands for all of them
	says   phrases
}

func (r rule) appliesTo(text, status string) bool {
	if r.status != "" && !r.hasStatus(status) {
		return false
	}
	return r.says.empty() || r.says.in(text)
}

func (r rule) hasStatus(status string) bool {
	for want := range strings.FieldsSeq(r.status) {
		if want == status || (want == "5xx" && strings.HasPrefix(status, "5")) {
			return true
		}
	}
	return false
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
	for _, words := range p.plain {
		if strings.Contains(text, words) {
			return true
		}
	}
	for _, pattern := range p.patterns {
		if pattern.MatchString(text) {
			return true
		}
	}
	return false
}

// rules are tried in this order, and the first that applies decides. What the kubelet and the node say comes first,
// then what a registry says in so many words, then bare status codes, then the connection, and at last the error codes of
// the distribution spec without anything more telling beside them.
var rules = []rule{
	// The kubelet and the node.
	{"the kubelet cannot read a pull Secret", MalformedSecret, "", says(
		// These are whole messages: the same words inside a longer one are about a registry's answer.
		`^illegal base64 data at input byte`, `^unable to parse auth field, must be formatted as base64`,
		`^json: (?:cannot|invalid|unknown|unsupported)`, `^jsontext: `, `^invalid character '?.+ (?:looking for|after|in) [^…]*$`,
		`^unexpected end of json input$`, `^exceeded max depth$`)},
	{"the kubelet throttles its pulls", KubeletThrottled, "", says(`pull qps exceeded`)},
	{"the pod names a pull Secret that is not there", NoCredentials, "", says(
		`unable to retrieve some image pull secrets`, `^failedtoretrieveimagepullsecret`)},
	{"the kubelet had no credential for the image", NoCredentials, "", says(`there are no credentials on this request`)},
	{"a Secret or ConfigMap of the container is missing, which is no matter of pulling", Other, "", says(`^(?:secrets?|configmaps?) … not found`)},
	{"the node is set up with no host for the registry", Other, "", says(`no (?:pull|resolve) hosts`)},
	{"the image must be on the node and is not", Other, "", says(`pull policy of never`, `^errimageneverpull`)},
	{"the image name is invalid", Other, "", says(
		`invalid reference format`, `couldn't parse image (?:name|reference)`, `failed to apply default image tag`, `^invalidimagename`,
		`short-?name`)},
	{"a policy of the node or registry refuses the image", Other, "", says(
		`signature ?(?:validation|verification) ?failed`, `image verification failed`, `no valid signature`, `signature was required`,
		`no signature exists`, `source image rejected`, `rejected by policy`, `image is not signed`, `not signed in notary`,
		`due to configured policy`, `image verifier …? ?[^\n]*(?:blocked pull|returned error)`, `blocking pull of`)},
	{"the container runtime does not answer", Other, "", says(
		`dial unix`, `connection error: desc`, `failed to inspect image`, `error getting credentials - err`)},
	{"the node cannot store the image", Other, "", says(
		`no space left on device`, `disk quota exceeded`, `read-only file system`, `input/output error`, `failed to register layer`,
		`failed to extract layer`, `failed to prepare extraction snapshot`, `unexpected commit digest`, `failed size validation`,
		`verification failed for digest`, `content digest …: not found`, `unexpected media type`, `locked for `, `processing tar file`, `\buntar\b`, `rejecting \d+ byte manifest`)},

	// What a registry says in so many words.
	{"the registry limits the rate", RateLimited, "", says(
		`toomanyrequests`, `too many requests`, `\b(?:pull )?rate limit\b`, `\brate exceeded`, `throttlingexception`,
		`quota[^\n]* exceeded`, `exceeded[^\n]* quota`)},
	{"the registry limits the rate, by status", RateLimited, "429", phrases{}},
	{"there is no manifest for the platform", PlatformManifest, "", says(
		`no match for platform in manifest`, `no matching manifest for`, `no image found in (?:manifest list|image index)`,
		`no supported platform found`, `cannot be used on this platform`, `image operating system`, `does not (?:match|provide) the specified platform`,
		`version [^\n]*image is incompatible with`)},
	{"the manifest has a format that the runtime cannot read", PlatformManifest, "", says(
		`media type … is no longer supported`, `unsupported manifest (?:media ?type|type|schema|format)`, `unsupported media ?type`, `unsupported docker v2s2`,
		`schema ?(?:version ?)?1\b`, `^… not supported`, `daemon: … not supported`)},
	{"the registry tells that nobody was logged in", NoCredentials, "", says(
		`no basic auth credentials`, `unauthenticated requests?\b`, `anonymous (?:users?|access|requests?|callers?|pulls?)\b`,
		`missing username or secret`, `credentials were not provided`, `(?:are|is) not logged in`)},
	{"the registry calls the credential wrong, expired or revoked", AuthFailed, "", says(
		`authorization token has expired`, `security token included in the request is (?:invalid|expired)`,
		`(?:token|credentials?|password|session|robot(?: account)?) (?:has|have|is|are) (?:been )?(?:expired|revoked|invalid|disabled|deactivated)`,
		`(?:expired|revoked|invalid|bad|wrong|incorrect|unknown) (?:user ?name|user|credentials?|password|passphrase|token|login|api key|client ?(?:id|secret)|authentication)`,
		`(?:user|username|password) (?:name )?(?:or|and) (?:password|email) (?:is|are) (?:incorrect|wrong|invalid)`,
		`invalid_token`, `invalid username/password`, `token failed verification`, `cannot be authenticated`, `credentials are not valid`,
		`http basic: access denied`, `password or token is incorrect`, `client secret`, `aadsts\d+`, `personal access token`,
		`could not find robot`, `account (?:is |has been )?(?:disabled|locked|suspended|inactive|not active)`, `email must be verified`,
		`authentication (?:has )?failed`, `failed to authenticate`, `login failed`, `wrong username was used`,
		`you may have invalid credentials`)},
	{"the registry denies a right", Forbidden, "", says(
		`access (?:is )?forbidden`, `not authorized to`, `unauthorized to access repository`, `not allowed access`, `permission_denied`,
		`permissions? (?:… )?denied`, `(?:do|does|did) not have (?:the )?(?:needed |required |sufficient )?(?:permissions?|access|rights?)`,
		`insufficient permissions?`, `(?:lacks?|missing|requires?) (?:the )?permissions?`)},

	// The token servers.
	{"the token server wants a credential and got none", NoCredentials, "400 401 403", says(`anonymous token`)},
	{"the token server wants a credential and got none, without status", NoCredentials, "", says(`anonymous token[^\n]*: (?:unauthorized|denied|forbidden)`)},
	{"CRI-O was given no token", NoCredentials, "401 403", says(`requesting bearer token`)},
	{"the token server refuses the credential", AuthFailed, "400 401 403", says(`oauth token`)},
	{"the token server refuses the credential, without status", AuthFailed, "", says(`oauth token[^\n]*: (?:unauthorized|denied|forbidden)`)},

	// Answers that leave open what it is.
	{"missing or not allowed", NotFoundOrDenied, "", says(
		`pull access denied`, `insufficient_scope`, `requested access to the resource is denied`,
		`access to the requested resource is not authorized`, `does not exist or no pull access`, `may not exist or`, `may require authorization`,
		`unauthorized: (?:project|repository|artifact) …? ?[^\n]*not found`, `permission or resource may not exist`)},

	// Bare status codes.
	{"401", AuthFailed, "401", phrases{}},
	{"403", Forbidden, "403", phrases{}},
	{"404 or 410", NotFound, "404 410", phrases{}},
	{"5xx", Registry5xx, "5xx", phrases{}},

	// The connection.
	{"the TLS handshake took too long", Network, "", says(`tls handshake timeout`)},
	{"certificate or protocol", TLS, "", says(
		`x509: `, `\btls: `, `certificate`, `server gave http response to https client`, `http request (?:was sent )?to (?:an )?https (?:server|port)`,
		`handshake failure`, `malformed http response`, `\bssl\b`)},
	{"not reached, or broken off", Network, "", says(
		`\bdial (?:tcp|udp)`, `connection (?:was )?(?:refused|reset|timed out|closed|lost|aborted)`, `no route to host`, `(?:network|host) is (?:unreachable|down)`,
		`\btime(?:d)? ?out\b`, `no such host`, `name or service not known`, `server misbehaving`, `temporary failure in name resolution`,
		`awaiting headers`, `deadline exceeded`, `context cancell?ed`, `request cancell?ed`, `\beof\b`, `broken pipe`, `goaway`, `stream error`, `http2: `,
		`proxyconnect`, `proxy authentication required`, `use of closed network connection`, `transport connection broken`, `server closed idle connection`,
		`actively refused`, `forcibly closed`, `did not properly respond`)},
	{"the registry failed, by the words of the status", Registry5xx, "", says(
		`internal server error`, `bad gateway`, `service (?:temporarily )?unavailable`, `gateway time-?out`)},
	{"the registry is unavailable, and nobody says why", Network, "", says(`the registry is unavailable`, `registryunavailable`)},

	// Error codes of the distribution spec without a telling message.
	{"only the word unauthorized: docker's way to say that it had no credential", NoCredentials, "",
		says(`(?:^|: |\n)unauthorized(?:(?:: |\n)unauthorized)*[\s:.]*$`)},
	{"unauthorized, with a message", AuthFailed, "", says(
		`(?:^|[:\n] ?)unauthorized: `, `auth(?:entication|orization) (?:is )?required`, `authorization failed`, `unauthenticated: `)},
	{"only the word denied", NotFoundOrDenied, "", says(`(?:^|: |\n)denied(?:(?:: |\n)denied)*[\s:.]*$`)},
	{"denied, with a message", Forbidden, "", says(`(?:^|[:\n] ?)denied: `, `(?:^|: |\n)forbidden[\s:.]*$`, `access ?denied`)},
	{"the registry has no such thing", NotFound, "", says(
		`\b(?:manifest|name|blob)[ _]unknown`, `not[ _]found`, `does not exist`, `no such (?:image|manifest|repository|tag)`,
		`unknown (?:manifest|blob|repository|tag)`, `not known to (?:the )?registry`)},
}

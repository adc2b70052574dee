package pullerror

import "slices"

// rules are tried in this order, and the first that applies decides.
var rules = slices.Concat(
	kubeletRules,
	nodeRules,
	registryRules,
	tokenRules,
	statusRules,
	connectionRules,
	pageRules,
	codeRules,
)

// kubeletRules know what the kubelet says before it asks a runtime (pkg/kubelet/images, pkg/credentialprovider).
var kubeletRules = []rule{
	{name: "a pull Secret that the kubelet cannot read", class: MalformedSecret, says: says(
		// Whole messages: the same words inside a longer one are about the answer of a registry.
		`^illegal base64 data at input byte`,
		`^unable to parse auth field, must be formatted as base64`,
		`^error occurred while trying to unmarshal json$`,
		`^jsontext: `,
		`^json: (?:cannot|invalid|unknown|unsupported)`,
		`^invalid character … (?:looking for|after|in) [^:]*$`,
		`^unexpected end of json input$`,
		`^exceeded max depth$`,
	)},
	{name: "too many pulls at once", class: KubeletThrottled, says: says(
		`pull qps exceeded`,
	)},
	{name: "a pull Secret that does not exist", class: NoCredentials, says: says(
		`unable to retrieve some image pull secrets`,
		`^failedtoretrieveimagepullsecret`,
	)},
	{name: "a Secret or ConfigMap of the container itself", class: Other, says: says(
		`^(?:secrets?|configmaps?) … not found`,
	)},
	{name: "an image that must be on the node already", class: Other, says: says(
		`pull policy of never`,
		`^errimageneverpull`,
	)},
	{name: "an invalid image name", class: Other, says: says(
		`invalid reference format`,
		`failed to apply default image tag`,
		`^invalidimagename`,
		`couldn't parse image (?:name|reference)`,
		`short-?name`,
	)},
}

// nodeRules know the failures of a node and its runtime in which no registry has a part.
var nodeRules = []rule{
	{name: "the container runtime does not answer", class: Other, says: says(
		`dial unix`,
		`connection error: desc`,
		`failed to inspect image`,
		`error getting credentials - err`,
		`error reading from server`,
		`transport is closing`,
	)},
	{name: "the runtime knows no host for the registry", class: Other, says: says(
		`no (?:pull|resolve) hosts`,
	)},
	{name: "a policy refuses the image", class: Other, says: says(
		`image verification failed`,
		`no valid signature`,
		`signature was required`,
		`no signature exists`,
		`source image rejected`,
		`rejected by policy`,
		`blocking pull of`,
		`due to configured policy`,
		`signature ?(?:validation|verification) ?failed`,
		`error reading signature from`,
		`image verifier [^\n]*(?:blocked pull|returned error)`,
		`image is not signed`,
		`trust data`,
		`download blocking policy`,
	)},
	{name: "a layer format that the runtime cannot read", class: PlatformManifest, says: says(
		`no processor for media-?type`,
		`failed to get stream processor`,
	)},
	{name: "the node cannot store the image", class: Other, says: says(
		`no space left on device`,
		`disk quota exceeded`,
		`read-only file system`,
		`input/output error`,
		`failed to record image pull intent`,
		`failed to register layer`,
		`failed to extract layer`,
		`failed to prepare extraction snapshot`,
		`processing tar file`,
		`ref … locked for`,
		`\b(?:open|openat|mkdir|write|rename|remove|unlinkat|chown|lchown|chmod|l?stat|symlink|link|mount|fork/exec) …: `,
		`\buntar\b`,
		`layer (?:does not exist|not known)`,
	)},
	{name: "a connection that was not made", class: Network, says: says(
		`\bdial (?:tcp|udp)\b[^\n]*: connect: `,
	)},
	{name: "a proxy on the way refuses", class: Network, says: says(
		// Go's transport gives the phrase of the proxy's answer to CONNECT as the error, in title case: the registry was not
		// reached. The case tells it from the code of a registry's error, which dockerd writes in lower case: see clientError.
		proxyMark,
	)},
	{name: "what arrived is not what was asked for", class: Other, says: says(
		`unexpected commit digest`,
		`failed size validation`,
		`verification failed for digest`,
		`unexpected media type`,
		`content digest …: not found`,
		`rejecting \d+ byte manifest`,
	)},
}

// registryRules know what registries say in so many words. What they say counts more than the status beside it.
var registryRules = []rule{
	{name: "too many pulls for the registry", class: RateLimited, says: says(
		`toomanyrequests`,
		`too many requests`,
		`rate exceeded`,
		`throttlingexception`,
		`\brate limit\b`,
		`quota[^\n]* exceeded`,
		`exceeded[^\n]* quota`,
	)},
	{name: "too many pulls for the registry, or for what its owner pays, by status", class: RateLimited, status: []string{"429", "402"}},
	{name: "nothing for this platform", class: PlatformManifest, says: says(
		`no match for platform`,
		`no matching manifest for`,
		`no supported platform found`,
		`cannot be used on this platform`,
		`image operating system`,
		`operating system is not supported`,
		`no image found in (?:manifest list|image index)`,
		`does not (?:match|provide) the (?:specified|detected host) platform`,
		`\bplatform\b[^\n]{0,60}\bdoes not match\b`,
		`\bno (?:child|entry|manifest) [^\n]{0,60}\bplatform\b`,
		`no unpack platforms`,
		`version [^\n]*image is incompatible with`,
	)},
	{name: "a manifest format that the runtime cannot read", class: PlatformManifest, says: says(
		`media type … is no longer supported`,
		`unsupported docker v2s2`,
		`missing signature key`,
		`daemon: … not supported`,
		`^… not supported`,
		`unsupported (?:manifest )?media ?type`,
		`unsupported manifest (?:type|schema|format)`,
		`unknown media ?type`,
		`schema ?(?:version ?)?1\b`,
	)},
	{name: "nothing was sent, for the runtime does not know what to ask for", class: NoCredentials, says: says(
		// core/remotes/docker/auth and authorizer of containerd.
		`no scope specified for token auth challenge`,
		`no realm specified for token auth challenge`,
		`failed to find supported auth scheme`,
		// internal/cri/server/images of containerd, of an entry without user name and password.
		`invalid auth config`,
	)},
	{name: "nobody was logged in", class: NoCredentials, says: says(
		`no basic auth credentials`,
		`missing username or secret`,
		`unauthenticated request`,
		`not logged in`,
		`may not log ?in`,
		`log ?in required`,
		`credentials were not provided`,
		`anonymous (?:users?|access|requests?|callers?|pulls?|pulling)\b`,
	)},
	{name: "a wrong, expired or revoked credential", class: AuthFailed, says: says(
		`authorization token has expired`,
		`token failed verification`,
		`invalid_token`,
		`invalid username/password`,
		`cannot be authenticated`,
		`does not match bearer token`,
		`credentials are not valid`,
		`http basic: access denied`,
		`password or token is incorrect`,
		`personal access token`,
		`client secret`,
		`could not find robot`,
		`email must be verified`,
		`failed to authenticate`,
		`login failed`,
		`you may have invalid credentials`,
		`aadsts\d`,
		`authentication (?:has )?failed`,
		`security token included in the request is (?:invalid|expired)`,
		`(?:user|account) is (?:not active|inactive|disabled|locked|suspended|blocked)`,
		`account (?:is |has been )?(?:disabled|locked|suspended|inactive|not active)`,
		`(?:token|credentials?|password|session|robot(?: account)?) (?:has|have|is|are) (?:been )?(?:expired|revoked|invalid|disabled)`,
		`(?:expired|revoked|invalid|bad|wrong|incorrect) (?:user ?name|user|credentials?|password|token|login|api key|client ?id)`,
	)},
	{name: "missing or not allowed, in one sentence", class: NotFoundOrDenied, says: says(
		`verify that it exists and (?:that )?you have permission`,
		`(?:not exist|not found),? or (?:you|the user|no) [^\n]*(?:permission|access|authori[sz]ed|rights?)`,
	)},
	{name: "a right that is missing", class: Forbidden, says: says(
		`unauthorized to access repository`,
		`not authorized to`,
		`not allowed access`,
		`permission_denied`,
		`access (?:is )?forbidden`,
		`permissions? (?:… )?denied`,
		`insufficient permissions?`,
		`(?:do|does|did)(?: not|n't) have (?:the )?(?:needed |required |sufficient )?(?:permissions?|access|rights?)`,
	)},
}

// tokenRules know the token servers, and what is said where it is left open whether an image exists.
var tokenRules = []rule{
	{name: "the token server wants a credential and got none", class: NoCredentials,
		status: []string{"400", "401", "403"}, says: says(`anonymous token`)},
	{name: "the token server gave CRI-O no token", class: NoCredentials,
		status: []string{"401", "403"}, says: says(`requesting bearer token`)},
	{name: "the token server refuses the credential", class: AuthFailed,
		status: []string{"400", "401", "403"}, says: says(`oauth token`)},
	{name: "the token server is not where the registry says, which is no word about the image", class: Other,
		status: []string{"404", "405", "410"}, says: says(`anonymous token`, `oauth token`, `requesting bearer token`)},
	{name: "missing or not allowed", class: NotFoundOrDenied, says: says(
		`pull access denied`,
		`insufficient_scope`,
		`requested access to the resource is denied`,
		`access to the requested resource is not authorized`,
		`may require authorization`,
		`permission or resource may not exist`,
		`unauthorized: (?:project|repository|artifact) [^\n]*not found`,
	)},
}

// statusRules know the status codes of HTTP, and their names where there is no code.
var statusRules = []rule{
	{name: "ECR answers 400 to a token that it does not take", class: AuthFailed, status: []string{"400"}, says: says(ecrMark)},
	{name: "401", class: AuthFailed, status: []string{"401"}},
	{name: "403", class: Forbidden, status: []string{"403"}},
	{name: "404 or 410", class: NotFound, status: []string{"404", "410"}},
	{name: "5xx", class: Registry5xx, status: []string{"5xx"}},
	{name: "5xx, in words", class: Registry5xx, says: says(
		`internal server error`,
		`bad gateway`,
		`service (?:temporarily )?unavailable`,
		`gateway time-?out`,
		`unknown: unknown error`,
	)},
}

// pageRules know what is no answer of a registry or token server: a page of HTML, where JSON was due, comes from a portal or a proxy
// on the way.
var pageRules = []rule{
	{name: "a page where an answer was due", class: Network, says: says(
		`(?:token|authori[sz]|login|response body)[^\n]*` + pageMark,
	)},
}

// connectionRules know what keeps a registry from being heard.
var connectionRules = []rule{
	{name: "the TLS handshake took too long", class: Network, says: says(
		`tls handshake timeout`,
	)},
	{name: "certificate or protocol", class: TLS, says: says(
		`x509: `,
		`certificate`,
		`handshake failure`,
		`malformed http (?:response|status)`,
		`server gave http response to https client`,
		`http request to an https server`,
		`\btls: `,
	)},
	{name: "not reached, or broken off", class: Network, says: says(
		`no route to host`,
		`no such host`,
		`name or service not known`,
		`temporary failure in name resolution`,
		`server misbehaving`,
		`deadline exceeded`,
		`awaiting headers`,
		`broken pipe`,
		`goaway`,
		`stream error`,
		`rst_stream`,
		`http2: `,
		`proxyconnect`,
		`proxy authentication required`,
		`use of closed network connection`,
		`transport connection broken`,
		`server closed idle connection`,
		`actively refused`,
		`forcibly closed`,
		`did not properly respond`,
		`because of no progress`,
		`\bdial (?:tcp|udp)`,
		`connection (?:was )?(?:refused|reset|timed out|closed|lost|aborted)`,
		`(?:network|host) is (?:unreachable|down)`,
		`(?:context|request) cancell?ed`,
		`\btime(?:d)? ?out\b`,
		`\beof\b`,
	)},
	{name: "the registry is unavailable, and nobody says why", class: Network, says: says(
		`the registry is unavailable`,
		`registryunavailable`,
	)},
}

// codeRules know the error codes of the distribution spec, where nothing more telling is beside them.
var codeRules = []rule{
	{name: "the code unauthorized alone: docker had no credential", class: NoCredentials, says: says(
		`(?:^|: |\n)unauthorized(?:(?:: |\n)unauthorized)*[\s:.]*$`,
	)},
	{name: "unauthorized, with a message", class: AuthFailed, says: says(
		`(?:^|[:\n] ?)unauthorized: `,
		`authorization failed`,
		`unauthenticated: `,
		`auth(?:entication|orization) ?(?:is )?required`,
	)},
	{name: "the code denied alone", class: NotFoundOrDenied, says: says(
		`(?:^|: |\n)denied(?:(?:: |\n)denied)*[\s:.]*$`,
	)},
	{name: "denied, with a message", class: Forbidden, says: says(
		`(?:^|[:\n] ?)(?:denied|forbidden): `,
		`(?:^|: |\n)forbidden[\s:.]*$`,
		`access ?denied`,
	)},
	{name: "no such thing", class: NotFound, says: says(
		`does not exist`,
		`not found`,
		`not_found`,
		`\b(?:manifest|name|blob)[ _]unknown`,
		`unknown (?:manifest|blob|repository|tag)`,
		`no such (?:image|manifest|repository|tag)`,
		`not known to (?:the )?registry`,
		`was deleted or has expired`,
	)},
}

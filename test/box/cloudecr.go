package box

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ecrCloud is what gives logins at Amazon ECR, in each region and for the public gallery.
type ecrCloud struct {
	refusal
	mu    sync.Mutex
	given []string
	life  time.Duration
	lag   time.Duration
}

// ecrLife is how long a login lasts.
const ecrLife = 12 * time.Hour

// Registry is the host of the account's registry.
func (a *AWSCloud) Registry() string { return awsAccount + ".dkr.ecr." + a.Region + ".amazonaws.com" }

func (a *AWSCloud) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if !a.logins.serve(w, r) {
		http.Error(w, CloudWords, http.StatusServiceUnavailable)
	}
}

// UserKeys are the fields that Vault's AWS engine gives for a user.
func (a *AWSCloud) UserKeys() map[string]any {
	return map[string]any{"access_key": a.user.access, "secret_key": a.user.secret, "security_token": nil}
}

// SessionKeys are those that it gives for a session.
func (a *AWSCloud) SessionKeys() map[string]any {
	key := a.newSession("vault-token-pull")
	return map[string]any{"access_key": key.access, "secret_key": key.secret, "session_token": key.session, "arn": key.arn, "ttl": 3600}
}

// ForbiddenKeys are those of a session that has no right to log in at Amazon ECR.
func (a *AWSCloud) ForbiddenKeys() map[string]any {
	return a.sessionKeys(func(k *awsKey) { k.noPull = true })
}

// EndedKeys are those of a session that is over.
func (a *AWSCloud) EndedKeys() map[string]any {
	return a.sessionKeys(func(k *awsKey) { k.ends = time.Now().Add(-time.Second) })
}

func (a *AWSCloud) sessionKeys(change func(*awsKey)) map[string]any {
	keys := a.SessionKeys()
	a.mu.Lock()
	defer a.mu.Unlock()
	key := a.keys[keys["access_key"].(string)]
	change(&key)
	a.keys[key.access] = key
	return keys
}

// SetECRLag has keys of users be known at Amazon ECR only a time after they were made, as AWS needs it.
func (a *AWSCloud) SetECRLag(lag time.Duration) {
	a.ecr.mu.Lock()
	defer a.ecr.mu.Unlock()
	a.ecr.lag = lag
}

// RefuseLogins has Amazon ECR refuse everybody, and no other service.
func (a *AWSCloud) RefuseLogins(refuse bool) { a.ecr.Refuse(refuse) }

// SetECRLife has logins end after another time than twelve hours.
func (a *AWSCloud) SetECRLife(life time.Duration) {
	a.ecr.mu.Lock()
	defer a.ecr.mu.Unlock()
	a.ecr.life = life
}

// ECRPasswords are those that were given so far.
func (a *AWSCloud) ECRPasswords() []string {
	a.ecr.mu.Lock()
	defer a.ecr.mu.Unlock()
	return slices.Clone(a.ecr.given)
}

var ecrAPI = regexp.MustCompile(`^api\.ecr(?:-fips|(-public))?\.([a-z0-9-]+)\.amazonaws\.com$`)

func (a *AWSCloud) ecrHandler(host string) http.Handler {
	if host == a.Registry() {
		return http.HandlerFunc(a.serveRegistry)
	}
	match := ecrAPI.FindStringSubmatch(host)
	if match == nil {
		return nil
	}
	public, region := match[1] != "", match[2]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serveECR(w, r, region, public) })
}

// serveECR checks what AWS checks: the operation by its header, the form of the body, and a signature over all headers of its own.
func (a *AWSCloud) serveECR(w http.ResponseWriter, r *http.Request, region string, public bool) {
	target, service := "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", "ecr"
	if public {
		target, service = "SpencerFrontendService.GetAuthorizationToken", "ecr-public"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	var asked map[string]any
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/":
		refuseECR(w, http.StatusNotFound, "UnknownOperationException")
	case r.Header.Get("X-Amz-Target") != target:
		refuseECR(w, http.StatusBadRequest, "UnknownOperationException")
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		refuseECR(w, http.StatusNotFound, "UnknownOperationException")
	case err != nil || json.Unmarshal(body, &asked) != nil:
		refuseECR(w, http.StatusBadRequest, "SerializationException")
	case !signsAll(r):
		refuseECR(w, http.StatusBadRequest, "InvalidSignatureException")
	default:
		key, fault := a.signer(r, body, region, service, time.Now())
		if fault == "" {
			fault = a.ecr.refusesKey(&key)
		}
		if fault != "" {
			refuseECR(w, http.StatusBadRequest, map[string]string{
				"MissingAuthenticationToken": "MissingAuthenticationTokenException", "InvalidClientTokenId": "UnrecognizedClientException",
				"SignatureDoesNotMatch": "InvalidSignatureException", "ExpiredToken": "ExpiredTokenException", "AccessDenied": "AccessDeniedException",
			}[fault])
			return
		}
		a.giveECR(w, region, public)
	}
}

// refusesKey says why a key gets no login, which is nothing where it gets one.
func (e *ecrCloud) refusesKey(key *awsKey) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case key.noPull || e.refusal.refuses():
		return "AccessDenied"
	case key.user != "" && time.Since(key.made) < e.lag:
		return "InvalidClientTokenId"
	}
	return ""
}

// signsAll reports whether the signature covers the host and every header of Amazon's.
func signsAll(r *http.Request) bool {
	_, after, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ := strings.Cut(after, ",")
	signed := strings.Split(list, ";")
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !slices.Contains(signed, strings.ToLower(name)) {
			return false
		}
	}
	return slices.Contains(signed, "host")
}

func (a *AWSCloud) giveECR(w http.ResponseWriter, region string, public bool) {
	a.ecr.mu.Lock()
	defer a.ecr.mu.Unlock()
	life := a.ecr.life
	if life == 0 {
		life = ecrLife
	}
	end := time.Now().Add(life)
	content, err := json.Marshal(map[string]any{"payload": randomWord(100), "datakey": randomWord(40), "version": "2", "type": "DATA_KEY", "expiration": end.Unix()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	password := base64.StdEncoding.EncodeToString(content)
	a.ecr.given = append(a.ecr.given, password)
	if err := a.logins.gave("AWS", password, end); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	data := map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + password)), "expiresAt": float64(end.UnixMilli()) / 1000,
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if public {
		writeJSON(w, http.StatusOK, map[string]any{"authorizationData": data})
		return
	}
	data["proxyEndpoint"] = "https://" + awsAccount + ".dkr.ecr." + region + ".amazonaws.com"
	writeJSON(w, http.StatusOK, map[string]any{"authorizationData": []any{data}})
}

func refuseECR(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]string{"__type": "com.amazonaws.ecr#" + code, "message": CloudWords})
}

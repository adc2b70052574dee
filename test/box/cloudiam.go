package box

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	iamHost = "iam.amazonaws.com"
	// mostKeys a user has at once.
	mostKeys = 2
	// pullPolicy lets a user log in at Amazon ECR.
	pullPolicy = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
)

// iamCloud is AWS's Identity and Access Management, as far as Vault's AWS engine asks it. AWSCloud.mu guards it.
type iamCloud struct{ users map[string]*iamUser }

type iamUser struct {
	id       string
	policies []string
	keys     []string
}

// PullPolicy is the ARN of AWS's policy for those who pull.
func (a *AWSCloud) PullPolicy() string { return pullPolicy }

// AddUser makes a user who may pull, for static roles.
func (a *AWSCloud) AddUser(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.iam.users[name] = &iamUser{id: "AIDA" + randomWord(16), policies: []string{pullPolicy}}
}

// Users are the names of those that are there.
func (a *AWSCloud) Users() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.iam.users))
}

// EngineKey is what Vault's AWS engine has to sign with.
func (a *AWSCloud) EngineKey() (access, secret string) { return a.user.access, a.user.secret }

// iamFault is one of IAM's codes.
type iamFault string

func (f iamFault) Error() string { return string(f) }

// serveIAM lets the user of Env do what it asks.
func (a *AWSCloud) serveIAM(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	form, malformed := url.ParseQuery(string(body))
	if err != nil || malformed != nil {
		refuseSTS(w, http.StatusBadRequest, "MalformedInput")
		return
	}
	key, fault := a.signer(r, body, "us-east-1", "iam", time.Now())
	switch {
	case fault != "":
		refuseSTS(w, http.StatusForbidden, fault)
		return
	case key.arn != a.UserARN:
		refuseSTS(w, http.StatusForbidden, "AccessDenied")
		return
	}
	action := form.Get("Action")
	result, err := a.identity(action, form)
	if err != nil {
		refuseSTS(w, map[error]int{iamFault("NoSuchEntity"): 404, iamFault("EntityAlreadyExists"): 409, iamFault("DeleteConflict"): 409, iamFault("LimitExceeded"): 409}[err], err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	// The caller may be gone.
	_, _ = fmt.Fprintf(w, `<%[1]sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%[1]sResponse>`, action, result)
}

// identity does what is asked, and gives the result in XML.
func (a *AWSCloud) identity(action string, form url.Values) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := form.Get("UserName")
	user := a.iam.users[name]
	if action == "CreateUser" {
		if user != nil {
			return "", iamFault("EntityAlreadyExists")
		}
		user = &iamUser{id: "AIDA" + randomWord(16)}
		a.iam.users[name] = user
		return userXML(name, user), nil
	}
	if user == nil {
		return "", iamFault("NoSuchEntity")
	}
	if told, known := user.tell(name, action); known {
		return told, nil
	}
	switch action {
	case "AttachUserPolicy":
		user.policies = append(user.policies, form.Get("PolicyArn"))
	case "DetachUserPolicy":
		user.policies = slices.DeleteFunc(user.policies, func(arn string) bool { return arn == form.Get("PolicyArn") })
	case "CreateAccessKey":
		return a.createKey(name, user)
	case "DeleteAccessKey":
		user.keys = slices.DeleteFunc(user.keys, func(key string) bool { return key == form.Get("AccessKeyId") })
		delete(a.keys, form.Get("AccessKeyId"))
	case "DeleteUser":
		return "", a.deleteUser(name, user)
	default:
		return "", iamFault("InvalidAction")
	}
	return "", nil
}

func (a *AWSCloud) deleteUser(name string, user *iamUser) error {
	if len(user.keys) > 0 || len(user.policies) > 0 {
		return iamFault("DeleteConflict")
	}
	delete(a.iam.users, name)
	return nil
}

// tell answers what only asks for a user, and reports whether an action does.
func (u *iamUser) tell(name, action string) (string, bool) {
	switch action {
	case "GetUser":
		return userXML(name, u), true
	case "ListGroupsForUser":
		return "<Groups/><IsTruncated>false</IsTruncated>", true
	case "ListUserPolicies":
		return "<PolicyNames/><IsTruncated>false</IsTruncated>", true
	case "ListAttachedUserPolicies":
		return listXML("AttachedPolicies", u.policies, "<PolicyName>pull</PolicyName><PolicyArn>%s</PolicyArn>"), true
	case "ListAccessKeys":
		return listXML("AccessKeyMetadata", u.keys, "<AccessKeyId>%s</AccessKeyId><Status>Active</Status><CreateDate>2026-01-02T03:04:05Z</CreateDate><UserName>"+escaped(name)+"</UserName>"), true
	}
	return "", false
}

func (a *AWSCloud) createKey(name string, user *iamUser) (string, error) {
	if len(user.keys) >= mostKeys {
		return "", iamFault("LimitExceeded")
	}
	key := awsKey{
		access: "AKIA" + randomWord(16), secret: randomWord(40), userID: user.id, user: name, made: time.Now(),
		arn: "arn:aws:iam::" + awsAccount + ":user/" + name, noPull: !slices.Contains(user.policies, pullPolicy),
	}
	user.keys, a.keys[key.access] = append(user.keys, key.access), key
	return fmt.Sprintf("<AccessKey><UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>Active</Status><SecretAccessKey>%s</SecretAccessKey></AccessKey>",
		escaped(name), key.access, key.secret), nil
}

func userXML(name string, user *iamUser) string {
	return fmt.Sprintf("<User><Path>/</Path><UserName>%[1]s</UserName><UserId>%[2]s</UserId><Arn>arn:aws:iam::%[3]s:user/%[1]s</Arn><CreateDate>2026-01-02T03:04:05Z</CreateDate></User>",
		escaped(name), user.id, awsAccount)
}

// listXML is a list of members, each of a form.
func listXML(name string, members []string, form string) string {
	var list strings.Builder
	for _, member := range members {
		list.WriteString("<member>" + fmt.Sprintf(form, escaped(member)) + "</member>")
	}
	return "<" + name + ">" + list.String() + "</" + name + "><IsTruncated>false</IsTruncated>"
}

func escaped(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a builder never fails
	return out.String()
}

// assumeRoleSigned is for callers with keys, as Vault's AWS engine. A session lasts for a quarter of an hour at least.
func (a *AWSCloud) assumeRoleSigned(w http.ResponseWriter, r *http.Request, body []byte, form url.Values, region string) {
	caller, fault := a.signer(r, body, region, "sts", time.Now())
	seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
	switch {
	case fault != "":
		refuseSTS(w, http.StatusForbidden, fault)
		return
	case form.Get("RoleArn") != a.RoleARN || caller.arn != a.UserARN:
		refuseSTS(w, http.StatusForbidden, "AccessDenied")
		return
	case err != nil || seconds < 900 || seconds > 12*3600:
		refuseSTS(w, http.StatusBadRequest, "ValidationError")
		return
	}
	key := a.newSession(form.Get("RoleSessionName"))
	ends := time.Now().Add(time.Duration(seconds) * time.Second)
	a.mu.Lock()
	key.ends = ends
	a.keys[key.access] = key
	a.mu.Unlock()
	type role struct{ Arn, AssumedRoleId string } //nolint:revive // AWS's name
	type result struct {
		Credentials     stsCredentials
		AssumedRoleUser role
	}
	writeXML(w, http.StatusOK, struct {
		XMLName          xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
		AssumeRoleResult result
	}{AssumeRoleResult: result{stsCredentials{key.access, key.secret, key.session, ends.UTC().Format(time.RFC3339)}, role{key.arn, key.userID}}})
}

package integration

import (
	"fmt"
	"strings"
	"testing"

	"regcred.dev/regcred/internal/registry"
)

// specCase is a manifest with one field changed.
type specCase struct {
	name string
	// path is where value goes; empty leaves the manifest as it is.
	path  string
	value any
	// says is a part of the refusal; empty where the manifest is right.
	says string
}

type (
	object = map[string]any
	list   = []any
)

const (
	isALabel    = "letters, digits, '-' and '*', with single dots between"
	isAPath     = "the path of a registry is written as in images"
	isAHubUser  = "takes a name without a dot or a port for a user of Docker Hub"
	isVaultsOwn = "Vault's own"
	isADNSName  = "lower case letters, digits, '-' and '.'"
	isOutside   = "belongs to none of the registries"
)

// registryCases are values of spec.registries.
func registryCases() []specCase {
	var cases []specCase
	for registry, says := range map[string]string{
		"registry.company.io:5000/team": "", "ghcr.io/company/": "", "ghcr.io/company/a_b--c.d": "", "docker.io": "", "index.docker.io/company": "",
		"*.company.io": "", "*.dkr.ecr.*.amazonaws.com": "", "registry-*.company.io": "", "*:5000": "", "*.*": "", "localhost": "", "localhost/team": "",
		"nexus:8082": "", "10.0.0.1": "", "10.0.0.1:5000/team": "", "registry.company.io:1": "", "registry.company.io:65535": "",
		"Registry.Company.io": "", "Nexus": "", "xn--bcher-kva.example": "", "[::1]:5000/path": "", "[2001:DB8::1]:443": "", "registry.company.io/v1/team": "",

		"https://registry.company.io": "without a scheme", "registry.company.io:70000": "port is a number", "registry.company.io:0": "port is a number",
		"registry.company.io:": "port is a number", "registry.company.io:https": "port is a number", "[::1]:70000": "port is a number",
		"a..b": isALabel, "registry.company.io.": isALabel, ".company.io": isALabel, "*..io": isALabel, "*.": isALabel, "-a.io": isALabel, "a-.io": isALabel,
		"registry company.io": isALabel, "user@registry.company.io": isALabel, "registry_a.io": isALabel, "registry.company.io?x": isALabel, "/team": isALabel,
		"[::1": isALabel, "[::g]:5000": isALabel, "::1": "port is a number", "registry.[a-z].io": isALabel, "[::1]": "needs its port", "[::1]/path": "needs its port",
		"*": isAHubUser, "x": isAHubUser, "registry": isAHubUser, "company/app": isAHubUser, "nexus*": isAHubUser, "localhosts": isAHubUser,
		"ghcr.io/Company": isAPath, "ghcr.io//company": isAPath, "ghcr.io/*": isAPath, "ghcr.io/-a": isAPath, "ghcr.io/a/../b": isAPath, "ghcr.io/a:1": isAPath,
		"hub.docker.com/company": "website of Docker Hub", "": "at least 1 chars", strings.Repeat("a", 250) + ".com": "than 253",
	} {
		cases = append(cases, specCase{fmt.Sprintf("the registry %q", registry), "spec.registries", list{registry}, says})
	}
	return append(cases,
		specCase{"no registry", "spec.registries", list{}, "at least 1 items"},
		specCase{"too many registries", "spec.registries", numbered("r%d.company.io", 33), "at most 32 items"},
		specCase{"as many registries as may be", "spec.registries", numbered("r%d.company.io/"+strings.Repeat("a", 230), 32), ""},
	)
}

// TestARegistryThatIsAdmittedServesImages compares the cases above with what a kubelet does. Names of Docker Hub are written as it needs
// them.
func TestARegistryThatIsAdmittedServesImages(t *testing.T) {
	for _, test := range registryCases() {
		for _, value := range test.value.(list) {
			if name := value.(string); test.says == "" && !registry.CanMatch(name) && registry.Host(name) != registry.DockerHub {
				t.Errorf("%s is admitted, and a kubelet uses it for no image", name)
			}
		}
	}
}

// asking is a source of an engine that makes credentials, with a request.
func asking(request object) object {
	return object{"mount": "dockerhub", "path": "token/company/pull", "engine": "Dynamic", "request": request}
}

// exchanging is a spec with an exchange at a cloud.
func exchanging(cloud string, how object, registries ...any) object {
	return object{
		"registries": registries, "target": object{"namespaces": list{"shop"}},
		"source": object{"vault": object{"mount": "cloud", "path": "creds/pull", "engine": "Dynamic", "exchange": object{cloud: how}}},
	}
}

func parametersNamed(count int) object {
	parameters := object{}
	for i := range count {
		parameters[fmt.Sprintf("p%d", i)] = strings.Repeat("a", 1024)
	}
	return parameters
}

func sourceCases() []specCase {
	return []specCase{
		{"no source", "spec.source", object{}, "exactly one source"},
		{"a path that climbs", "spec.source.vault.path", "a/../b", "no empty, '.' or '..' segment"},
		{"a path with a slash in front", "spec.source.vault.path", "/a", "no empty, '.' or '..' segment"},
		{"a path with a query", "spec.source.vault.path", "a?version=1", "holds none of"},
		{"a path with an escape", "spec.source.vault.path", "%73ys/mounts", "holds none of"},
		{"a path with data/ in front", "spec.source.vault.path", "data/platform/company", "without data/"},
		{"a path that only begins like data/", "spec.source.vault.path", "database/company", ""},
		{"a path with data/ in front in an engine that has no versions", "spec.source.vault", object{"mount": "kv", "path": "data/a", "engine": "KVv1"}, ""},
		{"a mount of Vault's own", "spec.source.vault.mount", "sys", isVaultsOwn},
		{"a mount below one of Vault's own", "spec.source.vault.mount", "auth/token", isVaultsOwn},
		{"a mount of Vault's own in a namespace", "spec.source.vault.mount", "team/a/identity", isVaultsOwn},
		{"a mount with an escape", "spec.source.vault.mount", "%73ys", "holds none of"},
		{"a path of Vault's own below a namespace", "spec.source.vault", object{"mount": "team", "path": "sys/mounts", "engine": "Dynamic"}, isVaultsOwn},
		{"a path of Vault's own below what could be a namespace", "spec.source.vault.path", "auth/token/lookup-self", isVaultsOwn},
		{"a path of Vault's own below two namespaces", "spec.source.vault", object{"mount": "team", "path": "inner/auth/token/lookup-self", "engine": "Dynamic"}, isVaultsOwn},
		{"a folder with such a name within the path", "spec.source.vault.path", "platform/auth/company", ""},
		{"a mount that only begins like one of Vault's own", "spec.source.vault.mount", "system", ""},
		{"a mount that differs in case", "spec.source.vault.mount", "Auth", ""},
		{"an engine that nobody knows", "spec.source.vault.engine", "KV", "Unsupported value"},
		{"two shapes of keys", "spec.source.vault.keys", object{"auth": "a", "dockerConfig": "b"}, "set one of"},
		{"a literal user name", "spec.source.vault.username", "robot$company+pull", ""},
		{"a literal user name with a colon", "spec.source.vault.username", "a:b", "no colon"},
		{"a literal user name with a line break", "spec.source.vault.username", "a\n", "no control character"},
		{"a literal user name beside the key of the password", "spec.source.vault", withUser(object{"password": "token"}), ""},
		{"a literal user name beside a key of a user name", "spec.source.vault", withUser(object{"username": "user"}), "leave username out"},
		{"a literal user name beside auth", "spec.source.vault", withUser(object{"auth": "auth"}), "leave username out"},
		{"a literal user name beside a docker config", "spec.source.vault", withUser(object{"dockerConfig": "config"}), "leave username out"},
		{"a POST with parameters", "spec.source.vault", asking(object{"method": "POST", "parameters": object{"label": "regcred", "ttl": "1h"}}), ""},
		{"a GET with the role of another account", "spec.source.vault", asking(object{"parameters": object{"role_arn": "arn:aws:iam::111122223333:role/pull"}}), ""},
		{"another method", "spec.source.vault", asking(object{"method": "DELETE"}), "Unsupported value"},
		{"a request to an engine that keeps secrets", "spec.source.vault", object{"mount": "secret", "path": "a", "request": object{"method": "POST"}}, "set engine to Dynamic"},
		{"a POST to one of Vault's own paths", "spec.source.vault", object{"mount": "sys", "path": "seal", "engine": "Dynamic", "request": object{"method": "POST"}}, isVaultsOwn},
		{"a parameter that holds a secret", "spec.source.vault", asking(object{"parameters": object{"client_secret": "x"}}), "parameters hold no secret"},
		{"a parameter that holds a password", "spec.source.vault", asking(object{"parameters": object{"bindPassword": "x"}}), "parameters hold no secret"},
		{"a parameter that holds a token", "spec.source.vault", asking(object{"parameters": object{"access_token": "x"}}), "parameters hold no secret"},
		{"a parameter that only speaks of tokens", "spec.source.vault", asking(object{"parameters": object{"token_ttl": "1h"}}), ""},
		{"a parameter that makes a list of the read", "spec.source.vault", asking(object{"parameters": object{"list": "true"}}), "something else than make a credential"},
		{"a parameter that brings a secret back from a snapshot", "spec.source.vault", asking(object{"method": "POST", "parameters": object{"recover_snapshot_id": "1"}}), "something else than make a credential"},
		{"a parameter that is none", "spec.source.vault", asking(object{"parameters": object{"a b": "x"}}), "named as the engine documents it"},
		{"a parameter with a line break", "spec.source.vault", asking(object{"parameters": object{"label": "a\nb"}}), "no control character"},
		{"a parameter that is too long", "spec.source.vault", asking(object{"parameters": object{"label": strings.Repeat("a", 1025)}}), "than 1024"},
		{"too many parameters", "spec.source.vault", asking(object{"parameters": parametersNamed(17)}), "at most 16"},
		{"as many parameters as may be", "spec.source.vault", asking(object{"parameters": parametersNamed(16)}), ""},
		{"an exchange at Amazon", "spec", exchanging("ecr", object{}, "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team", "*.dkr-ecr.us-east-1.on.aws", "public.ecr.aws"), ""},
		{"an exchange at Amazon for a registry of somebody else", "spec", exchanging("ecr", object{}, "111122223333.dkr.ecr.eu-west-1.amazonaws.com", "ghcr.io"), "exchange.ecr gives logins at Amazon ECR"},
		{"an exchange at Amazon for a host that only begins like one", "spec", exchanging("ecr", object{}, "public.ecr.aws.evil.example"), "exchange.ecr gives logins at Amazon ECR"},
		{"an exchange at Azure", "spec", exchanging("acr", object{"tenant": "company.onmicrosoft.com"}, "company.azurecr.io", "other.azurecr.io/team"), ""},
		{"an exchange at Azure with a GUID", "spec", exchanging("acr", object{"tenant": "11111111-2222-3333-4444-555555555555"}, "company.azurecr.us"), ""},
		{"an exchange at Azure for a registry of somebody else", "spec", exchanging("acr", object{}, "company.azurecr.io.evil.example"), "exchange.acr gives logins at registries of Azure"},
		{"a tenant that is a path", "spec", exchanging("acr", object{"tenant": "a/../b"}, "company.azurecr.io"), "a tenant is its GUID"},
		{"two exchanges", "spec.source.vault.exchange", object{"ecr": object{}, "acr": object{}}, "exactly one exchange"},
		{"no exchange", "spec.source.vault.exchange", object{}, "exactly one exchange"},
		{"an exchange beside keys", "spec.source.vault", object{"mount": "aws", "path": "sts/a", "engine": "Dynamic", "exchange": object{"ecr": object{}}, "keys": object{"password": "x"}}, "leave username and keys out"},
		{"a connection that cannot be", "spec.source.vault.connection", "Default!", isADNSName},
		{"a connection with dots", "spec.source.vault.connection", "eu-1.vault", ""},
		{"a refresh period that is too short", "spec.refreshPeriodSeconds", int64(1), "greater than or equal to 5"},
		{"a deletion policy that nobody knows", "spec.deletionPolicy", "Sometimes", "Unsupported value"},
		{"a name that is too long", "metadata.name", strings.Repeat("a", 64), "at most 63 characters"},
		{"a name that is as long as it may be", "metadata.name", strings.Repeat("a", 63), ""},
	}
}

func withUser(keys object) object {
	return object{"mount": "secret", "path": "a", "username": "robot", "keys": keys}
}

func verificationCases() []specCase {
	cases := []specCase{
		{"a verification that is Disabled", "spec.verification", object{"mode": "Disabled"}, ""},
		{"a verification that is Off", "spec.verification", object{"mode": "Off"}, "Unsupported value"},
		{"a verification that is off, as YAML 1.1 reads it", "spec.verification", object{"mode": false}, "must be of type string"},
		{"images without a mode", "spec.verification", object{"images": list{"registry.company.io/app:1"}}, ""},
		{"images with mode Login", "spec.verification", object{"mode": "Login", "images": list{"registry.company.io/app:1"}}, "with mode Pull only"},
		{"images with mode Disabled", "spec.verification", object{"mode": "Disabled", "images": list{"registry.company.io/app:1"}}, "with mode Pull only"},
		{"no images with mode Login", "spec.verification", object{"mode": "Login", "images": list{}}, ""},
		{"an image with a scheme", "spec.verification", object{"images": list{"https://registry.company.io/app"}}, "without a scheme"},
		{"an image with a blank", "spec.verification", object{"images": list{"registry.company.io/app :1"}}, "without a scheme and blanks"},
		{"a pod recovery that is Disabled", "spec.podRecovery", object{"mode": "Disabled"}, ""},
		{"a pod recovery that is Off", "spec.podRecovery", object{"mode": "Off"}, "Unsupported value"},
	}
	for _, test := range []struct{ registry, image, says string }{
		{"registry.company.io", "registry.company.io/team/app:1", ""},
		{"registry.company.io", "registry.company.io.evil.example/app", isOutside},
		{"registry.company.io", "registry.company.io:5000/app", isOutside},
		{"registry.company.io:5000", "registry.company.io:5000/app@sha256:" + strings.Repeat("0", 64), ""},
		{"registry.company.io", "Registry.company.io/app", isOutside},
		{"Registry.company.io", "Registry.company.io/app", ""},
		{"ghcr.io/company", "ghcr.io/company-b/app", ""},
		{"ghcr.io/company/", "ghcr.io/company-b/app", isOutside},
		{"ghcr.io/company", "ghcr.io/other/app", isOutside},
		{"ghcr.io/v2/company", "ghcr.io/company/app", ""},
		{"docker.io", "nginx", ""},
		{"docker.io/company", "company/app:1", ""},
		{"index.docker.io", "docker.io/company/app", ""},
		{"hub.docker.com", "index.docker.io/company/app", ""},
		{"docker.io", "quay.io/company/app", isOutside},
		{"quay.io", "nginx", isOutside},
		{"localhost", "localhost/app", ""},
		{"*.company.io", "registry.company.io/app", ""},
		{"*.company.io", "a.b.company.io/app", isOutside},
		{"*.company.io", "quay.io/app", isOutside},
		{"*.company.io:5000/team", "eu.company.io:5000/app", ""},
		{"*.io", "nginx", ""},
		{"[::1]:5000", "[::1]:5000/app", ""},
	} {
		cases = append(cases, specCase{fmt.Sprintf("the image %s of the registry %s", test.image, test.registry), "spec", object{
			"registries": list{test.registry}, "source": object{"vault": object{"mount": "secret", "path": "a"}},
			"target": object{"namespaces": list{"prod"}}, "verification": object{"images": list{test.image}},
		}, test.says})
	}
	return append(cases, specCase{"as many registries and images as may be, one of them outside", "spec", object{
		"registries": numbered("*.a%d."+strings.Repeat("a", 200)+".io", 32), "source": object{"vault": object{"mount": "secret", "path": "a"}},
		"target": object{"namespaces": list{"prod"}}, "verification": object{"images": numbered("x.a%d.company.io/"+strings.Repeat("a", 480), 10)},
	}, isOutside})
}

func labelsNumbered(n int) object {
	labels := object{}
	for i := range n {
		labels[fmt.Sprintf("key-%d", i)] = "v"
	}
	return labels
}

func targetCases() []specCase {
	cases := []specCase{
		{"no namespaces", "spec.target", object{}, "say which namespaces"},
		{"an empty list of namespaces", "spec.target", object{"namespaces": list{}}, "say which namespaces"},
		{"a selector that selects everything", "spec.target.namespaceSelector", object{}, "select every namespace"},
		{"a selector with empty lists", "spec.target.namespaceSelector", object{"matchLabels": object{}, "matchExpressions": list{}}, "select every namespace"},
		{"a namespace that cannot be", "spec.target.namespaces", list{"Prod"}, "lower case letters, digits and '-'"},
		{"an excluded namespace that cannot be", "spec.target.excludedNamespaces", list{"a.b"}, "lower case letters, digits and '-'"},
		{"a namespace both named and excluded", "spec.target", object{"namespaces": list{"prod", "test"}, "excludedNamespaces": list{"test"}}, "take it out of one of them"},
		{"an excluded namespace beside a named one", "spec.target", object{"namespaces": list{"prod"}, "excludedNamespaces": list{"test"}}, ""},
		{"as many namespaces as may be", "spec.target", object{
			"namespaces": numbered("n%d-"+strings.Repeat("a", 55), 1000), "excludedNamespaces": numbered("n%d-"+strings.Repeat("b", 55), 500)}, ""},
		{"entries per host", "spec.target.entryPer", "Host", ""},
		{"entries per registry", "spec.target.entryPer", "Registry", ""},
		{"entries per something else", "spec.target.entryPer", "Path", "Unsupported value"},
		{"labels for the Secret", "spec.target.secretLabels", object{"controller.devfile.io/devworkspace_pullsecret": "true", "empty": ""}, ""},
		{"a label for the Secret with a value that is none", "spec.target.secretLabels", object{"a": "no label value"}, "begins and ends with a letter or digit"},
		{"a label for the Secret with a value that is too long", "spec.target.secretLabels", object{"a": strings.Repeat("a", 64)}, "Too long"},
		{"more labels for the Secret than may be", "spec.target.secretLabels", labelsNumbered(17), "must have at most 16"},
		{"as many labels for the Secret as may be", "spec.target.secretLabels", labelsNumbered(16), ""},
		{"annotations for the Secret", "spec.target.secretAnnotations", object{"tekton.dev/docker-0": "https://registry.company.io"}, ""},
		{"an annotation for the Secret that is too long", "spec.target.secretAnnotations", object{"a": strings.Repeat("a", 1025)}, "Too long"},
		{"more annotations for the Secret than may be", "spec.target.secretAnnotations", labelsNumbered(17), "must have at most 16"},
		{"a Secret name that cannot be", "spec.target.secretName", "Not_A_Name", isADNSName},
		{"a Secret name with dots", "spec.target.secretName", "a.b-1", ""},
		{"a Secret name with two dots", "spec.target.secretName", "a..b", isADNSName},
		{"an empty list of ServiceAccounts", "spec.target.serviceAccounts", list{}, ""},
		{"a ServiceAccount that cannot be", "spec.target.serviceAccounts", list{"Default"}, isADNSName},
		{"ServiceAccounts", "spec.target.serviceAccounts", list{"default", "ci.runner"}, ""},
		{"an attachment to pods", "spec.target", object{"namespaces": list{"a"}, "attach": "Pods"}, ""},
		{"an attachment to pods beside no ServiceAccounts", "spec.target", object{"namespaces": list{"a"}, "attach": "Pods", "serviceAccounts": list{}}, ""},
		{"an attachment to pods beside ServiceAccounts", "spec.target", object{"namespaces": list{"a"}, "attach": "Pods", "serviceAccounts": list{"default"}}, "with attach ServiceAccounts alone"},
		{"no attachment beside ServiceAccounts", "spec.target", object{"namespaces": list{"a"}, "attach": "None", "serviceAccounts": list{"default"}}, "with attach ServiceAccounts alone"},
		{"an attachment to ServiceAccounts", "spec.target", object{"namespaces": list{"a"}, "attach": "ServiceAccounts", "serviceAccounts": list{"default"}}, ""},
		{"an attachment to something else", "spec.target.attach", "Nodes", "Unsupported value"},
	}
	for name, expression := range map[string]object{
		"In without values": {"operator": "In"}, "In with an empty list": {"operator": "In", "values": list{}}, "NotIn without values": {"operator": "NotIn"},
		"Exists with values": {"operator": "Exists", "values": list{"a"}}, "DoesNotExist with values": {"operator": "DoesNotExist", "values": list{"a"}},
		"an operator that nobody knows": {"operator": "Like", "values": list{"a"}}, "too many values": {"operator": "In", "values": numbered("v%d", 251)},
	} {
		says := map[string]string{"In": "need values", "NotIn": "need values", "Exists": "take no values", "DoesNotExist": "take no values", "Like": "is In, NotIn, Exists or DoesNotExist"}[expression["operator"].(string)]
		if name == "too many values" {
			says = "at most 250 values"
		}
		expression["key"] = "team"
		cases = append(cases, specCase{name, "spec.target.namespaceSelector", object{"matchExpressions": list{expression}}, says})
	}
	many := object{}
	expressions := list{}
	for i := range 33 {
		many[fmt.Sprintf("k%d", i)] = "a"
		expressions = append(expressions, object{"key": fmt.Sprintf("k%d", i), "operator": "In", "values": numbered("v%d", 250)})
	}
	return append(cases,
		specCase{"too many labels", "spec.target.namespaceSelector", object{"matchLabels": many}, "matchLabels has at most 32"},
		specCase{"too many expressions", "spec.target.namespaceSelector", object{"matchExpressions": expressions}, "matchExpressions has at most 32"},
		specCase{"as many expressions as may be", "spec.target.namespaceSelector", object{"matchExpressions": expressions[:32]}, ""},
		specCase{"all four operators", "spec.target.namespaceSelector", object{"matchExpressions": list{
			object{"key": "a", "operator": "In", "values": list{"a"}}, object{"key": "b", "operator": "NotIn", "values": list{"a"}},
			object{"key": "c", "operator": "Exists"}, object{"key": "d", "operator": "DoesNotExist", "values": list{}},
		}}, ""},
	)
}

// numbered are n values of a format with one number in it.
func numbered(format string, n int) list {
	values := list{}
	for i := range n {
		values = append(values, fmt.Sprintf(format, i))
	}
	return values
}

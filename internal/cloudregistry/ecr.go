package cloudregistry

import (
	"regexp"
	"strings"
)

// ECR is a registry of Amazon ECR, or all of a region where the account is a wildcard: a login is for one region.
type ECR struct {
	// Account is twelve digits, or "*". Empty for the public gallery.
	Account string
	// Region such as eu-west-1.
	Region string
	// Endpoint is the host of the API that gives logins.
	Endpoint string
	// Public says that it is the public gallery, whose API is another one.
	Public bool
}

// ecrHost has the forms of https://docs.aws.amazon.com/general/latest/gr/ecr.html: amazonaws.com with its FIPS form, dual stack (on.aws),
// China, the European Sovereign Cloud, and the partitions that the public does not see.
var ecrHost = regexp.MustCompile(`^([0-9]{12}|\*)\.dkr([.-])ecr(-fips)?\.([a-z]{2,5}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2})\.` +
	`(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)

// publicHosts are those of the public gallery.
var publicHosts = []string{"public.ecr.aws", "ecr-public.aws.com"}

// ParseECR reads the host of a registry, in any case of letters. It reports false for a host that is none of Amazon's.
func ParseECR(host string) (ECR, bool) {
	host = strings.ToLower(host)
	for _, public := range publicHosts {
		if host == public {
			return ECR{Region: "us-east-1", Endpoint: "api.ecr-public.us-east-1.amazonaws.com", Public: true}, true
		}
	}
	match := ecrHost.FindStringSubmatch(host)
	if match == nil {
		return ECR{}, false
	}
	account, separator, fips, region, suffix := match[1], match[2], match[3], match[4], match[5]
	dualStack := strings.HasPrefix(suffix, "on.")
	if dualStack != (separator == "-") { // dkr-ecr and on.aws go together
		return ECR{}, false
	}
	if isChina := strings.HasSuffix(suffix, ".cn"); isChina != strings.HasPrefix(region, "cn-") {
		return ECR{}, false
	}
	return ECR{Account: account, Region: region, Endpoint: ecrEndpoint(region, suffix, fips)}, true
}

// ecrEndpoint is where the SDKs find the API (endpoint rule set of service/ecr in aws-sdk-go-v2). In China the plain endpoint serves dual
// stack hosts, too.
func ecrEndpoint(region, suffix, fips string) string {
	switch suffix {
	case "on.aws":
		return "ecr" + fips + "." + region + ".api.aws"
	case "on.amazonwebservices.com.cn":
		suffix = "amazonaws.com.cn"
	}
	return "api.ecr" + fips + "." + region + "." + suffix
}

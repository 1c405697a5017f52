package s3

import (
	"net/url"
	"strings"
)

// defaultRegion is what servers that know no regions go by, and where AWS
// answers for buckets elsewhere with the right one.
const defaultRegion = "us-east-1"

// hostRegion returns the region that an AWS host name states, or "".
//
//	s3.eu-central-1.amazonaws.com  s3-eu-west-1.amazonaws.com
//	s3.dualstack.us-west-2.amazonaws.com  s3.cn-north-1.amazonaws.com.cn
func hostRegion(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(u.Hostname(), ".cn")
	name, ok := strings.CutSuffix(host, ".amazonaws.com")
	if !ok {
		return ""
	}
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	if region, ok := strings.CutPrefix(last, "s3-"); ok && len(labels) == 1 {
		last = region
	}
	if strings.Count(last, "-") < 2 {
		return "" // s3.amazonaws.com, s3-accelerate.amazonaws.com
	}
	return strings.TrimPrefix(last, "fips-")
}

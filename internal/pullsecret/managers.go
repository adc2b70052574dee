package pullsecret

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"regcred.dev/regcred/api/v1alpha1"
)

// Managers are the names of the field managers other than regcred, the latest first.
func Managers(fields []metav1.ManagedFieldsEntry) []string {
	var names []string
	known := map[string]bool{}
	for _, entry := range latestFirst(fields) {
		if !known[entry.Manager] {
			known[entry.Manager] = true
			names = append(names, entry.Manager)
		}
	}
	return names
}

// Rival names who last changed a field of an object, such as imagePullSecrets: a field manager other than regcred that holds
// the field, else the latest. It is empty where nobody is recorded.
func Rival(fields []metav1.ManagedFieldsEntry, field string) string {
	others := latestFirst(fields)
	for _, entry := range others {
		if strings.Contains(entry.FieldsV1.GetRawString(), `"f:`+field+`"`) {
			return entry.Manager
		}
	}
	if len(others) == 0 {
		return ""
	}
	return others[0].Manager
}

// Applier names a field manager other than regcred that applies a field of an object (server-side apply), such as imagePullSecrets. Whoever
// else changes the field makes its next apply a conflict. Empty where there is none. A sharer is none.
func Applier(fields []metav1.ManagedFieldsEntry, field string) string {
	for _, entry := range latestFirst(fields) {
		if entry.Operation == metav1.ManagedFieldsOperationApply && holds(entry, field) && !slices.Contains(sharers, entry.Manager) {
			return entry.Manager
		}
	}
	return ""
}

// sharers are field managers that apply a list as they found it, with an entry of their own added: they keep what others write into it, and
// by force they meet no conflict. No person writes what they apply, so nobody could add an entry there.
var sharers = []string{
	// OpenShift gives each ServiceAccount a pull Secret for its own registry:
	// https://github.com/openshift/openshift-controller-manager, pkg/internalregistry/controllers/service_account_controller.go
	"openshift.io/image-registry-pull-secrets_service-account-controller",
}

// holds reports whether a manager holds a field at the top of an object. The text of its fields is parsed: the name can occur elsewhere.
func holds(entry metav1.ManagedFieldsEntry, field string) bool {
	var top map[string]json.RawMessage
	if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &top) != nil {
		return false
	}
	_, held := top["f:"+field]
	return held
}

// mostManagers is how many field managers are looked at, the last of the list: an object has a handful, and whoever may write it can
// make thousands.
const mostManagers = 256

// latestFirst sorts the entries of others by their time. Of two in the same second, the one that is listed later comes first.
func latestFirst(fields []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	fields = fields[max(0, len(fields)-mostManagers):]
	others := slices.DeleteFunc(slices.Clone(fields), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == "" || entry.Manager == v1alpha1.FieldManager
	})
	slices.Reverse(others)
	slices.SortStableFunc(others, func(a, b metav1.ManagedFieldsEntry) int {
		return timeOf(b).Compare(timeOf(a))
	})
	return others
}

func timeOf(entry metav1.ManagedFieldsEntry) time.Time {
	if entry.Time == nil {
		return time.Time{}
	}
	return entry.Time.Time
}

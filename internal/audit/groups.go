package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Group are rows that have everything in common but the place. Its JSON form is stable.
type Group struct {
	Result   Result `json:"result"`
	Reason   Reason `json:"reason"`
	Registry string `json:"registry"`
	// ProvidedBy is the RegistryCredential, or the Secret and its owner, empty where there is none.
	ProvidedBy string     `json:"providedBy,omitempty"`
	From       string     `json:"from,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Images     int        `json:"images"`
	// Workloads and Pods are how many have such an image.
	Workloads int `json:"workloads"`
	Pods      int `json:"pods"`
	// First is the first workload, Message what is said of it.
	First   string `json:"first"`
	Message string `json:"message,omitempty"`
}

// like is what the rows of a group have in common.
type like struct {
	result                     Result
	reason                     Reason
	registry, providedBy, from string
	until                      time.Time
}

// Groups puts rows together, in the order of the rows.
func Groups(rows []Row) []Group {
	found := map[like]*Group{}
	images, workloads := map[like]map[string]bool{}, map[like]map[string]bool{}
	var all []*Group
	for _, row := range rows {
		key := like{result: row.Result, reason: row.Reason, registry: row.Registry, providedBy: row.ProvidedBy(), from: row.From}
		if row.Until != nil {
			key.until = *row.Until
		}
		g := found[key]
		if g == nil {
			g = &Group{Result: row.Result, Reason: row.Reason, Registry: row.Registry, ProvidedBy: key.providedBy, From: row.From, Until: row.Until,
				First: row.Place(), Message: row.Message}
			found[key], images[key], workloads[key] = g, map[string]bool{}, map[string]bool{}
			all = append(all, g)
		}
		images[key][row.Image] = true
		if !workloads[key][row.Place()] {
			workloads[key][row.Place()] = true
			g.Workloads++
			g.Pods += row.Pods
		}
		g.Images = len(images[key])
	}
	groups := []Group{}
	for _, g := range all {
		groups = append(groups, *g)
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Result), slices.Index(order, b.Result)), cmp.Compare(b.Workloads, a.Workloads))
	})
	return groups
}

// ProvidedBy names in words what can pull the image.
func (r Row) ProvidedBy() string {
	switch {
	case r.Credential != "":
		return r.Credential
	case r.Secret != "" && r.Owner != "":
		return "Secret " + r.Secret + " of " + r.Owner
	case r.Secret != "":
		return "Secret " + r.Secret
	}
	return ""
}

// Place names the workload: "shop/Deployment/web".
func (r Row) Place() string { return r.Namespace + "/" + r.Kind + "/" + r.Workload }

// Sum counts the results of pulls in words: "2 Fails, 40 Accepted".
func Sum(rows []Row) string {
	counts := map[Result]int{}
	for _, row := range rows {
		counts[row.Result]++
	}
	var parts []string
	for _, result := range order {
		if counts[result] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[result], result))
		}
	}
	return strings.Join(parts, ", ")
}

// Fail reports whether a pull would fail.
func Fail(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Result == Fails })
}

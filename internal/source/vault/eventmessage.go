package vault

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

const (
	// maxEvent is the longest message of an event that is read, in bytes. Vault's own have about a thousand.
	maxEvent = 64 << 10
	// maxState is the longest name of a state (X-Vault-Index) that is sent back. Vault's have about 150 characters.
	maxState = 1 << 10
)

// eventMessage is what is used of an event: CloudEvents with Vault's own data, as https://developer.hashicorp.com/vault/docs/concepts/events
// has it. All values of metadata are text.
type eventMessage struct {
	Data struct {
		Event struct {
			Metadata map[string]any `json:"metadata"`
		} `json:"event"`
		EventType  string `json:"event_type"`
		Namespace  string `json:"namespace"`
		PluginInfo struct {
			MountPath string `json:"mount_path"`
		} `json:"plugin_info"`
	} `json:"data"`
}

// eventNews is what an event says: which paths may hold something new, and the state of the server that has it.
type eventNews struct {
	// paths are all that can be meant, with the namespace before them and without a slash at the ends, sorted.
	paths []string
	// state is the value for X-Vault-Index, empty where there is none.
	state string
}

// parseEvent reads a message. It says nothing of one that is not understood, that tells of a failure, or that names no path: whoever
// reads at a period finds what is new all the same.
func parseEvent(message []byte) eventNews {
	var event eventMessage
	if json.Unmarshal(message, &event) != nil {
		return eventNews{}
	}
	data := &event.Data
	text := func(key string) string { value, _ := data.Event.Metadata[key].(string); return value }
	if text("modified") == "false" || strings.HasSuffix(data.EventType, "-fail") {
		return eventNews{}
	}
	mount := strings.Trim(data.PluginInfo.MountPath, "/")
	found := map[string]bool{}
	for _, path := range []string{text("path"), text("data_path")} {
		for _, below := range belowMount(mount, path) {
			for _, read := range readPaths(data.EventType, below, text("name")) {
				found[eventPath(data.Namespace, mount+"/"+read)] = true
			}
		}
	}
	delete(found, "") // An event without a mount and without a path.
	news := eventNews{paths: slices.Sorted(maps.Keys(found)), state: text("vault_index")}
	if len(news.state) > maxState || strings.ContainsFunc(news.state, notBase64) {
		news.state = ""
	}
	return news
}

// belowMount gives the forms of a path below its mount: Vault 1.14 tells paths below the mount (data/a), later versions with it
// (secret/data/a). A path that begins with the name of its mount can be both.
func belowMount(mount, path string) []string {
	path = strings.Trim(path, "/")
	return []string{path, strings.Trim(strings.TrimPrefix(path+"/", mount+"/"), "/")}
}

// readPaths are the paths that are read where something at a path below the mount has changed. KV version 2 tells of data/a, delete/a,
// metadata/a and so on, and of plain a in some versions; all are read at data/a. Other engines name the role that was rotated.
func readPaths(kind, below, role string) []string {
	if below == "" && role == "" {
		return nil
	}
	engine, _, _ := strings.Cut(kind, "/")
	if engine == "kv-v2" {
		paths := []string{"data/" + below}
		if first, rest, deeper := strings.Cut(below, "/"); deeper && slices.Contains(kv2Prefixes, first) {
			paths = append(paths, "data/"+rest)
		}
		return paths
	}
	paths := []string{below}
	if role != "" && engine != "kv-v1" {
		paths = append(paths, "static-creds/"+role, "static-cred/"+role)
	}
	return paths
}

var kv2Prefixes = []string{"data", "metadata", "delete", "undelete", "destroy", "subkeys"}

// eventPath is the name of a path in a namespace: its segments without the empty ones, so that no writing of slashes makes another name.
// The root namespace is "" or "root".
func eventPath(namespace, path string) string {
	if namespace = strings.Trim(namespace, "/"); namespace == "root" {
		namespace = ""
	}
	segments := strings.Split(namespace+"/"+path, "/")
	return strings.Join(slices.DeleteFunc(segments, func(segment string) bool { return segment == "" }), "/")
}

func notBase64(r rune) bool {
	isBase64 := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("+/=-_", r)
	return !isBase64
}

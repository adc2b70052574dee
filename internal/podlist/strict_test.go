package podlist

import (
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"regcred.dev/regcred/test/racedetector"
)

func readAll(text string) (pods []Pod, next string, err error) {
	read, _, err := newScanner(strings.NewReader(text)).readList(func(pod Pod) bool {
		pods = append(pods, pod)
		return true
	})
	return pods, read.next, err
}

// A connection that breaks looks like the end of the stream. Wherever that is, what was read is not taken for the whole list.
func TestAListThatEndsAnywhereIsCutOff(t *testing.T) {
	list := `{"kind":"PodList","metadata":{"continue":"abc","n":[1.5e+3,true]},"items":[` + onePod + `,` + onePod + `]}`
	for end := range list {
		if _, _, err := readAll(list[:end]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut off behind %q: %v", list[:end], err)
		}
	}
	if pods, next, err := readAll(list); err != nil || len(pods) != 2 || next != "abc" {
		t.Errorf("the whole: %d pods, next %q, error %v", len(pods), next, err)
	}
}

// Each of these would be a list again if what is wrong in it were overlooked.
func TestWhatIsWrongInsideAListIsNotOverlooked(t *testing.T) {
	for name, text := range map[string]string{
		"a member of metadata without a value":    `{"metadata":{"a"}}`,
		"a member of a pod without a value":       `{"items":[{"a"}]}`,
		"a member of a spec without a value":      `{"items":[{"spec":{"a"}}]}`,
		"an array that ends as an object does":    `{"items":[{"spec":{"containers":["a"}}}]}`,
		"a known member without a value":          `{"items":[{"metadata":{"name":}}}]}`,
		"a name of a member that is no JSON":      `{"\x":1}`,
		"an unknown member without a value":       `{"items":[{"x":]}]}`,
		"a member whose name ends with no colon":  `{"a"x1}`,
		"one more than is kept without a value":   `{"items":[{"spec":{"imagePullSecrets":[` + strings.Repeat(`{"name":"s"},`, MaxListed) + `{"name":]}}]}`,
		"owners that end as an object does":       `{"items":[{"metadata":{"ownerReferences":["a"}}}]}`,
		"an image that is no JSON":                `{"items":[{"spec":{"containers":[{"image":"\x"}]}}]}`,
		"a list of names that is no array at all": `{"items":[{"spec":{"imagePullSecrets":]}}]}`,
	} {
		if pods, _, err := readAll(text); err == nil {
			t.Errorf("%s: %+v", name, pods)
		}
	}
}

func TestContainersOfAllKindsTellWhyTheyWait(t *testing.T) {
	waits := func(reason string) string { return `[{"state":{"waiting":{"reason":"` + reason + `"}}}]` }
	pods, _, err := readAll(`{"items":[{"status":{"initContainerStatuses":` + waits("a") + `,"containerStatuses":` + waits("b") + `,"ephemeralContainerStatuses":` + waits("c") + `}}]}`)
	if err != nil || len(pods) != 1 || !reflect.DeepEqual(pods[0].Waiting, []string{"a", "b", "c"}) {
		t.Errorf("%+v, %v", pods, err)
	}
}

func TestHowLongAnImageMayBeIsCountedInWhatItSays(t *testing.T) {
	list := func(image string) string {
		return `{"items":[{"spec":{"containers":[{"image":"` + image + `"},{"image":"next"}]}}]}`
	}
	for _, test := range []struct{ name, image, want string }{
		{"the longest, each byte of it escaped", strings.Repeat(`\u0061`, MaxImageLength), strings.Repeat("a", MaxImageLength)},
		{"one more", strings.Repeat(`\u0061`, MaxImageLength+1), ""},
		{"much longer, in one piece", strings.Repeat("a", 20*MaxImageLength), ""},
		{"much longer, in pieces", strings.Repeat(`\"`, 20*MaxImageLength), ""},
	} {
		pods, _, err := readAll(list(test.image))
		want := []string{"next"}
		if test.want != "" {
			want = []string{test.want, "next"}
		}
		if err != nil || len(pods) != 1 || !reflect.DeepEqual(pods[0].Images, want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// The people of a namespace choose what an image is called, too.
func TestAnImageThatIsTooLongIsNeverInMemory(t *testing.T) {
	racedetector.Skip(t)
	for _, filler := range []string{"x", `\"`} {
		huge := io.MultiReader(strings.NewReader(`{"items":[{"spec":{"containers":[{"image":"`),
			io.LimitReader(&repeat{text: filler}, 8<<20), strings.NewReader(`"},{"image":"r.io/a"}]}}]}`))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		images := 0
		_, _, err := newScanner(huge).readList(func(pod Pod) bool { images += len(pod.Images); return true })
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; err != nil || images != 1 || allocated > 1<<20 {
			t.Errorf("filled with %q: %d images, %d bytes allocated, error %v", filler, images, allocated, err)
		}
	}
}

func TestSpaceOfAllKindsStandsBetweenWhatBelongsTogether(t *testing.T) {
	pods, next, err := readAll("\t{\r\n\t\"items\" : [ {\t\"metadata\":{\"name\"\t:\t\"web\" }\t}\r] ,\n\"metadata\":\t{\"continue\":\"abc\"} }\t")
	if err != nil || len(pods) != 1 || pods[0].Name != "web" || next != "abc" {
		t.Errorf("%+v, %q, %v", pods, next, err)
	}
}

func TestAPodThatCannotBeReadIsShownToNobody(t *testing.T) {
	if pods, _, err := readAll(`{"items":[{"metadata":{"name":"web"},"a"}]}`); err == nil || len(pods) > 0 {
		t.Errorf("%+v, %v", pods, err)
	}
}

func TestAnImageThatNoContainerPullsIsNotedAsThat(t *testing.T) {
	for _, test := range []struct{ name, spec, want string }{
		{"none", `"containers":[{"image":"a","imagePullPolicy":"Always"},{"image":"b"}]`, ""},
		{"one, twice", `"initContainers":[{"imagePullPolicy":"Never","image":"a"}],"containers":[{"image":"a","imagePullPolicy":"Never"},{"image":"b"}]`, "a"},
		{"one that another container pulls", `"initContainers":[{"image":"a","imagePullPolicy":"Never"}],"containers":[{"image":"a","imagePullPolicy":"IfNotPresent"}]`, ""},
		{"one that a container pulls before", `"initContainers":[{"image":"a"}],"containers":[{"image":"a","imagePullPolicy":"Never"}]`, ""},
		{"a volume", `"volumes":[{"image":{"reference":"a","pullPolicy":"Never"}},{"image":{"reference":"b","pullPolicy":"Always"}}]`, "a"},
		{"a policy of another type, or a long one", `"containers":[{"image":"a","imagePullPolicy":["Never"]},{"image":"b","imagePullPolicy":"Never` + strings.Repeat("x", 100) + `"}]`, ""},
		{"a policy without an image", `"containers":[{"imagePullPolicy":"Never"},{"image":"a"},{"image":"b","imagePullPolicy":"Never"}]`, "b"},
	} {
		pods, _, err := readAll(`{"items":[{"spec":{` + test.spec + `}}]}`)
		if err != nil || len(pods) != 1 || strings.Join(pods[0].NeverPulled, " ") != test.want {
			t.Errorf("%s: %v, %+v", test.name, err, pods)
		}
	}
}

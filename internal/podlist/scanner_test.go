package podlist

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	corev1 "k8s.io/api/core/v1"

	"regcred.dev/regcred/test/racedetector"
)

const onePod = `{"metadata":{"namespace":"shop","name":"web","uid":"u1","labels":{"name":"other","pod-template-hash":"5d4"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5d4","controller":true},{"kind":"Other","name":"x"}],"managedFields":[{"name":"x"}]},
"spec":{"serviceAccountName":"app","imagePullSecrets":[{"name":"pull"},{}],
"initContainers":[{"name":"i","image":"r.io/init"}],
"containers":[{"args":["\"image\":\"no\\",[{"image":"no"}]],"image":"r.io\/app:1"},{"image":null}],
"volumes":[{"image":{"reference":"r.io/data"}},{"emptyDir":{}}]},
"status":{"phase":"Running","containerStatuses":[{"image":"no","state":{"waiting":{"reason":"ImagePullBackOff","message":"m"}}}]}}`

func TestOfAPodOnlyTheKnownFieldsAreKept(t *testing.T) {
	want := Pod{
		Namespace: "shop", Name: "web", UID: "u1", Phase: "Running", ServiceAccount: "app", PullSecrets: []string{"pull"},
		Owner: Owner{Kind: "ReplicaSet", Name: "web-5d4"}, Hash: "5d4",
		Images: []string{"r.io/init", "r.io/app:1", "r.io/data"}, Waiting: []string{"ImagePullBackOff"},
	}
	for _, test := range []struct {
		name, list string
		next       string
		want       []Pod
	}{
		{"a list as API servers write it", `{"kind":"PodList","metadata":{"resourceVersion":"1","continue":"abc"},"items":[` + onePod + `]}`, "abc", []Pod{want}},
		{"metadata behind the items", `{"items":[` + onePod + `,` + onePod + `],"metadata":{"continue":"abc"}}`, "abc", []Pod{want, want}},
		{"an empty list", `{"items":[],"metadata":{}}`, "", nil},
		{"items that are null", `{"items":null,"metadata":{}}`, "", nil},
		{"a pod without anything", `{"items":[{}]}`, "", []Pod{{}}},
		{"numbers of all kinds", `{"items":[{"a":-1,"b":1.5E+7,"c":2e-3,"d":[-0],"metadata":{"name":"x"}}]}`, "", []Pod{{Name: "x"}}},
		{"fields of another type", `{"items":[{"metadata":[1,{"name":"x"}],"spec":{"containers":{"image":"x"}},"status":"y"}]}`, "", []Pod{{}}},
		{"an image that is too long", `{"items":[{"spec":{"containers":[{"image":"` + strings.Repeat("x", MaxImageLength+1) + `"},{"image":"` + strings.Repeat("y", MaxImageLength) + `"}]}}]}`, "",
			[]Pod{{Images: []string{strings.Repeat("y", MaxImageLength)}}}},
	} {
		for reader, wrap := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader} {
			t.Run(test.name+", read "+reader, func(t *testing.T) {
				var got []Pod
				read, _, err := newScanner(wrap(strings.NewReader(test.list))).readList(func(pod Pod) bool {
					got = append(got, pod)
					return true
				})
				if err != nil || read.next != test.next || !reflect.DeepEqual(got, test.want) {
					t.Errorf("got %+v, next %q, error %v; want %+v", got, read.next, err, test.want)
				}
			})
		}
	}
}

func TestWhatIsNoListIsAnError(t *testing.T) {
	for _, text := range []string{"", "{", `{"items":[{"metadata":{"name":"`, `{"items":[{}`, `{"items" []}`, `{"items":[{} {}]}`, `{"items":[}`, `{"a":,}`, `{"a":?}`, `{"items":[{"metadata":{"name":"\x"}}]}`} {
		if _, _, err := newScanner(strings.NewReader(text)).readList(func(Pod) bool { return true }); err == nil {
			t.Errorf("%q is read without an error", text)
		}
	}
	if _, _, err := newScanner(strings.NewReader(`{"items":[`)).readList(func(Pod) bool { return true }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a list that is cut off: %v", err)
	}
}

func TestMoreOfAPodThanIsKeptIsDropped(t *testing.T) {
	list := `{"items":[{"spec":{"imagePullSecrets":[` + strings.Repeat(`{"name":"s"},`, 2000) + `{}],"containers":[` + strings.Repeat(`{"image":"i"},`, 2000) + `{}]}}]}`
	_, _, err := newScanner(strings.NewReader(list)).readList(func(pod Pod) bool {
		if len(pod.Images) != MaxListed || len(pod.PullSecrets) != MaxListed {
			t.Errorf("%d images, %d pull Secrets", len(pod.Images), len(pod.PullSecrets))
		}
		return true
	})
	if err != nil {
		t.Error(err)
	}
}

// Arguments of 16 MiB cost no memory, however they are written.
func TestWhatIsSkippedIsNeverInMemory(t *testing.T) {
	racedetector.Skip(t)
	for _, filler := range []string{"x", `\"`, `\\`, "\", \"", "\", [[{\"a\": 1}]], \""} {
		huge := io.MultiReader(strings.NewReader(`{"items":[{"spec":{"containers":[{"args":["`),
			io.LimitReader(&repeat{text: filler}, int64(len(filler)*(16<<20/len(filler)))), strings.NewReader(`"],"image":"r.io/a"}]}}]}`))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		pods := 0
		_, _, err := newScanner(huge).readList(func(pod Pod) bool { pods += len(pod.Images); return true })
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; err != nil || pods != 1 || allocated > 1<<20 {
			t.Errorf("filled with %q: %d images, %d bytes allocated, error %v", filler, pods, allocated, err)
		}
	}
}

// A buffer that is full between a backslash and what it stands before must not change where a string ends.
func TestAnEscapeMayLieAcrossTheEndOfTheBuffer(t *testing.T) {
	for padding := readBuffer - 4; padding <= readBuffer+4; padding++ {
		for _, filler := range []string{"x", `\\`} {
			argument := strings.Repeat(filler, padding/len(filler)) + strings.Repeat("x", padding%len(filler)) + `\"`
			list := `{"items":[{"spec":{"containers":[{"args":["` + argument + `"],"image":"r.io/a"}]}}]}`
			images := 0
			_, _, err := newScanner(strings.NewReader(list)).readList(func(pod Pod) bool { images += len(pod.Images); return true })
			if err != nil || images != 1 {
				t.Errorf("%d bytes of %q before the escape: %d images, error %v", padding, filler, images, err)
			}
		}
	}
}

// repeat is the same text without end.
type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// Whatever JSON there is, it is read to its end without an error; whatever else there is, it is read without a crash.
func FuzzReadList(f *testing.F) {
	f.Add(`{"metadata":{"continue":"abc"},"items":[` + onePod + `]}`)
	f.Add(`{"items":[{"spec":{"containers":[{"image":"\u0061\\\""}]}}]}`)
	f.Add(`[[[[{"a":"\\"}]]]]`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := newScanner(iotest.HalfReader(strings.NewReader(text))).readList(func(pod Pod) bool {
			if len(pod.Images) > MaxListed || len(pod.PullSecrets) > MaxListed || len(pod.Waiting) > MaxListed || len(pod.Name) > maxName {
				t.Errorf("too much is kept: %+v", pod)
			}
			return true
		})
		if err != nil && json.Valid([]byte(text)) {
			t.Errorf("valid JSON, but %v", err)
		}
	})
}

// What an API server writes of a pod is read as it was.
func FuzzAPodIsReadAsItWasWritten(f *testing.F) {
	f.Add("web", "r.io/a:1", `"image":"no",\`, "ImagePullBackOff")
	f.Add("ä\u2028", "\"", "\\\\", "")
	f.Fuzz(func(t *testing.T, name, image, filler, reason string) {
		pod := corev1.Pod{}
		pod.Name, pod.Namespace, pod.Annotations = name, filler, map[string]string{filler: filler, "name": filler}
		pod.Spec.Containers = []corev1.Container{{Name: filler, Args: []string{filler, filler}, Image: image}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Image: filler, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: filler}}}}
		text, err := json.Marshal(corev1.PodList{Items: []corev1.Pod{pod, pod}})
		if err != nil {
			t.Skip(err)
		}
		var list corev1.PodList
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		count := 0
		_, _, err = newScanner(iotest.HalfReader(strings.NewReader(string(text)))).readList(func(got Pod) bool {
			want := list.Items[count]
			count++
			short := func(text string, limit int) string {
				if len(text) > limit {
					return ""
				}
				return text
			}
			gotImage, gotReason := strings.Join(got.Images, ""), strings.Join(got.Waiting, "")
			if got.Name != short(want.Name, maxName) || got.Namespace != short(want.Namespace, maxName) ||
				gotImage != short(want.Spec.Containers[0].Image, MaxImageLength) ||
				gotReason != short(want.Status.ContainerStatuses[0].State.Waiting.Reason, MaxReasonLength) {
				t.Errorf("got %+v of %s", got, text)
			}
			return true
		})
		if err != nil || count != 2 {
			t.Errorf("%d pods, error %v", count, err)
		}
	})
}

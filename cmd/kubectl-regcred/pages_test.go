package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"regcred.dev/regcred/test/racedetector"
)

// The people of a namespace make objects as large as the API server takes, and as many as they like.
func TestAPageOfAListIsHeldInLittleMemory(t *testing.T) {
	racedetector.Skip(t)
	const accounts, small = 28, 600
	var sizes []string
	s := &apiServer{answers: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/serviceaccounts" {
			return false
		}
		from, limit := 0, 0
		fmt.Sscan(r.URL.Query().Get("continue"), &from)
		fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		sizes = append(sizes, fmt.Sprint(limit))
		list := &corev1.ServiceAccountList{TypeMeta: metav1.TypeMeta{Kind: "ServiceAccountList", APIVersion: "v1"}}
		to := min(accounts+small, from+limit)
		for i := from; i < to; i++ {
			account := corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint(i)}}
			if i < accounts {
				account.Annotations = map[string]string{"large": strings.Repeat("x", 1<<20)}
			}
			list.Items = append(list.Items, account)
		}
		if to < accounts+small {
			list.Continue = fmt.Sprint(to)
		}
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf) // which an API server prefers, and which is read a lot faster than JSON
		return protobuf.NewSerializer(scheme, scheme).Encode(list, w) == nil
	}}
	c, err := s.start(t).client()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := each(t.Context(), c, &corev1.ServiceAccountList{}, othersAtOnce, func(object client.Object) { names = append(names, object.GetName()) }); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if name != fmt.Sprint(i) {
			t.Fatalf("at %d is %s", i, name)
		}
	}
	if got, want := strings.Join(sizes, " "), "500 125 31 7 14 28 56 112 224 448"; len(names) != accounts+small || got != want {
		t.Errorf("%d are read, in pages of %s, want %s", len(names), got, want)
	}
}

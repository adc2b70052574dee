// Package silentserver has servers that do not answer.
package silentserver

import "net/http"

// Handle is what a server says that does not answer, or no more: nothing, not even once the client has gone. A handler that returned then would answer
// 200, which the client may read where it closes the connection at that moment.
func Handle(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/hashicorp/eventlogger"
	"github.com/hashicorp/vault/helper/namespace"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

const subscribePath = "/v1/sys/events/subscribe/"

// subscriptions serves subscriptions to events as Vault Enterprise documents them, with the messages of Vault's own event bus: the
// community edition has the bus and its engines fill it, but it has no endpoint. Everything else is Vault's.
func subscriptions(core *vault.Core, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, subscribes := strings.CutPrefix(r.URL.Path, subscribePath)
		if !subscribes || kind == "" {
			next.ServeHTTP(w, r)
			return
		}
		serveSubscription(core, kind, w, r)
	})
}

func serveSubscription(core *vault.Core, kind string, w http.ResponseWriter, r *http.Request) {
	ctx := namespace.RootContext(r.Context())
	request := &logical.Request{
		Operation: logical.ReadOperation, Path: strings.TrimPrefix(r.URL.Path, "/v1/"), ClientToken: r.Header.Get("X-Vault-Token"),
	}
	if _, _, err := core.CheckTokenWithLock(ctx, request); err != nil {
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		return
	}
	if r.URL.Query().Get("json") != "true" {
		http.Error(w, `{"errors":["this server sends JSON alone"]}`, http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	events, cancel, err := core.Events().Subscribe(ctx, namespace.RootNamespace, kind, "")
	if err != nil {
		return
	}
	defer cancel()
	send(conn.CloseRead(ctx), conn, events)
}

// send sends events, and a ping every 30 s, until the other side ends.
func send(ctx context.Context, conn *websocket.Conn, events <-chan *eventlogger.Event) {
	ping := time.NewTicker(30 * time.Second)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ping.C:
			if conn.Ping(ctx) != nil {
				return
			}
		case event := <-events:
			message, formatted := event.Format("cloudevents-json")
			if !formatted || conn.Write(ctx, websocket.MessageText, message) != nil {
				return
			}
		}
	}
}

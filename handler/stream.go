package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"trimtab/internal/engine"
	"trimtab/internal/hub"
	"trimtab/internal/scale"
)

const (
	// streamQueue is how many entries wait to be streamed at most. An entry that waits is held in memory, with its view.
	streamQueue = 1024
	// streamGrace is how long the rest of the queue may take at the end.
	streamGrace = 3 * time.Second
)

// decisions streams journal entries to an event hub. A nil one streams nothing.
type decisions struct {
	stream *hub.Stream
	stop   context.CancelFunc
	done   chan struct{}
}

// openStream starts the stream that the environment asks for; nil if none. It runs until close, not until ctx ends: what
// is decided last is streamed too.
func openStream(ctx context.Context, environ []string, credential azcore.TokenCredential, log *slog.Logger) (*decisions, error) {
	r := newReader(environ)
	o := hub.Options{Connection: r.env[setStreamString], Namespace: r.env[setStreamSpace], Hub: r.env[setStreamHub], Credential: credential}
	if o.Connection == "" && o.Namespace == "" && o.Hub == "" {
		return nil, nil
	}
	stream, err := hub.NewStream(o, streamQueue, func(n hub.Note) { tellNote(ctx, log, "decision stream", n) })
	if err != nil {
		return nil, fmt.Errorf("%s, %s and %s: %w", setStreamHub, setStreamSpace, setStreamString, err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &decisions{stream: stream, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		stream.Run(running, streamGrace)
	}()
	log.InfoContext(ctx, "decisions are streamed", slog.String("hub", o.Name()))
	return d, nil
}

// close sends what is left, for a while.
func (d *decisions) close() {
	if d != nil {
		d.stop()
		<-d.done
	}
}

// over is a ledger that offers to the stream whatever the engine has stored in it.
func (d *decisions) over(l engine.Ledger) engine.Ledger {
	if d == nil {
		return l
	}
	return streamed{l, d.stream}
}

// streamed is a ledger whose stored entries are streamed. What was not stored is not.
type streamed struct {
	engine.Ledger
	stream *hub.Stream
}

func (s streamed) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := s.Ledger.Commit(ctx, pool, c); err != nil {
		return err
	}
	if entry := c.Entry; entry != nil {
		s.stream.Offer(func() (hub.Outgoing, error) { return cloudEvent("entry", pool, entry.Key, entry.At, entry) })
	}
	if outcome := c.Outcome; outcome != nil {
		s.stream.Offer(func() (hub.Outgoing, error) { return cloudEvent("outcome", pool, outcome.Entry, outcome.At, outcome) })
	}
	return nil
}

// cloudEvent writes a document of the journal as a CloudEvent in structured mode. Events of one pool keep their order,
// and one that is written twice has the same source and id both times.
func cloudEvent(kind, pool, key string, at time.Time, document any) (hub.Outgoing, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Version     string    `json:"specversion"`
		ID          string    `json:"id"`
		Source      string    `json:"source"`
		Type        string    `json:"type"`
		Subject     string    `json:"subject"`
		Time        time.Time `json:"time"`
		ContentType string    `json:"datacontenttype"`
		Data        any       `json:"data"`
	}{"1.0", key + "/" + kind, "/trimtab/pools/" + url.PathEscape(pool), "trimtab." + kind + ".v1", pool, at.UTC(), "application/json", document})
	if err != nil {
		return hub.Outgoing{}, fmt.Errorf("%s %s of %s: %w", kind, key, pool, err)
	}
	return hub.Outgoing{Body: bytes.TrimSpace(body.Bytes()), ContentType: "application/cloudevents+json; charset=utf-8", Key: pool}, nil
}

// tellNote logs a note of the hub's.
func tellNote(ctx context.Context, log *slog.Logger, what string, n hub.Note) {
	attrs := []slog.Attr{slog.String("what", n.What)}
	if n.Partition != "" {
		attrs = append(attrs, slog.String("partition", n.Partition))
	}
	level := slog.LevelInfo
	if n.Err != nil {
		level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", n.Err))
	}
	log.LogAttrs(ctx, level, what, attrs...)
}

package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/invocation"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// maxLogs bounds the lines of an answer: the host writes each to its own log, at a cost.
const maxLogs = 1000

// newReply says one line for each pool that was touched.
func newReply(report engine.Report) invocation.Reply {
	var a invocation.Reply
	for i, pool := range report.Pools {
		if i == maxLogs {
			a.Logs = append(a.Logs, fmt.Sprintf("… and %d more pools; the handler's own log has them all", len(report.Pools)-i))
			break
		}
		a.Logs = append(a.Logs, poolLine(pool))
	}
	if report.DeadLetters > 0 {
		a.Logs = append(a.Logs, fmt.Sprintf("%d of %d events kept as dead letters", report.DeadLetters, report.Events))
	}
	return a
}

// poolLine tells in one line what became of a pool: "web: scale 3 -> 5 (track), sent".
func poolLine(p engine.PoolReport) string {
	var b strings.Builder
	b.WriteString(p.Pool + ": ")
	switch {
	case p.Entry == "" && p.Action == "":
		b.WriteString("not evaluated")
	case p.Action == scale.Scale && p.Direction == scale.Remix:
		fmt.Fprintf(&b, "mix changes at %d (%s)", p.To, p.Reason)
	case p.Action == scale.Scale && p.Direction == scale.Clean:
		fmt.Fprintf(&b, "machines that serve nobody are deleted beside %d (%s)", p.To, p.Reason)
	case p.Action == scale.Scale:
		fmt.Fprintf(&b, "scale %d -> %d (%s)", p.From, p.To, p.Reason)
	default:
		count := strconv.Itoa(p.From)
		if !p.Known {
			count = "?"
		}
		fmt.Fprintf(&b, "hold %s (%s", count, p.Reason)
		if !p.Until.IsZero() {
			b.WriteString(" until " + p.Until.Format(time.TimeOnly))
		}
		if p.Wanted != p.From {
			fmt.Fprintf(&b, "; wanted %d", p.Wanted)
		}
		b.WriteString(")")
	}
	switch {
	case p.Sent:
		b.WriteString(", sent")
	case p.Action == scale.Scale && p.Mode == scale.Observe:
		b.WriteString(", observed only")
	case p.Action == scale.Scale:
		b.WriteString(", not sent")
	}
	if o := p.Outcome; o != nil {
		b.WriteString("; earlier change " + string(o.Result))
		if o.Class != "" {
			b.WriteString(" (" + string(o.Class) + ")")
		}
	}
	if p.Note != "" {
		b.WriteString("; " + p.Note)
	}
	return b.String()
}

// reportAttrs are the counts of a report for the log; every event and sample is in one of them.
func reportAttrs(r engine.Report) []slog.Attr {
	sent := 0
	for _, p := range r.Pools {
		if p.Sent {
			sent++
		}
	}
	return []slog.Attr{
		slog.Int("pools", len(r.Pools)), slog.Int("sent", sent),
		slog.Int("events", r.Events), slog.Int("dead_letters", r.DeadLetters),
		slog.Int("samples", r.Samples), slog.Int("unrouted", r.Unrouted), slog.Int("misfits", r.Misfits),
		slog.Int("namesakes", r.Namesakes), slog.Int("strangers", r.Strangers),
		slog.Int("folded", r.Folded), slog.Int("corrected", r.Corrected), slog.Int("repeated", r.Repeated),
		slog.Int("late", r.Late), slog.Int("future", r.Future), slog.Int("absent", r.Absent),
		slog.Int("notices", r.Notices), slog.Int("unheard", r.Unheard), slog.Int("heeded", r.Heeded), slog.Int("echoes", r.Echoes),
	}
}

// writeJSON answers with a JSON body and its content type and length: the host takes JSON without the type for a failure,
// and an answer without a body for none yet (facts: functions-host 3.2).
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", invocation.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A host that went away does not read the answer; the retry contract covers it.
	_, _ = w.Write(body)
}

// batchOf makes a batch of an invocation's events. They live in the parser's buffers, as does the batch.
func batchOf(inv *invocation.Invocation, id string) engine.Batch {
	batch := engine.Batch{Invocation: id, Events: make([]engine.Event, len(inv.Events))}
	for i, e := range inv.Events {
		batch.Events[i] = engine.Event{
			Source: e.Source, Body: e.Body, Properties: metric.Properties{Application: e.Properties, System: e.System},
		}
	}
	return batch
}

// visit is what the log says about one request.
type visit struct {
	invocation string
	door       string
	trace      string
	source     string
	// numbered says that first and last sequence are known.
	numbered    bool
	first, last int64
	events      int
	retry       invocation.Retry
	notes       []string
}

// see takes down which events an invocation brought.
func (v *visit) see(inv *invocation.Invocation) {
	v.retry, v.events, v.notes = inv.Retry, len(inv.Events), slices.Clone(inv.Notes)
	if inv.Hub != "" {
		v.source = inv.Hub + "/" + inv.Partition
	}
	for _, e := range inv.Events {
		if !e.Source.Known {
			continue
		}
		if !v.numbered {
			v.numbered, v.first, v.last = true, e.Source.Sequence, e.Source.Sequence
		}
		v.first, v.last = min(v.first, e.Source.Sequence), max(v.last, e.Source.Sequence)
	}
}

func (v *visit) attrs(took time.Duration) []any {
	attrs := []any{slog.String("invocation", v.invocation), slog.String("door", v.door), slog.Int64("took_ms", took.Milliseconds())}
	if v.trace != "" {
		attrs = append(attrs, slog.String("traceparent", v.trace))
	}
	if v.source != "" {
		attrs = append(attrs, slog.String("source", v.source))
	}
	if v.numbered {
		attrs = append(attrs, slog.Int64("first_sequence", v.first), slog.Int64("last_sequence", v.last))
	}
	if v.retry.MaxRetryCount != 0 {
		attrs = append(attrs, slog.Int("attempt", v.retry.RetryCount+1), slog.Int("attempts", v.retry.MaxRetryCount+1))
	}
	if len(v.notes) > 0 {
		attrs = append(attrs, slog.Any("notes", v.notes))
	}
	return attrs
}

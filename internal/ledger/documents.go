package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// encode writes a document as JSON, the same value always as the same bytes. HTML characters stay as they are, so that
// raw JSON within a document comes back as it went.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// controlRow makes the control row of a pool.
func controlRow(pool, attempt string, c *scale.Control) (*row, error) {
	named := *c
	named.Attempt = attempt
	doc, err := encode(&named)
	if err != nil {
		return nil, fmt.Errorf("encode the control row: %w", err)
	}
	r := &row{partition: partitionOf(pool), key: controlKey}
	r.column("pool", pool)
	r.text("attempt", attempt)
	r.integer("version", int64(c.Version))
	r.instant("evaluated_at", c.EvaluatedAt)
	r.column("last_entry", c.LastEntry)
	r.column("revision", c.Revision)
	stage := ""
	if c.Intent != nil {
		stage = string(c.Intent.Stage)
	}
	r.column("intent", stage)
	r.document("control", doc)
	return r, nil
}

// control reads a control row. A document of a version that this program does not know is refused: to go on without it
// would be to overwrite what a newer program remembers.
func (c cells) control() (scale.Control, error) {
	var control scale.Control
	if err := checkVersion("control row", c.integer("version"), scale.ControlVersion); err != nil {
		return control, err
	}
	if err := json.Unmarshal(c.document("control"), &control); err != nil {
		return control, fmt.Errorf("decode the control row: %w", err)
	}
	return control, nil
}

// checkVersion refuses documents that this program does not know.
func checkVersion(what string, have, known int64) error {
	if have < 1 || have > known {
		return fmt.Errorf("%s is of version %d, this program knows up to %d: it is left alone", what, have, known)
	}
	return nil
}

// windowRow makes a window's row.
func windowRow(pool, attempt string, w *scale.StoredWindow) *row {
	r := &row{partition: partitionOf(pool), key: windowPrefix + escape(w.Source)}
	r.text("source", w.Source)
	r.text("attempt", attempt)
	r.binary("window", w.Data)
	return r
}

// note is what a commit writes to one entry of the journal: the entry, its outcome, or both.
type note struct {
	key     string
	entry   *scale.Entry
	outcome *scale.Outcome
}

// notes are what a commit writes to the journal, each key once: a transaction touches a row only once. An entry's own
// outcome is taken apart from it, since it is kept apart.
func notes(c *scale.Commit) (all []note) {
	if c.Entry != nil {
		bare := *c.Entry
		bare.Outcome = nil
		all = append(all, note{c.Entry.Key, &bare, brief(c.Entry.Outcome)})
	}
	if o := brief(c.Outcome); o != nil {
		if len(all) == 1 && all[0].key == o.Entry {
			all[0].outcome = o
		} else {
			all = append(all, note{key: o.Entry, outcome: o})
		}
	}
	return all
}

// brief cuts an outcome's texts, which others wrote, to what is worth keeping.
func brief(o *scale.Outcome) *scale.Outcome {
	if o == nil {
		return nil
	}
	short := *o
	short.Code, short.Message = shorten(o.Code, 512), shorten(o.Message, 4096)
	return &short
}

// noteRow makes the part of an entry's row that a note writes. It is merged into what is there: an entry that is
// written again keeps its outcome, and an outcome does not touch its entry.
func noteRow(pool, attempt string, n *note) (*row, error) {
	r := &row{partition: partitionOf(pool), key: entryPrefix + n.key}
	r.column("pool", pool)
	if e := n.entry; e != nil {
		doc, err := encode(e)
		if err != nil {
			return nil, fmt.Errorf("encode entry %s: %w", n.key, err)
		}
		packed, err := deflate(doc)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", n.key, err)
		}
		if len(packed) > maxDocument {
			return nil, fmt.Errorf("entry %s has %d bytes packed, a row holds %d", n.key, len(packed), maxDocument)
		}
		r.summary(e)
		r.text("attempt", attempt)
		r.integer("version", int64(e.Version))
		r.integer("entry_size", int64(len(doc)))
		r.binary("entry", packed)
	}
	if o := n.outcome; o != nil {
		doc, err := encode(o)
		if err != nil {
			return nil, fmt.Errorf("encode the outcome of %s: %w", n.key, err)
		}
		r.instant("outcome_at", o.At)
		r.column("outcome_result", string(o.Result))
		r.column("outcome_class", string(o.Class))
		r.column("outcome_code", o.Code)
		r.column("outcome_message", o.Message)
		r.integer("outcome_capacity", int64(o.Capacity))
		r.text("outcome_attempt", attempt)
		r.document("outcome", doc)
	}
	return r, nil
}

// summary adds the columns of an entry that an operator reads in the table itself.
func (r *row) summary(e *scale.Entry) {
	r.instant("at", e.At)
	r.column("action", string(e.Decision.Action))
	r.column("direction", string(e.Decision.Direction))
	r.integer("from", int64(e.Decision.From.Instances))
	r.integer("to", int64(e.Decision.To.Instances))
	r.column("reason", e.Decision.Reason)
	r.flag("act", e.Decision.Act)
	r.column("mode", string(e.View.Mode))
	r.column("trigger", e.Trigger.Kind)
	r.column("source", e.Trigger.Source)
	r.column("revision", e.Proposal.Revision)
	r.column("note", e.Note)
}

// entry reads an entry's row, with its outcome joined.
func (c cells) entry(pool string) (scale.Entry, error) {
	key := strings.TrimPrefix(c.text("RowKey"), entryPrefix)
	var outcome *scale.Outcome
	if doc := c.document("outcome"); len(doc) > 0 {
		if err := json.Unmarshal(doc, &outcome); err != nil {
			return scale.Entry{}, fmt.Errorf("decode the outcome of %s: %w", key, err)
		}
	}
	if !c.has("entry_parts") {
		if outcome == nil {
			return scale.Entry{}, fmt.Errorf("row %q holds neither an entry nor an outcome", key)
		}
		return orphan(pool, key, outcome), nil
	}
	if err := checkVersion("entry "+key, c.integer("version"), scale.EntryVersion); err != nil {
		return scale.Entry{}, err
	}
	packed, err := c.binary("entry")
	if err != nil {
		return scale.Entry{}, err
	}
	doc, err := inflate(packed, c.integer("entry_size"))
	if err != nil {
		return scale.Entry{}, fmt.Errorf("entry %s: %w", key, err)
	}
	var e scale.Entry
	if err := json.Unmarshal(doc, &e); err != nil {
		return scale.Entry{}, fmt.Errorf("decode entry %s: %w", key, err)
	}
	e.Outcome = outcome
	return e, nil
}

// orphan stands for an entry of which only the outcome is kept.
func orphan(pool, key string, o *scale.Outcome) scale.Entry {
	return scale.Entry{
		Version: scale.EntryVersion, Key: key, Pool: pool, At: instantOf(key),
		Note: "only the outcome is kept", Outcome: o,
	}
}

// Bounds of what a dead letter keeps. A body above the bound is cut; its length and digest tell what it was.
const (
	maxBody       = 640 << 10
	maxRejections = 32
)

// fewer bounds a dead letter's rejections: the first ones, and a last one that says how many more there were.
func fewer(all []scale.Rejection) []scale.Rejection {
	out := make([]scale.Rejection, 0, min(len(all), maxRejections+1))
	for i, r := range all {
		if i == maxRejections {
			out = append(out, scale.Rejection{
				Element: r.Element, Reason: "more", Detail: fmt.Sprintf("%d more rejections", len(all)-i),
			})
			break
		}
		r.Reason, r.Detail = shorten(r.Reason, 128), shorten(r.Detail, 256)
		out = append(out, r)
	}
	return out
}

// letterRow makes a dead letter's row.
func letterRow(l *scale.DeadLetter) (*row, error) {
	r := &row{}
	r.partition, r.key = letterKeys(l)
	rejections := fewer(l.Rejections)
	doc, err := encode(rejections)
	if err != nil {
		return nil, fmt.Errorf("encode rejections: %w", err)
	}
	body := l.Body[:min(len(l.Body), maxBody)]
	packed, err := deflate(body)
	if err != nil {
		return nil, err
	}
	r.column("hub", l.Source.Hub)
	r.column("partition", l.Source.Partition)
	r.integer("sequence", l.Source.Sequence)
	r.flag("sequence_known", l.Source.Known)
	r.instant("enqueued_at", l.Source.EnqueuedAt)
	r.instant("received_at", l.ReceivedAt)
	if len(rejections) > 0 {
		r.column("reason", rejections[0].Reason)
	}
	r.integer("rejected", int64(len(l.Rejections)))
	r.document("rejections", doc)
	sum := sha256.Sum256(l.Body)
	r.text("body_sha256", hex.EncodeToString(sum[:]))
	r.integer("body_length", int64(len(l.Body)))
	r.integer("body_kept", int64(len(body)))
	r.binary("body", packed)
	if len(l.Application) > 0 {
		r.document("properties", l.Application)
	}
	if len(l.System) > 0 {
		r.document("system", l.System)
	}
	return r, nil
}

// letter reads a dead letter's row.
func (c cells) letter() (scale.DeadLetter, error) {
	l := scale.DeadLetter{
		Source: scale.Source{
			Hub: c.text("hub"), Partition: c.text("partition"), Sequence: c.integer("sequence"),
			EnqueuedAt: c.instant("enqueued_at"),
		},
		ReceivedAt: c.instant("received_at"),
	}
	l.Source.Known, _ = c["sequence_known"].(bool)
	if doc := c.document("rejections"); len(doc) > 0 {
		if err := json.Unmarshal(doc, &l.Rejections); err != nil {
			return l, fmt.Errorf("decode the rejections of %s: %w", c.text("RowKey"), err)
		}
	}
	packed, err := c.binary("body")
	if err != nil {
		return l, err
	}
	l.Application, l.System = c.document("properties"), c.document("system")
	l.Body, err = inflate(packed, c.integer("body_kept"))
	return l, err
}

// instant reads a DateTime, the zero time if there is none.
func (c cells) instant(name string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, c.text(name))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
